//! Replies as they go over the wire.

use super::*;

fn text(reply: &Reply, keep: bool, head_only: bool) -> String {
    String::from_utf8(reply.render(keep, head_only)).unwrap()
}

#[test]
fn a_reply_has_its_length_and_says_when_the_connection_ends() {
    let reply = Reply::json(201, &json!({"a": 1})).header("X-CodePiper-End", "7");
    let kept = text(&reply, true, false);
    assert!(kept.starts_with("HTTP/1.1 201 Created\r\n"), "{kept}");
    assert!(kept.contains("\r\nContent-Length: 7\r\n") && kept.ends_with("\r\n\r\n{\"a\":1}"));
    assert!(kept.contains("\r\nX-CodePiper-End: 7\r\n") && !kept.contains("Connection"));
    assert!(kept.contains("\r\nServer: codepiper\r\n") && !kept.contains("tiny"));
    assert!(text(&reply, false, false).contains("\r\nConnection: close\r\n\r\n{"));
    let bare = text(&reply, true, true);
    assert!(bare.contains("\r\nContent-Length: 7\r\n") && bare.ends_with("\r\n\r\n"));
    let large = Reply::bytes(200, "text/plain", vec![b'x'; 100_000]);
    assert!(text(&large, true, false).contains("\r\nContent-Length: 100000\r\n"));
}

#[test]
fn a_header_value_cannot_split_a_reply() {
    for bad in ["a\r\nSet-Cookie: evil", "a\nb", "a\0", "caf\u{e9}", "\u{7f}"] {
        let out = text(&Reply::json(200, &json!({})).header("X-Echo", bad), true, false);
        assert!(out.starts_with("HTTP/1.1 500 ") && !out.contains("X-Echo"), "{out}");
    }
    let out = text(&Reply::json(200, &json!({})).header("X: y\r\nZ", "a"), true, false);
    assert!(out.starts_with("HTTP/1.1 500 "), "{out}");
}

#[test]
fn internal_errors_keep_their_text_to_themselves() {
    let out = text(&Reply::error(&Error::internal("secret of /etc")), true, false);
    assert!(out.starts_with("HTTP/1.1 500 ") && !out.contains("secret"), "{out}");
    assert!(out.ends_with(r#"{"code":"internal","error":"internal error"}"#), "{out}");
    let out = text(&Reply::error(&Error::not_found("no session x")), true, false);
    assert!(out.starts_with("HTTP/1.1 404 ") && out.contains("no session x"), "{out}");
    let out = text(&Reply::error(&Error::new(Code::Wait(7), "too many")), true, false);
    assert!(out.starts_with("HTTP/1.1 429 ") && out.contains("\r\nRetry-After: 7\r\n"), "{out}");
}
