//! Where a web request came from: the address of the connection, or what a trusted proxy in front
//! says of its own client.
//!
//! 1. Forwarded headers MUST count only where the connection comes from a trusted proxy, and of a
//!    chain only the part that trusted proxies wrote: the right-most hop that is none of them.

use crate::config::web::Web;
use crate::http::message::Request;
use crate::limits;
use crate::model::login::Visitor;
use std::net::IpAddr;

/// What is known of who sent `request`.
pub fn of(web: &Web, request: &Request) -> Visitor {
    let trusted = |ip: IpAddr| web.proxies.iter().any(|net| net.holds(ip));
    let direct = request.peer.address.map(|address| address.ip());
    let behind = direct.filter(|ip| trusted(*ip)).map(|_| client(request, &trusted));
    let address = behind.flatten().or(direct);
    let proto = if behind.is_some() { last(request, "x-forwarded-proto") } else { None };
    Visitor {
        address: address.map(|ip| ip.to_string()).unwrap_or_default(),
        agent: agent(request),
        https: web.force_secure || proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
        device: None,
    }
}

/// The right-most hop that is no trusted proxy. One that is no address ends the search: what stands
/// left of it was written by nobody we trust.
fn client(request: &Request, trusted: &dyn Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let fields = request.headers.iter().filter(|(name, _)| name == "x-forwarded-for");
    let hops: Vec<&str> = fields.flat_map(|(_, value)| value.split(',')).map(str::trim).collect();
    let mut found = None;
    for hop in hops.iter().rev() {
        let Ok(ip) = hop.parse::<IpAddr>() else { break };
        let ip = ip.to_canonical();
        found = Some(ip);
        // A client on the proxy's own host is a client: what it says of others counts for nothing.
        if !trusted(ip) || ip.is_loopback() {
            break;
        }
    }
    found
}

/// The last value of a list, which the proxy next to us wrote.
fn last<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut fields = request.headers.iter().filter(|(known, _)| known == name);
    fields.next_back().and_then(|(_, value)| value.split(',').next_back()).map(str::trim)
}

/// Its User-Agent, fit for logs and lists.
fn agent(request: &Request) -> String {
    let said = request.header("user-agent").unwrap_or_default();
    said.chars().filter(|c| matches!(c, ' '..='~')).take(limits::AGENT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use crate::config::web::Net;
    use crate::http::conn::Conn;
    use crate::http::message::Door;
    use crate::http::message::Peer;
    use std::sync::Arc;

    fn visitor(peer: &str, proxies: &[&str], fields: &str) -> Visitor {
        let mut conn = Conn::new(Door::Web, time::now());
        let fields: String = fields.split('|').map(|line| format!("{}\r\n", line.trim())).collect();
        let text = format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let text = text.replace("\r\n\r\n\r\n", "\r\n\r\n");
        let whole = conn.feed(text.as_bytes(), time::now()).unwrap();
        let address = Some(format!("{peer}:5").parse().unwrap());
        let peer = Arc::new(Peer { address, ..Peer::default() });
        let web = Web {
            port: 3000,
            ws_port: 9999,
            bind: None,
            origins: Vec::new(),
            proxies: proxies.iter().map(|net| Net::parse(net).unwrap()).collect(),
            force_secure: false,
        };
        of(&web, &Request::new(Door::Web, peer, whole))
    }

    #[test]
    fn w8_a_client_cannot_choose_its_address() {
        let address =
            |proxies: &[&str], fields: &str| visitor("127.0.0.1", proxies, fields).address;
        let spoofed = "X-Forwarded-For: 6.6.6.6, 198.51.100.7";
        assert_eq!(address(&[], spoofed), "127.0.0.1", "nobody is trusted");
        assert_eq!(address(&["10.0.0.0/8"], spoofed), "127.0.0.1", "not this peer");
        assert_eq!(address(&["127.0.0.0/8"], spoofed), "198.51.100.7", "the right-most");
        let chain = "X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.0.0.9";
        assert_eq!(address(&["127.0.0.0/8", "10.0.0.0/8"], chain), "198.51.100.7");
        let two = "X-Forwarded-For: 6.6.6.6|X-Forwarded-For: 198.51.100.7";
        assert_eq!(address(&["127.0.0.0/8"], two), "198.51.100.7");
        let local = "X-Forwarded-For: 6.6.6.6, 127.0.0.1";
        assert_eq!(address(&["127.0.0.0/8"], local), "127.0.0.1", "a client beside the proxy");
        let junk = "X-Forwarded-For: 6.6.6.6, junk, 127.0.0.2";
        assert_eq!(address(&["127.0.0.0/8"], junk), "127.0.0.2");
        assert_eq!(address(&["127.0.0.0/8"], "X-Forwarded-For: junk"), "127.0.0.1");
    }

    #[test]
    fn https_is_the_word_of_a_trusted_proxy() {
        let https = |proxies: &[&str], fields: &str| visitor("127.0.0.1", proxies, fields).https;
        assert!(https(&["127.0.0.1"], "X-Forwarded-Proto: https"));
        assert!(!https(&[], "X-Forwarded-Proto: https"));
        assert!(!https(&["127.0.0.1"], "X-Forwarded-Proto: https, http"));
        assert!(!https(&["127.0.0.1"], "X-A: b"));
    }

    #[test]
    fn an_agents_name_is_cut_and_cleaned() {
        let long = format!("User-Agent: a\u{1b}[31m{}", "x".repeat(5000));
        let refused = std::panic::catch_unwind(|| visitor("127.0.0.1", &[], &long));
        assert!(refused.is_err(), "a control character never gets this far");
        let long = format!("User-Agent: \u{e9}{}", "x".repeat(5000));
        assert_eq!(visitor("127.0.0.1", &[], &long).agent.len(), limits::AGENT_CHARS);
    }
}
