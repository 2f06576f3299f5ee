//! The guard of the web doors: first whether the request belongs to our site, then what it is for,
//! then whether there is a login behind it.

use crate::base::error::{Code, Error, Result};
use crate::config::web::Web;
use crate::http::answer::Answer;
use crate::http::assets;
use crate::http::cookie;
use crate::http::guard::Guard;
use crate::http::guard::site::Kind;
use crate::http::guard::site::Site;
use crate::http::guard::visitor;
use crate::http::handlers::Api;
use crate::http::message::Caller;
use crate::http::message::Door;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router;
use crate::http::router::Access;
use crate::http::ws;
use crate::model::login;
use crate::model::login::WebSession;
use serde_json::json;
use tiny_http::Method;

const DOUBLED: &str = "the session's cookie came twice: another page of this host has set one of \
                       that name; try again, and if that does not help delete this site's cookies \
                       and log in again";
/// Its code: such a page can ask again, as the reply takes the other cookie away.
const DOUBLED_CODE: &str = "cookie_doubled";

/// What the web doors are called and whom they believe.
pub struct WebGuard {
    web: Web,
    site: Site,
}

impl WebGuard {
    /// Of doors that listen as `web` says.
    pub fn new(web: Web) -> WebGuard {
        WebGuard { site: Site::new(&web), web }
    }

    /// Lets a request pass to its handler, or answers why not.
    pub fn serve(&self, guard: &Guard, mut request: Request, mut answer: Answer) {
        request.visitor = visitor::of(&self.web, &request);
        if request.visitor.https {
            answer.came_over_tls();
        }
        let kind = kind(&request);
        if let Err(refusal) = self.site.check(&request, kind) {
            return answer.send(refusal.reply());
        }
        match kind {
            Kind::Page => answer.send(page(&request)),
            Kind::Socket => socket(&guard.api, request, answer),
            Kind::Api => {
                if let Err(error) = too_early(&guard.api, &request) {
                    return answer.send(Reply::error(&error));
                }
                request.segments.remove(0);
                api(guard, request, answer);
            }
        }
    }
}

/// Without a second factor nobody gets anywhere from beyond loopback, also not after a reset.
fn too_early(api: &Api, request: &Request) -> Result<()> {
    let near = request.peer.address.is_none_or(|address| address.ip().is_loopback());
    if near || api.login_status()?.factor {
        return Ok(());
    }
    Err(Error::denied("set up the login over 127.0.0.1 or an SSH tunnel first"))
}

/// What a request is for, by its path alone.
fn kind(request: &Request) -> Kind {
    let first = request.segments.first().map(String::as_str);
    match (request.door, first) {
        (Door::Socket, _) => Kind::Socket,
        (_, Some("ws")) if request.segments.len() == 1 => Kind::Socket,
        (_, Some("api")) => Kind::Api,
        _ => Kind::Page,
    }
}

fn page(request: &Request) -> Reply {
    assets::serve(request).unwrap_or_else(|| not_found(request))
}

fn not_found(request: &Request) -> Reply {
    Reply::error(&Error::not_found(format!("Not found: {}", request.path)))
}

fn unauthorized(request: &Request) -> Reply {
    if cookie::is_doubled(request, login::Kind::Login) {
        let body = json!({"error": DOUBLED, "code": DOUBLED_CODE});
        return cookie::undouble(Reply::json(401, &body), request);
    }
    let text = "log in first: this needs the session's cookie and its X-CodePiper-Proof";
    Reply::error(&Error::new(Code::Unauthorized, text))
}

fn socket(api: &Api, request: Request, answer: Answer) {
    if request.segments != ["ws"] {
        return answer.send(not_found(&request));
    }
    match with_cookie(api, &request) {
        // Its proof comes in the first message.
        Ok(Some(session)) => ws::open_for(api, &request, Some(session), answer),
        Ok(None) => answer.send(unauthorized(&request)),
        Err(error) => answer.send(Reply::error(&error)),
    }
}

fn api(guard: &Guard, mut request: Request, answer: Answer) {
    let access = router::find(guard.rows, &request).map_or(Access::Login, |(row, _)| row.access);
    match with_proof(&guard.api, &request) {
        Ok(Some(session)) => request.caller = Caller::Web(session.id),
        Ok(None) if access == Access::Login => return answer.send(unauthorized(&request)),
        Ok(None) => {}
        Err(error) => return answer.send(Reply::error(&error)),
    }
    if let Err(error) = check_type(&request) {
        return answer.send(error);
    }
    router::serve(guard.rows, &guard.api, request, answer);
}

/// A page elsewhere can send forms and plain text unasked, but never JSON.
fn check_type(request: &Request) -> std::result::Result<(), Reply> {
    let is_read = matches!(request.method, Method::Get | Method::Head | Method::Delete);
    let kind = request.header("content-type");
    if request.body.is_empty() && (is_read || kind.is_none()) || kind == Some("application/json") {
        return Ok(());
    }
    let error = Error::invalid("send the body as Content-Type: application/json");
    let mut reply = Reply::error(&error);
    reply.status = 415;
    Err(reply)
}

/// The login whose cookie came along.
fn with_cookie(api: &Api, request: &Request) -> Result<Option<WebSession>> {
    match cookie::token(request, login::Kind::Login) {
        Some(token) => api.web_session(token),
        None => Ok(None),
    }
}

/// The same, where its proof came too: browsers send cookies to every port of a host, and what
/// listens on another one must not be able to use what it got.
fn with_proof(api: &Api, request: &Request) -> Result<Option<WebSession>> {
    let Some(proof) = request.header(cookie::PROOF) else { return Ok(None) };
    let found = with_cookie(api, request)?.filter(|session| session.proves(proof));
    Ok(found.inspect(|session| api.web_session_used(session)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_can_tell_that_its_cookie_was_doubled_and_ask_again() {
        let reply = |cookies: &str| {
            let mut request = Request::sample(Door::Web, Method::Get, "/api/sessions", "");
            request.headers.push(("cookie".into(), cookies.into()));
            String::from_utf8(unauthorized(&request).render(true, false)).unwrap()
        };
        let doubled = reply("codepiper_session=a; codepiper_session=b");
        assert!(doubled.starts_with("HTTP/1.1 401 "), "{doubled}");
        assert!(doubled.contains(r#""code":"cookie_doubled""#), "{doubled}");
        assert!(doubled.contains("Set-Cookie: codepiper_session=; Path=/api; Max-Age=0"));
        let single = reply("codepiper_session=a");
        assert!(single.contains(r#""code":"unauthorized""#) && !single.contains("Set-Cookie"));
    }
}
