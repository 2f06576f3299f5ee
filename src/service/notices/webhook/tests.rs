//! The configuration that `curl` is given: nothing in it means more than it should, read by its own
//! rules and by `curl` itself.

use super::*;
use crate::base::seeded;
use crate::base::seeded::Random;
use std::time::Duration;

/// Reads a configuration as the manual of `curl` says: options with their values.
fn read(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(" = ") else {
            found.push((line.to_string(), String::new()));
            continue;
        };
        let inner = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        let mut chars = inner.chars();
        let mut plain = String::new();
        while let Some(c) = chars.next() {
            assert_ne!(c, '"', "ends too early: {line}");
            plain.push(match c {
                '\\' => match chars.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'v' => '\u{b}',
                    other => other,
                },
                c => c,
            });
        }
        found.push((name.to_string(), plain));
    }
    found
}

fn made(url: &str, body: &str, token: Option<&str>) -> Vec<(String, String)> {
    let (url, token) = (Url::parse(url).ok().unwrap(), token.map(Secret::new));
    let call = Call { url: &url, body, token: token.as_ref(), allow_private: false };
    read(&config(&call, &["1.1.1.1".parse().unwrap(), "2606:4700::1".parse().unwrap()]))
}

#[test]
fn a_request_is_pinned_follows_nothing_and_uses_no_proxy() {
    let options = made("https://Ntfy.sh/topic", "{}", Some("tk_1"));
    let all = |name: &str| {
        let found = options.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(all("url"), ["https://ntfy.sh/topic"]);
    assert_eq!(all("resolve"), ["ntfy.sh:443:1.1.1.1,[2606:4700::1]"]);
    assert_eq!((all("proto"), all("noproxy")), (vec!["=https"], vec!["*"]));
    assert!(all("header").contains(&"Authorization: Bearer tk_1"));
    assert!(all("location").is_empty() && all("insecure").is_empty());
    let named = made("https://1.1.1.1:8443/x", "{}", None);
    assert!(!named.iter().any(|(name, _)| name == "resolve"), "it is its own address");
}

#[test]
fn no_text_ends_its_line_or_becomes_an_option() {
    let mut random = Random::new(11);
    let signs =
        ['"', '\\', '\n', '\r', '\t', '\u{b}', ' ', '=', '#', '@', '-', 'n', 'ü', '\u{2028}'];
    let count = made("https://ntfy.sh/topic", "{}", Some("t")).len();
    for _ in 0..seeded::rounds(20_000) {
        let text: String =
            (0..random.below(40)).map(|_| signs[random.below(signs.len())]).collect();
        let options = made("https://ntfy.sh/topic", &text, Some(&text));
        assert_eq!(options.len(), count, "{text:?}");
        let body = options.iter().find(|(name, _)| name == "data-raw").unwrap();
        assert_eq!(body.1, text);
    }
}

#[test]
fn curl_itself_sends_the_body_as_it_was() {
    use std::io::Read;
    use std::io::Write;
    let path = "/usr/local/bin:/usr/bin:/bin";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = "{\"a\":\"\\\" \\\\ @x\",\n\r\t\"b\":\"ü\"}\n url = \"http://127.0.0.1/\"\n\\";
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.windows(body.len()).any(|part| part == body.as_bytes()) {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8(seen).unwrap()
    });
    let mut env = Vars::default();
    env.put("PATH", path);
    env.put("http_proxy", "http://127.0.0.1:1");
    let url = Url::parse(&format!("http://127.0.0.1:{port}/t?x=[1]")).map_err(|_| ());
    assert!(url.is_err(), "brackets belong escaped");
    let url = Url::parse(&format!("http://127.0.0.1:{port}/t?x=%5B1%5D")).ok().unwrap();
    let token = Secret::new("tk\"n");
    let asked = Call { url: &url, body, token: Some(&token), allow_private: true };
    let sent = call(&asked, &env);
    assert_eq!(sent, Sent::Done("HTTP 200".into()));
    let seen = server.join().unwrap();
    assert!(seen.starts_with("POST /t?x=%5B1%5D HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nAuthorization: Bearer tk\"n\r\n"), "{seen}");
    assert!(seen.ends_with(body), "{seen}");
    let refused = Call { allow_private: false, ..asked };
    let Sent::Failed(why) = call(&refused, &env) else { panic!("it was called") };
    assert!(why.contains("127.0.0.1") && why.contains("--allow-private"), "{why}");
}

#[test]
fn what_the_system_says_of_a_host_is_read_and_a_name_of_this_host_is_refused() {
    let printed = "1.1.1.1  STREAM one.one.one.one\n1.1.1.1  DGRAM\n2606:4700::1 STREAM\nx y\n";
    let wanted: Vec<IpAddr> = ["1.1.1.1", "2606:4700::1"].map(|a| a.parse().unwrap()).to_vec();
    assert_eq!(addresses(printed), wanted);
    let mut env = Vars::default();
    env.put("PATH", "/usr/bin:/bin");
    let url = Url::parse("https://localhost/x").ok().unwrap();
    let call = Call { url: &url, body: "{}", token: None, allow_private: false };
    let Sent::Failed(why) = super::call(&call, &env) else { panic!("it was called") };
    assert!(why.starts_with("localhost is "), "{why}");
}
