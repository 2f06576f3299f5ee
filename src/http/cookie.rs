//! Cookies of the dashboard: read by exact name and form, written with everything that keeps them
//! in.
//!
//! 1. A cookie MUST count only by its whole name, once in the request, with a value of the one form
//!    that tokens have.
//! 2. Over TLS only the names with `__Host-` MUST count: no other port or domain can set those.

use crate::auth::token;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::limits;
use crate::model::login::Kind;
use std::time::Duration;

/// The header that carries the proof.
pub const PROOF: &str = "x-codepiper-proof";

fn name(kind: Kind, secure: bool) -> &'static str {
    match (kind, secure) {
        (Kind::Login, false) => "codepiper_session",
        (Kind::Login, true) => "__Host-codepiper_session",
        (Kind::Onboarding, false) => "codepiper_onboarding",
        (Kind::Onboarding, true) => "__Host-codepiper_onboarding",
    }
}

/// The token in the cookie of this kind.
pub fn token(request: &Request, kind: Kind) -> Option<&str> {
    let mut values = values(request, kind);
    let value = values.next().filter(|value| token::hash(value).is_some())?;
    values.next().is_none().then_some(value)
}

/// Whether the cookie came more than once: a page on another port of this host, or under another
/// path, has set its like.
pub fn is_doubled(request: &Request, kind: Kind) -> bool {
    values(request, kind).count() > 1
}

/// Takes away what keeps a cookie of ours from counting: its like under a narrower path, as only a
/// page on another port of this host can have set it. Where one was sent along, its path is a part
/// of the request's, so all of those are cleared; ours is under `/`. A reply without doubles stays
/// as it is.
pub fn undouble(mut reply: Reply, request: &Request) -> Reply {
    for kind in
        [Kind::Login, Kind::Onboarding].into_iter().filter(|kind| is_doubled(request, *kind))
    {
        let clear = clear(kind, request.visitor.https);
        for path in narrower(&request.path) {
            let clear = clear.replace("Path=/;", &format!("Path={path};"));
            reply = reply.header("Set-Cookie", clear);
        }
    }
    reply
}

/// The paths of cookies that come along with a request for `path`, but for `/`.
fn narrower(path: &str) -> Vec<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
    let slashes = path.match_indices('/').map(|(at, _)| at).skip(1);
    // With the slash behind it, and without: to a browser those are two.
    let ends = slashes.flat_map(|at| [at, at + 1]).chain([path.len()]);
    let all = ends.map(|end| &path[..end]).filter(|part| part.len() > 1 && part.chars().all(plain));
    let mut all: Vec<&str> = all.take(limits::COOKIE_PATHS).collect();
    all.dedup();
    all
}

fn values(request: &Request, kind: Kind) -> impl Iterator<Item = &str> {
    let fields = request.headers.iter().filter(|(field, _)| field == "cookie");
    let pairs = fields.flat_map(|(_, value)| value.split(';'));
    let named = pairs.filter_map(|pair| pair.trim_matches(' ').split_once('='));
    let name = name(kind, request.visitor.https);
    named.filter(move |(known, _)| *known == name).map(|(_, value)| value)
}

/// The value of `Set-Cookie` that begins a session.
pub fn set(kind: Kind, token: &str, secure: bool) -> String {
    let life = match kind {
        Kind::Login => limits::login::SESSION,
        Kind::Onboarding => limits::login::ONBOARDING,
    };
    cookie(kind, token, life, secure)
}

/// The value of `Set-Cookie` that ends one.
pub fn clear(kind: Kind, secure: bool) -> String {
    cookie(kind, "", Duration::ZERO, secure)
}

fn cookie(kind: Kind, value: &str, life: Duration, secure: bool) -> String {
    let (name, life) = (name(kind, secure), life.as_secs());
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::Door;
    use tiny_http::Method;

    fn request() -> Request {
        Request::sample(Door::Web, Method::Get, "/", "")
    }

    #[test]
    fn w13_a_cookie_counts_by_its_whole_name_once_and_in_one_form() {
        let token = "0a".repeat(32);
        let check = |cookie: &str, https: bool, counts: bool| {
            let mut request = request();
            request.visitor.https = https;
            request.headers.push(("cookie".into(), cookie.replace('@', &token)));
            let found = super::token(&request, Kind::Login);
            assert_eq!(found, counts.then_some(token.as_str()), "{cookie}");
        };
        for good in
            ["codepiper_session=@", "a=b; codepiper_session=@; c=d", "a;codepiper_session=@"]
        {
            check(good, false, true);
            check(good, true, false);
        }
        for bad in [
            "xcodepiper_session=@",
            "codepiper_session=@0",
            "codepiper_session=\"@\"",
            "codepiper_session=@; codepiper_session=@",
            "codepiper_session=@; codepiper_session=x",
            "codepiper_session=x; codepiper_session=@",
            "CODEPIPER_SESSION=@",
            "codepiper_session =@",
            "codepiper_session=",
            "codepiper_onboarding=@",
            "__Host-codepiper_session=@",
            "a=codepiper_session=@",
        ] {
            check(bad, false, false);
        }
        check("__Host-codepiper_session=@", true, true);
    }

    #[test]
    fn two_fields_are_one_list() {
        let token = "0a".repeat(32);
        let mut request = request();
        for _ in 0..2 {
            request.headers.push(("cookie".into(), format!("codepiper_session={token}")));
        }
        assert_eq!(super::token(&request, Kind::Login), None);
        assert!(is_doubled(&request, Kind::Login) && !is_doubled(&request, Kind::Onboarding));
    }

    #[test]
    fn a_double_under_a_narrower_path_is_taken_away_and_ours_stays() {
        let mut request = request();
        request.path = "/api/sessions/x;y/log".into();
        let cleared = |request: &Request| {
            let reply = undouble(Reply::json(200, &serde_json::json!({})), request);
            let text = String::from_utf8(reply.render(true, false)).unwrap();
            let lines = text.lines().filter(|line| line.starts_with("Set-Cookie: "));
            let path = |line: &str| {
                line.split("Path=").nth(1).unwrap().split(';').next().unwrap().to_string()
            };
            lines.map(|line| (line.contains("codepiper_session=;"), path(line))).collect::<Vec<_>>()
        };
        request.headers.push(("cookie".into(), "codepiper_session=a".into()));
        assert_eq!(cleared(&request), []);
        request.headers.push(("cookie".into(), "codepiper_session=b".into()));
        let paths = ["/api", "/api/", "/api/sessions", "/api/sessions/"];
        assert_eq!(cleared(&request), paths.map(|path| (true, path.to_string())));
        assert_eq!(narrower("/ws"), ["/ws"]);
        assert!(narrower("/").is_empty());
        assert!(narrower(&"/a".repeat(1000)).len() <= limits::COOKIE_PATHS);
    }

    #[test]
    fn a_cookie_is_kept_in_by_all_its_attributes() {
        let (plain, secure) = (set(Kind::Login, "x", false), set(Kind::Login, "x", true));
        assert_eq!(plain, "codepiper_session=x; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict");
        assert_eq!(secure, format!("__Host-{plain}; Secure"));
        assert_eq!(
            clear(Kind::Onboarding, false),
            "codepiper_onboarding=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
}
