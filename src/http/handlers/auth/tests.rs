//! The routes of logging in, from request to reply.

use super::*;
use crate::http::answer::Outbox;
use crate::http::answer::Outcome;
use crate::http::router;
use crate::http::routes::ROUTES;
use crate::service::login::stand::App;
use crate::service::login::stand::PASSWORD;
use crate::service::login::stand::Stand;
use crate::sys::poll::Waker;
use std::sync::Arc;
use tiny_http::Method;

/// A browser: it keeps cookies as they are set, and the page keeps the newest proof.
#[derive(Clone, Default)]
struct Browser {
    cookies: Vec<(String, String)>,
    proof: String,
}

/// What came back.
struct Got {
    status: u16,
    head: String,
    body: Value,
}

impl Browser {
    fn post(&mut self, stand: &Stand, path: &str, body: &Value) -> Got {
        self.ask(stand, Method::Post, path, body)
    }

    fn ask(&mut self, stand: &Stand, method: Method, path: &str, body: &Value) -> Got {
        let mut request = Request::sample(Door::Web, method, path, &body.to_string());
        let pairs: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        request.headers.push(("cookie".into(), pairs.join("; ")));
        if !self.proof.is_empty() {
            request.headers.push((cookie::PROOF.into(), self.proof.clone()));
        }
        let got = serve(stand, request);
        for line in got.head.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ")) {
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_string(), value.to_string()));
            }
        }
        if let Some(proof) = got.body["proof"].as_str() {
            self.proof = proof.to_string();
        }
        got
    }

    fn logged_in(&self, stand: &Stand) -> bool {
        let mut me = self.clone();
        me.ask(stand, Method::Get, "/auth/status", &json!({})).body["authenticated"] == true
    }
}

/// One request through the table, without a guard before it.
fn serve(stand: &Stand, request: Request) -> Got {
    let (outbox, outcomes) = Outbox::new(Arc::new(Waker::new().unwrap()));
    let answer = Answer::new(outbox, 1, true, false);
    router::serve(ROUTES, &stand.service, request, answer);
    let Ok((_, Outcome::Reply { bytes, .. })) = outcomes.recv() else { panic!("no reply") };
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Got { status, head: head.to_string(), body: serde_json::from_str(body).unwrap() }
}

#[test]
fn from_the_bootstrap_password_to_a_login_and_out() {
    let stand = Stand::new("http-flow");
    let mut me = Browser::default();
    let status = me.ask(&stand, Method::Get, "/auth/status", &json!({})).body;
    assert_eq!(status["setupRequired"], true);
    let (words, _) = stand.service.bootstrap_if_needed().unwrap().unwrap();
    let body = json!({"bootstrapPassword": words.expose(), "password": PASSWORD});
    let got = me.post(&stand, "/auth/setup", &body);
    assert_eq!((got.status, &got.body["mfaSetupRequired"]), (200, &json!(true)), "{}", got.body);
    let status = me.ask(&stand, Method::Get, "/auth/status", &json!({})).body;
    assert_eq!(
        (&status["onboardingPending"], &status["authenticated"]),
        (&json!(true), &json!(false))
    );
    let offer = me.post(&stand, "/auth/mfa/setup", &json!({})).body;
    assert!(offer["qrSvg"].as_str().unwrap().starts_with("<svg "));
    assert!(offer["otpauthUri"].as_str().unwrap().contains(offer["secret"].as_str().unwrap()));
    let mut app = App::with(offer["secret"].as_str().unwrap());
    let wrong =
        me.post(&stand, "/auth/mfa/verify", &json!({"totpCode": app.wrong_code().expose()}));
    assert_eq!(wrong.status, 401);
    let got = me.post(&stand, "/auth/mfa/verify", &json!({"totpCode": app.new_code().expose()}));
    assert_eq!(got.body["recoveryCodes"].as_array().unwrap().len(), 10, "{}", got.body);
    let (name, token) = &me.cookies[0];
    assert_eq!(
        (me.cookies.len(), name.as_str()),
        (1, "codepiper_session"),
        "no onboarding is left"
    );
    assert!(!got.body.to_string().contains(token.as_str()), "the token is in the cookie alone");
    assert!(me.logged_in(&stand));
    let code = app.new_code();
    let body = json!({"password": PASSWORD, "totpCode": code.expose()});
    let mut other = Browser::default();
    assert_eq!(other.post(&stand, "/auth/login", &body).status, 200);
    assert!(other.logged_in(&stand) && other.proof != me.proof);
    assert_eq!(Browser::default().post(&stand, "/auth/login", &body).status, 401, "a code is used");
    let all = other.ask(&stand, Method::Get, "/auth/sessions", &json!({})).body;
    assert_eq!(all["sessions"].as_array().unwrap().len(), 2);
    assert!(!all.to_string().contains(token.as_str()));
    assert_eq!(other.post(&stand, "/auth/logout", &json!({})).status, 200);
    assert!(other.cookies.is_empty() && !other.logged_in(&stand) && me.logged_in(&stand));
}

#[test]
fn a_browser_whose_cookie_came_twice_is_told_and_freed_of_the_other() {
    let (stand, mut app, _) = Stand::ready("http-doubled");
    let mut me = Browser::default();
    let body = json!({"password": PASSWORD, "totpCode": app.new_code().expose()});
    assert_eq!(me.post(&stand, "/auth/login", &body).status, 200);
    let mut request = Request::sample(Door::Web, Method::Get, "/auth/status", "");
    let ours = format!("codepiper_session={}", me.cookies[0].1);
    request.headers.push(("cookie".into(), format!("codepiper_session=evil; {ours}")));
    request.headers.push((cookie::PROOF.into(), me.proof.clone()));
    let got = serve(&stand, request);
    assert_eq!(
        (&got.body["authenticated"], &got.body["cookieDoubled"]),
        (&json!(false), &json!(true))
    );
    for path in ["/auth", "/auth/", "/auth/status"] {
        let line = format!("Set-Cookie: codepiper_session=; Path={path}; Max-Age=0;");
        assert!(got.head.contains(&line), "{path}: {}", got.head);
    }
    assert!(!got.head.contains("Path=/;"), "ours stays: {}", got.head);
    let status = me.ask(&stand, Method::Get, "/auth/status", &json!({}));
    assert_eq!(status.body.get("cookieDoubled"), None);
    assert!(!status.head.contains("Set-Cookie"));
}

#[test]
fn w13_a_cookie_without_its_own_proof_is_nobody() {
    let (stand, mut app, _) = Stand::ready("http-proof");
    let mut me = Browser::default();
    let body = json!({"password": PASSWORD, "totpCode": app.new_code().expose()});
    assert_eq!(me.post(&stand, "/auth/login", &body).status, 200);
    for proof in [String::new(), "0".repeat(64), me.cookies[0].1.clone(), me.proof.to_uppercase()] {
        let mut thief = Browser { proof, ..me.clone() };
        assert!(!thief.logged_in(&stand));
        assert_eq!(thief.post(&stand, "/auth/logout", &json!({})).status, 401);
        let body = json!({"currentPassword": PASSWORD, "newPassword": "battery staple"});
        assert_eq!(thief.post(&stand, "/auth/password", &body).status, 401);
    }
    assert!(me.logged_in(&stand));
    stand.service.reset_mfa("test").unwrap();
    let got = me.post(&stand, "/auth/login", &json!({"password": PASSWORD}));
    assert_eq!(got.body["mfaSetupRequired"], true);
    assert_eq!(got.status, 401, "a password alone is no login");
    let with = |proof: &str| Browser { proof: proof.to_string(), ..me.clone() };
    assert_eq!(with("").post(&stand, "/auth/mfa/setup", &json!({})).status, 200, "as documented");
    assert_eq!(with(&"0".repeat(64)).post(&stand, "/auth/mfa/setup", &json!({})).status, 401);
    assert_eq!(with(&me.proof).post(&stand, "/auth/mfa/setup", &json!({})).status, 200);
    assert_eq!(with("").post(&stand, "/auth/mfa/setup", &json!({})).status, 401, "our page's now");
    assert_eq!(with(&me.proof).post(&stand, "/auth/mfa/setup", &json!({})).status, 200);
}

#[test]
fn w3_a_login_changes_a_factor_only_with_password_and_code_and_is_rotated() {
    let (stand, mut app, _) = Stand::ready("http-factor");
    let mut me = Browser::default();
    let body = json!({"password": PASSWORD, "totpCode": app.new_code().expose()});
    me.post(&stand, "/auth/login", &body);
    let mut stolen = me.clone();
    for body in [
        json!({}),
        json!({"password": PASSWORD}),
        json!({"password": PASSWORD, "totpCode": app.last_code().expose()}),
    ] {
        assert!([400, 401].contains(&me.post(&stand, "/auth/mfa/setup", &body).status), "{body}");
    }
    assert_eq!(me.post(&stand, "/auth/mfa/verify", &json!({"totpCode": "000000"})).status, 409);
    let body = json!({"currentPassword": PASSWORD, "newPassword": "battery staple",
        "totpCode": app.new_code().expose()});
    assert_eq!(me.post(&stand, "/auth/password", &body).status, 200);
    assert!(me.logged_in(&stand) && !stolen.logged_in(&stand), "the old session has ended");
    assert_eq!(stolen.post(&stand, "/auth/logout", &json!({})).status, 401);
    for path in ["/auth/cli/reset-mfa", "/auth/cli/reset-password", "/auth/cli/bootstrap"] {
        assert_eq!(me.post(&stand, path, &json!({})).status, 404, "{path} is not there at all");
    }
}

#[test]
fn an_app_is_replaced_and_the_first_one_is_worthless_then() {
    let (stand, _, enrolled) = Stand::ready("http-replace");
    let code = |at: usize| enrolled.recovery_codes[at].expose();
    let mut me = Browser::default();
    let body = json!({"password": PASSWORD, "recoveryCode": code(0)});
    assert_eq!(me.post(&stand, "/auth/login", &body).status, 200);
    let body = json!({"password": PASSWORD, "recoveryCode": code(1)});
    let offer = me.post(&stand, "/auth/mfa/setup", &body).body;
    let mut app = App::with(offer["secret"].as_str().unwrap());
    assert_eq!(
        me.post(&stand, "/auth/mfa/verify", &json!({"totpCode": app.new_code().expose()})).status,
        200
    );
    assert!(me.logged_in(&stand));
    let body = json!({"password": PASSWORD, "recoveryCode": code(2)});
    assert_eq!(Browser::default().post(&stand, "/auth/login", &body).status, 401);
}

#[test]
fn passwords_that_cannot_be_chosen_are_refused_before_anything_is_hashed() {
    let stand = Stand::new("http-choose");
    let mut me = Browser::default();
    let long = "x".repeat(1025);
    for password in ["short", "password1", "codepiper", long.as_str()] {
        let body = json!({"bootstrapPassword": "x", "password": password});
        assert_eq!(me.post(&stand, "/auth/setup", &body).status, 400, "{password}");
    }
    for body in [json!([]), json!({}), json!({"password": 1}), json!({"password": "x", "y": 1})] {
        assert_eq!(me.post(&stand, "/auth/login", &body).status, 400, "{body}");
    }
    assert_eq!(stand.recorded("refused").len(), 0);
}
