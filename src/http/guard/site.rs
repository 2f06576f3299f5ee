//! Which site a request belongs to: the checks of Host, Origin and Sec-Fetch-Site that keep other
//! pages, rebound names and neighbours on other ports out. Pure: it knows no login.
//!
//! 1. A Host that is not literally one of ours MUST be refused on every path: names that only
//!    resolve to us are how DNS rebinding gets in.
//! 2. A request that can change something, and every WebSocket, MUST come from a page of ours,
//!    by its exact origin. What does not say where it comes from is refused.
//! 3. A request whose browser says that another site made it MUST be refused.

use crate::config::origin::Origin;
use crate::config::origin::authority_of;
use crate::config::web::Web;
use crate::http::message::Door;
use crate::http::message::Refusal;
use crate::http::message::Request;
use std::net::IpAddr;
use tiny_http::Method;

/// The names and origins of the web doors.
pub struct Site {
    hosts: Vec<(String, u16)>,
    pages: Vec<Origin>,
    named: Vec<Origin>,
}

/// What a request is for, as far as these checks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file of the dashboard, which anybody may have.
    Page,
    /// The API.
    Api,
    /// The handshake of a WebSocket: a GET that opens everything.
    Socket,
}

impl Site {
    /// Of doors that listen as `web` says.
    pub fn new(web: &Web) -> Site {
        let mut names: Vec<String> = ["127.0.0.1", "localhost", "[::1]"].map(String::from).into();
        names.extend(web.bind.filter(|ip| !ip.is_unspecified()).map(|ip| match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        }));
        let page = |host: &String| Origin { tls: false, host: host.clone(), port: web.port };
        let ports = [web.port, web.ws_port];
        let own = names.iter().flat_map(|name| ports.map(|port| (name.clone(), port)));
        let named = web.origins.iter().map(|origin| (origin.host.clone(), origin.port));
        Site {
            hosts: own.chain(named).collect(),
            pages: names.iter().map(page).collect(),
            named: web.origins.clone(),
        }
    }

    /// Lets a request pass, or says why not: 421 for another host's, 403 for another page's.
    pub fn check(&self, request: &Request, kind: Kind) -> Result<(), Refusal> {
        let host = self.host(request)?;
        let unsafe_method = !matches!(request.method, Method::Get | Method::Head);
        let needs_origin = kind == Kind::Socket || unsafe_method;
        let from = match self.from(request, &host, needs_origin)? {
            Some(own) => own,
            None if needs_origin => {
                let page = self.pages.first().map(ToString::to_string).unwrap_or_default();
                let text = format!(
                    "a request that changes something says where it comes from; \
                     send an Origin such as {page}"
                );
                return Err(Refusal::new(403, text));
            }
            None => false,
        };
        check_fetch_site(request, kind, from)
    }

    /// The Host field, which must be one of ours.
    fn host(&self, request: &Request) -> Result<(String, u16), Refusal> {
        let text = request.header("host").unwrap_or_default();
        // A browser leaves the port of the scheme out; behind a proxy that is TLS's.
        let tries = [80, 443].map(|port| authority_of(text, port));
        let ours = tries.into_iter().flatten().find(|host| self.hosts.contains(host));
        ours.ok_or_else(|| {
            let shown: String = text.chars().filter(|c| c.is_ascii_graphic()).take(80).collect();
            Refusal::new(
                421,
                format!(
                    "this daemon is not called {shown:?}; where a tunnel or proxy leads here under \
                 that name, start it with ALLOWED_ORIGINS=http://{shown} (or https://)"
                ),
            )
        })
    }

    /// Whether the page that made the request is named as ours: `Some(true)` for a page of the
    /// HTTP door itself, `None` where the request does not say.
    fn from(
        &self,
        request: &Request,
        host: &(String, u16),
        needed: bool,
    ) -> Result<Option<bool>, Refusal> {
        let strange = || Err(Refusal::new(403, "this request comes from a page that is not ours"));
        let count = |name| request.headers.iter().filter(|(known, _)| known == name).count();
        let said = match (count("origin"), count("referer")) {
            (0, 0) => return Ok(None),
            // Where a link stood is nobody's business; the browser's own word comes below.
            (0, _) if !needed => return Ok(None),
            (1, _) => request.header("origin").and_then(Origin::parse),
            (0, 1) => request.header("referer").and_then(origin_of),
            _ => return strange(),
        };
        let Some(origin) = said else { return strange() };
        if self.named.contains(&origin) {
            return Ok(Some(false));
        }
        // A page of the HTTP door talks to that door by the name that it was itself opened by.
        let same_host = *host == (origin.host.clone(), origin.port);
        match self.pages.contains(&origin) && (request.door == Door::Socket || same_host) {
            true => Ok(Some(true)),
            false => strange(),
        }
    }
}

/// The origin of the page that a Referer names.
fn origin_of(referer: &str) -> Option<Origin> {
    let start = referer.find("://")? + 3;
    let end = referer[start..].find('/').map_or(referer.len(), |at| start + at);
    Origin::parse(&referer[..end])
}

/// What the browser itself says (Fetch Metadata); other programs say nothing.
fn check_fetch_site(request: &Request, kind: Kind, own_page: bool) -> Result<(), Refusal> {
    let said: Vec<&str> = values(request, "sec-fetch-site");
    // The address bar, a bookmark, or a link on another page: the page gets nothing to read.
    let visit = kind == Kind::Page
        && request.method == Method::Get
        && values(request, "sec-fetch-mode") == ["navigate"]
        && values(request, "sec-fetch-dest") == ["document"];
    match said[..] {
        [] | ["same-origin"] => Ok(()),
        // The other port is another origin of the same site.
        ["same-site"] if request.door == Door::Socket && own_page => Ok(()),
        ["none"] if kind == Kind::Page => Ok(()),
        _ if visit => Ok(()),
        _ => Err(Refusal::new(403, "another site made this request")),
    }
}

fn values<'a>(request: &'a Request, name: &str) -> Vec<&'a str> {
    let fields = request.headers.iter().filter(|(known, _)| known == name);
    fields.map(|(_, value)| value.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use crate::http::conn::Conn;
    use crate::http::message::Peer;
    use std::sync::Arc;

    fn site() -> Site {
        Site::new(&Web {
            port: 3000,
            ws_port: 9999,
            bind: None,
            origins: Origin::list("https://pipe.example,http://localhost:8080").unwrap(),
            proxies: Vec::new(),
            force_secure: false,
        })
    }

    fn check(door: Door, kind: Kind, method: &str, fields: &str) -> u16 {
        let fields: String = fields.split('|').map(|line| format!("{}\r\n", line.trim())).collect();
        let mut conn = Conn::new(door, time::now());
        let text = format!("{method} /x HTTP/1.1\r\n{fields}\r\n");
        let Some(whole) = conn.feed(text.as_bytes(), time::now()) else { return 400 };
        let request = Request::new(door, Arc::new(Peer::default()), whole);
        site().check(&request, kind).map_or_else(|refusal| refusal.status, |()| 200)
    }

    fn post(fields: &str) -> u16 {
        check(Door::Web, Kind::Api, "POST", fields)
    }

    #[test]
    fn w20_only_our_own_names_are_answered_to() {
        for host in "127.0.0.1:3000 localhost:3000 LOCALHOST:9999 [::1]:3000 pipe.example \
                     pipe.example:443 localhost:8080"
            .split_ascii_whitespace()
        {
            let got = check(Door::Web, Kind::Api, "GET", &format!("Host: {host}"));
            assert_eq!(got, 200, "{host}");
        }
        for host in "evil.example evil.example:3000 127.0.0.1 localhost localhost:3001 127.1:3000 \
                     0.0.0.0:3000 [::]:3000 2130706433:3000 localhost.:3000 a@127.0.0.1:3000 \
                     127.0.0.1:3000@a 127.0.0.1:03000 pipe.example:80x pipe.example.evil"
            .split_ascii_whitespace()
        {
            let got = check(Door::Web, Kind::Page, "GET", &format!("Host: {host}"));
            assert_eq!(got, 421, "{host}");
        }
    }

    #[test]
    fn w13_what_changes_something_comes_from_the_very_page() {
        assert_eq!(post("Host: localhost:3000|Origin: http://localhost:3000"), 200);
        assert_eq!(post("Host: localhost:3000|Referer: http://localhost:3000/a?b"), 200);
        assert_eq!(post("Host: 127.0.0.1:3000|Origin: https://pipe.example"), 200, "a proxy");
        assert_eq!(post("Host: localhost:8080|Origin: http://localhost:8080"), 200, "a tunnel");
        for bad in "null https://localhost:3000 http://localhost:3001 http://localhost:5173 \
                    http://127.0.0.1:3000 http://localhost http://evil.example \
                    http://localhost:3000.evil http://localhost:3000/ file:// localhost:3000"
            .split_ascii_whitespace()
        {
            assert_eq!(post(&format!("Host: localhost:3000|Origin: {bad}")), 403, "{bad}");
        }
        assert_eq!(post("Host: localhost:3000"), 403, "says nothing");
        assert_eq!(post("Host: localhost:3000|Referer: http://evil/http://localhost:3000"), 403);
        let two =
            "Host: localhost:3000|Origin: http://localhost:3000|Origin: http://localhost:3000";
        assert_eq!(post(two), 403);
        let get = "Host: localhost:3000|Origin: http://evil.example";
        assert_eq!(check(Door::Web, Kind::Api, "GET", get), 403, "a read says it too");
    }

    #[test]
    fn the_browsers_own_word_counts() {
        let own = "Host: localhost:3000|Origin: http://localhost:3000|Sec-Fetch-Site:";
        assert_eq!(post(&format!("{own} same-origin")), 200);
        for other in ["same-site", "cross-site", "none", "x", ""] {
            assert_eq!(post(&format!("{own} {other}")), 403, "{other}");
        }
        let visit = "Host: localhost:3000|Sec-Fetch-Mode: navigate|Sec-Fetch-Dest: document";
        let visit = format!("{visit}|Sec-Fetch-Site: cross-site|Referer: https://evil.example/");
        assert_eq!(check(Door::Web, Kind::Page, "GET", &visit), 200, "a link to the dashboard");
        assert_eq!(check(Door::Web, Kind::Api, "GET", &visit), 403);
        let image = "Host: localhost:3000|Sec-Fetch-Mode: no-cors|Sec-Fetch-Site: cross-site";
        assert_eq!(check(Door::Web, Kind::Page, "GET", image), 403);
    }

    #[test]
    fn w13_the_other_port_takes_a_socket_of_our_page_alone() {
        let open = |door, fields: &str| check(door, Kind::Socket, "GET", fields);
        let page = "Host: localhost:9999|Origin: http://localhost:3000|Sec-Fetch-Site: same-site";
        assert_eq!(open(Door::Socket, page), 200);
        let named = "Host: localhost:9999|Origin: https://pipe.example|Sec-Fetch-Site: same-site";
        assert_eq!(open(Door::Socket, named), 403, "only the page of the HTTP door");
        assert_eq!(open(Door::Socket, "Host: localhost:9999|Origin: http://localhost:5173"), 403);
        assert_eq!(open(Door::Socket, "Host: localhost:9999"), 403);
        let same = "Host: localhost:3000|Origin: http://localhost:3000|Sec-Fetch-Site: same-site";
        assert_eq!(open(Door::Web, same), 403);
    }
}
