//! Channels as people make and change them.

use super::*;
use crate::service::login::stand::Stand;

fn webhook(name: &str, url: &str) -> Wish {
    Wish { name: Some(name.into()), url: Some(Secret::new(url)), ..Wish::default() }
}

fn refused(made: Result<Channel>, part: &str) {
    let error = made.err().unwrap();
    assert!(error.message.contains(part), "{error}");
    assert!(!error.message.contains("hunter22"), "{error}");
}

#[test]
fn a_channel_is_made_changed_and_removed_and_each_is_on_record_without_its_secrets() {
    let stand = Stand::new("channels");
    let service = &stand.service;
    let url = "https://ntfy.sh/hunter22";
    let wish = Wish { token: Some(Secret::new("tk_hunter22")), ..webhook("phone", url) };
    let made = service.create_channel(Kind::Webhook, wish, "test").unwrap();
    assert_eq!((made.target.as_str(), made.has_token), ("https://ntfy.sh", true));
    assert_eq!((made.body, made.enabled, made.version), (Some(Body::Plain), true, 1));
    let off = Wish { enabled: Some(false), ..Wish::default() };
    assert_eq!(service.change_channel("phone", off, "test").unwrap().version, 1);
    let other = Wish { body: Some(Body::Ntfy), token: Some(Secret::new("")), ..Wish::default() };
    let changed = service.change_channel(&made.id[..6], other, "test").unwrap();
    assert_eq!((changed.version, changed.has_token, changed.enabled), (2, false, false));
    let Ok(Way::Webhook { url: kept, token: None }) = sealed::open(&service.logins.keys, &changed)
    else {
        panic!("another way")
    };
    assert_eq!(kept.text(), url);
    service.rotate_key("test").unwrap();
    let kept = service.find_channel("phone").unwrap();
    sealed::open(&service.logins.keys, &kept).map(drop).unwrap();
    service.delete_channel("phone", "test").unwrap();
    assert!(service.channels().unwrap().is_empty());
    let filter = crate::model::audit::Filter { limit: 100, ..Default::default() };
    let rows = format!("{:?}", service.audit(&filter).unwrap());
    for done in ["channel phone made", "channel phone changed", "channel phone removed"] {
        assert!(rows.contains(done), "{rows}");
    }
    assert!(!rows.contains("hunter22"), "{rows}");
}

#[test]
fn a_token_does_not_go_with_its_channel_to_another_place() {
    let stand = Stand::new("channel-token");
    let service = &stand.service;
    let wish =
        Wish { token: Some(Secret::new("tk_hunter22")), ..webhook("phone", "https://ntfy.sh/a") };
    service.create_channel(Kind::Webhook, wish, "test").unwrap();
    let to = |url: &str, token: Option<&str>| {
        let token = token.map(Secret::new);
        let wish = Wish { url: Some(Secret::new(url)), token, ..Wish::default() };
        service.change_channel("phone", wish, "test")
    };
    for url in ["https://evil.example/a", "https://ntfy.sh:8443/a", "https://x.ntfy.sh/a"] {
        refused(to(url, None), "token is for https://ntfy.sh");
    }
    assert!(to("https://ntfy.sh/b", None).unwrap().has_token, "the same place");
    assert!(!to("https://other.example/a", Some("")).unwrap().has_token);
}

#[test]
fn what_could_not_work_or_would_do_more_than_was_said_is_refused() {
    let stand = Stand::new("channels-refused");
    let make = |kind, wish| stand.service.create_channel(kind, wish, "test");
    refused(make(Kind::Webhook, webhook("a", "http://ntfy.sh/hunter22")), "use https");
    refused(make(Kind::Webhook, webhook("", "https://ntfy.sh/hunter22")), "needs a name");
    refused(make(Kind::Webhook, webhook("a", "https://x@y/hunter22")), "user");
    let ntfy = Wish { body: Some(Body::Ntfy), ..webhook("a", "https://ntfy.sh/a/hunter22") };
    refused(make(Kind::Webhook, ntfy), "HOST/TOPIC");
    let token = Some(Secret::new("a\r\nX: hunter22"));
    refused(make(Kind::Webhook, Wish { token, ..webhook("a", "https://x/") }), "one line");
    let late = Wish { after_ms: Some(86_400_001), ..webhook("a", "https://x/") };
    refused(make(Kind::Webhook, late), "1440");
    let both = Wish { program: Some("/bin/sh".into()), ..webhook("a", "https://x/") };
    refused(make(Kind::Webhook, both), "no program");
    let run = |program: &str| {
        let (name, program) = (Some("c".to_string()), Some(program.to_string()));
        make(Kind::Command, Wish { name, program, ..Wish::default() })
    };
    refused(run("sh"), "absolute");
    refused(run("/etc/passwd"), "not a program");
    refused(run("/nonexistent"), "not a program");
    run("/bin/sh").unwrap();
    let url = Wish { url: Some(Secret::new("https://x/hunter22")), ..Wish::default() };
    refused(stand.service.change_channel("c", url, "test"), "no url");
    refused(stand.service.change_channel("none-such", Wish::default(), "test"), "notify list");
    refused(run("/bin/cat"), "another channel is called");
}
