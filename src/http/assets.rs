//! The dashboard's files, compiled in, and what a browser may do with each page. It knows neither
//! the API nor who asks.
//!
//! 1. Only what is in the table MUST be served; no path reaches the file system.
//! 2. A page MUST NOT run, load or send to anything that is not of its own origin, and MUST NOT
//!    make markup of text.
//! 3. A password MUST be typed only into a page without any exception from that.

use crate::base::error::Error;
use crate::http::message::Door;
use crate::http::message::Reply;
use crate::http::message::Request;
use tiny_http::Method;

/// A file as build.rs packed it.
struct Asset {
    path: &'static str,
    kind: &'static str,
    /// Quoted, as ETag and If-None-Match have it.
    tag: &'static str,
    gzip: &'static [u8],
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page that hosts xterm.js.
const TERMINAL_PAGE: &str = "/";
/// The service worker's file, to which its own policy applies.
const WORKER: &str = "/sw.js";

/// What a browser may do with a file of ours. `data:` is for the QR code alone, and the one policy
/// of trusted types for the address of the service worker.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
connect-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; base-uri 'none'; \
form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
trusted-types worker";

/// The file that a request names; `None` where there is none, and at every door but the browser's.
/// Browsers ask each time whether they have the newest, so that page and daemon are of one build.
pub fn serve(request: &Request) -> Option<Reply> {
    let here = |asset: &&Asset| request.door == Door::Web && asset.path == request.path;
    let asset = ASSETS.iter().find(here)?;
    if !matches!(request.method, Method::Get | Method::Head) {
        let mut reply = Reply::error(&Error::invalid(format!("{} can only be read", asset.path)));
        reply.status = 405;
        return Some(reply.header("Allow", "GET, HEAD"));
    }
    // Nobody who wants a page lacks gzip, and a second copy of each file would serve nobody else.
    if !takes_gzip(request.header("accept-encoding")) {
        let mut reply = Reply::error(&Error::invalid("the dashboard's files come as gzip only"));
        reply.status = 406;
        return Some(reply);
    }
    let reply = match request.header("if-none-match").is_some_and(|tags| names(tags, asset.tag)) {
        true => Reply::bytes(304, asset.kind, Vec::new()),
        false => {
            Reply::bytes(200, asset.kind, asset.gzip.to_vec()).header("Content-Encoding", "gzip")
        }
    };
    let reply = reply
        .header("Cache-Control", "no-cache")
        .header("Vary", "Accept-Encoding")
        .header("ETag", asset.tag);
    // Whatever is no page and no worker keeps what every reply has, which allows nothing: it counts
    // only where somebody opens the file by itself.
    match asset.kind.starts_with("text/html") || asset.path == WORKER {
        true => Some(reply.header("Content-Security-Policy", policy(asset.path))),
        false => Some(reply),
    }
}

/// xterm.js 6 writes `<style>` elements and style attributes, so its page has to allow them; style
/// alone can neither run nor, with the rest of the policy, load or send anything.
fn policy(path: &str) -> String {
    match path {
        TERMINAL_PAGE => POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
        _ => POLICY.to_string(),
    }
}

/// Without the header any coding may be sent.
fn takes_gzip(header: Option<&str>) -> bool {
    let Some(header) = header else { return true };
    header.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        matches!(name.trim(), "gzip" | "x-gzip" | "*") && !refused
    })
}

fn names(header: &str, tag: &str) -> bool {
    let mut tags = header.split(',').map(str::trim);
    // A proxy that packs anew makes a tag weak; the file is the same.
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::conn::Conn;
    use crate::http::message::Peer;
    use std::sync::Arc;

    fn ask(head: &str) -> Option<String> {
        let now = crate::base::time::now();
        let text = format!("{head}\r\nHost: x\r\n\r\n");
        let whole = Conn::new(Door::Web, now).feed(text.as_bytes(), now).unwrap();
        let reply = serve(&Request::new(Door::Web, Arc::new(Peer::default()), whole))?;
        Some(String::from_utf8_lossy(&reply.render(true, false)).into_owned())
    }

    fn tag(reply: &str) -> &str {
        reply.split("\r\nETag: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap()
    }

    #[test]
    fn a_page_comes_packed_and_is_asked_for_anew_each_time() {
        let page = ask("GET / HTTP/1.1\r\nAccept-Encoding: gzip, br").unwrap();
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        for header in [
            "Content-Type: text/html; charset=utf-8",
            "Content-Encoding: gzip",
            "Cache-Control: no-cache",
            "Vary: Accept-Encoding",
        ] {
            assert!(page.contains(&format!("\r\n{header}\r\n")), "{header}: {page}");
        }
        let again = ask(&format!("GET / HTTP/1.1\r\nIf-None-Match: \"x\", W/{}", tag(&page)));
        let again = again.unwrap();
        assert!(again.starts_with("HTTP/1.1 304 ") && again.ends_with("\r\n\r\n"), "{again}");
        for (path, kind) in
            [("/js/main.js", "text/java"), ("/manifest.webmanifest", "application/m")]
        {
            let reply = ask(&format!("GET {path} HTTP/1.1")).unwrap();
            assert!(reply.contains(&format!("\r\nContent-Type: {kind}")), "{path}: {reply}");
        }
    }

    #[test]
    fn files_differ_in_their_tags() {
        let mut tags: Vec<&str> = ASSETS.iter().map(|asset| asset.tag).collect();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), ASSETS.len());
        assert!(ASSETS.iter().all(|asset| asset.gzip.starts_with(&[0x1f, 0x8b])));
    }

    #[test]
    fn nothing_but_the_table_is_served() {
        for path in ["/index.html", "/package.json", "/js", "/JS/main.js", "/Cargo.toml"] {
            assert_eq!(ask(&format!("GET {path} HTTP/1.1")), None, "{path}");
        }
        assert!(ask("POST / HTTP/1.1").unwrap().contains("\r\nAllow: GET, HEAD\r\n"));
    }

    #[test]
    fn whoever_cannot_unpack_is_told_so() {
        for (codings, status) in [("identity", 406), ("gzip;q=0", 406), ("br, gzip;q=0.5", 200)] {
            let reply = ask(&format!("GET / HTTP/1.1\r\nAccept-Encoding: {codings}")).unwrap();
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{codings}: {reply}");
        }
    }

    #[test]
    fn a_file_that_is_no_page_allows_nothing_by_itself() {
        for (path, allows) in [
            ("/", true),
            ("/login", true),
            ("/sw.js", true),
            ("/js/main.js", false),
            ("/icon.svg", false),
            ("/css/login.css", false),
        ] {
            let reply = ask(&format!("GET {path} HTTP/1.1")).unwrap();
            let line = reply.lines().find(|line| line.starts_with("Content-Security-Policy: "));
            let line = line.unwrap();
            assert!(line.contains("default-src 'none'"), "{path}: {line}");
            assert_eq!(line.contains("'self'"), allows, "{path}: {line}");
        }
    }

    #[test]
    fn only_the_page_of_the_terminal_may_write_styles() {
        let styled: Vec<&str> = ASSETS
            .iter()
            .map(|asset| asset.path)
            .filter(|path| ask(&format!("GET {path} HTTP/1.1")).unwrap().contains("unsafe"))
            .collect();
        assert_eq!(styled, ["/"]);
        assert!(policy(TERMINAL_PAGE).contains("style-src 'self' 'unsafe-inline'; connect-src"));
    }
}
