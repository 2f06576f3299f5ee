//! The table of routes: rows of method, path and doors, matched against decoded segments.
//!
//! 1. A route that is not behind a door MUST look there as if it did not exist.

use crate::base::error::{Error, Result};
use crate::http::answer::Answer;
use crate::http::message::Door;
use crate::http::message::Reply;
use crate::http::message::Request;
use std::collections::BTreeSet;
use tiny_http::Method;

/// One row. Requests and replies are described at the handler.
pub struct Route<C: 'static> {
    /// GET rows serve HEAD too.
    pub method: Method,
    /// `/sessions/:id/send`: a segment that begins with `:` takes any one segment.
    pub path: &'static str,
    /// Where it can be reached.
    pub doors: &'static [Door],
    /// What a caller at a web door has to show.
    pub access: Access,
    /// One line for `help api`.
    pub about: &'static str,
    /// What it does.
    pub run: Run<C>,
}

/// What the guard asks for at a web door, before the row is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: the few routes that a person needs to log in.
    Open,
    /// The cookie of an onboarding, or a login; the handler tells them apart.
    Onboarding,
    /// The cookie and the proof of one login.
    Login,
}

/// How a row is served.
pub enum Run<C> {
    /// It has its reply when it returns.
    Now(fn(&C, &Request, &Params) -> Result<Reply>),
    /// It takes the right to answer with it: to wait, or for an upgrade.
    Later(fn(&C, Request, &Params, Answer)),
}

/// The segments that a row's `:names` took, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The segment of `:name`; empty when the row has no such name, which no session is called.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// Finds the row for a request. Otherwise the reply that says what is wrong: 404, or 405 with the
/// methods that there are.
pub fn find<'r, C>(
    rows: &'r [Route<C>],
    request: &Request,
) -> std::result::Result<(&'r Route<C>, Params), Reply> {
    let here = rows.iter().filter(|row| row.doors.contains(&request.door));
    let mut matching = here.filter_map(|row| Some((row, matches(row.path, &request.segments)?)));
    let wanted = match request.method {
        Method::Head => &Method::Get,
        ref method => method,
    };
    let mut allowed = BTreeSet::new();
    let found = matching.find(|(row, _)| {
        allowed.insert(row.method.as_str().to_string());
        row.method == *wanted
    });
    if let Some(found) = found {
        return Ok(found);
    }
    if allowed.is_empty() {
        return Err(Reply::error(&Error::not_found(format!("Not found: {}", request.path))));
    }
    if allowed.contains("GET") {
        allowed.insert("HEAD".to_string());
    }
    let allowed = allowed.into_iter().collect::<Vec<_>>().join(", ");
    let text = format!("{} does not take {}; it takes {allowed}", request.path, request.method);
    let mut reply = Reply::error(&Error::invalid(text));
    reply.status = 405;
    Err(reply.header("Allow", allowed))
}

/// Serves one request from a table.
pub fn serve<C>(rows: &[Route<C>], context: &C, request: Request, answer: Answer) {
    match find(rows, &request) {
        Err(reply) => answer.send(reply),
        Ok((row, params)) => match row.run {
            Run::Now(run) => {
                let reply = run(context, &request, &params);
                answer.send(reply.unwrap_or_else(|error| Reply::error(&error)));
            }
            Run::Later(run) => run(context, request, &params, answer),
        },
    }
}

fn matches(pattern: &'static str, segments: &[String]) -> Option<Params> {
    let mut params = Vec::new();
    let mut rest = segments.iter();
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let segment = rest.next()?;
        match part.strip_prefix(':') {
            Some(name) => params.push((name, segment.clone())),
            None if part == segment => {}
            None => return None,
        }
    }
    rest.next().is_none().then_some(Params(params))
}

/// The table as text, for `help api`.
pub fn table<C>(rows: &[Route<C>]) -> String {
    let width = |of: fn(&Route<C>) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let method = width(|row| row.method.as_str().len());
    let path = width(|row| row.path.len());
    let mut text = String::new();
    for row in rows {
        let doors: Vec<&str> = row.doors.iter().map(|door| door.word()).collect();
        let (name, doors) = (row.method.as_str(), doors.join(","));
        text.push_str(&format!("{name:method$}  {:path$}  {doors:12}  {}\n", row.path, row.about));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::conn::Conn;
    use crate::http::message::Peer;
    use serde_json::json;
    use std::sync::Arc;

    fn name(_: &(), request: &Request, params: &Params) -> Result<Reply> {
        Ok(Reply::json(200, &json!({"id": params.get("id"), "path": request.path})))
    }

    const BOTH: &[Door] = &[Door::Control, Door::Hook];

    const fn row(method: Method, path: &'static str, doors: &'static [Door]) -> Route<()> {
        Route { method, path, doors, access: Access::Login, about: "about it", run: Run::Now(name) }
    }

    static ROWS: &[Route<()>] = &[
        row(Method::Get, "/", BOTH),
        row(Method::Get, "/sessions/:id", &[Door::Control]),
        row(Method::Delete, "/sessions/:id", &[Door::Control]),
        row(Method::Post, "/hooks/claude", &[Door::Hook]),
    ];

    fn request(door: Door, line: &str) -> Request {
        let mut conn = Conn::new(door, crate::base::time::now());
        let text = format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
        let whole = conn.feed(text.as_bytes(), crate::base::time::now()).unwrap();
        let peer = Arc::new(Peer { pid: 1, ..Peer::default() });
        Request::new(door, peer, whole)
    }

    fn check(line: &str, door: Door, want: &str) {
        let got = match find(ROWS, &request(door, line)) {
            Ok((row, params)) => format!("{} {} {}", row.method, row.path, params.get("id")),
            Err(reply) => String::from_utf8(reply.render(true, false)).unwrap(),
        };
        assert!(got.contains(want), "{line}: {got}");
    }

    #[test]
    fn rows_match_whole_decoded_segments() {
        check("GET /", Door::Control, "GET / ");
        check("GET /sessions/a%20b?x=1", Door::Control, "GET /sessions/:id a b");
        check("HEAD /sessions/x", Door::Control, "GET /sessions/:id x");
        check("DELETE /sessions/x", Door::Control, "DELETE /sessions/:id x");
        check("GET /sessions", Door::Control, "HTTP/1.1 404 ");
        check("GET /sessions/x/y", Door::Control, "Not found: /sessions/x/y");
        check("GET /Sessions/x", Door::Control, "HTTP/1.1 404 ");
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        check("PUT /sessions/x", Door::Control, "\r\nAllow: DELETE, GET, HEAD\r\n");
        check("BREW /sessions/x", Door::Control, "HTTP/1.1 405 ");
        check("GET /hooks/claude", Door::Hook, "\r\nAllow: POST\r\n");
    }

    #[test]
    fn a_route_of_another_door_does_not_exist() {
        check("GET /sessions/x", Door::Hook, "HTTP/1.1 404 ");
        check("PUT /sessions/x", Door::Hook, "HTTP/1.1 404 ");
        check("POST /hooks/claude", Door::Control, "HTTP/1.1 404 ");
    }

    #[test]
    fn the_table_names_every_row() {
        let text = table(ROWS);
        assert_eq!(text.lines().count(), ROWS.len());
        assert!(text.contains("POST    /hooks/claude  hook          about it\n"), "{text}");
    }
}
