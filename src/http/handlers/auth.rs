//! Logging in, setting that up, web sessions, and what only the person's own programs may reset.
//!
//! 1. A token MUST leave in `Set-Cookie` alone; a proof, a secret and a code only in the body of
//!    the reply that made them.
//! 2. A session's cookie MUST count only together with its proof, and an onboarding's once it has
//!    shown one: a program of an agent that listens on another port of this host is sent the cookie
//!    as well.

use crate::auth::password;
use crate::base::error::{Code, Error, Result};
use crate::base::json::Fields;
use crate::base::secret::Secret;
use crate::base::time;
use crate::http::answer::Answer;
use crate::http::cookie;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::message::Door;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::model::login::Kind;
use crate::model::login::Visitor;
use crate::model::login::WebSession;
use crate::service::login::Enrolled;
use crate::service::login::Entered;
use crate::service::login::Factor;
use crate::service::login::Offer;
use crate::service::login::Opened;
use serde_json::Value;
use serde_json::json;

/// `{setupRequired, authenticated, onboardingPending, cookieDoubled?}`; whoever is logged in, on
/// the way there or local also gets `{mfaEnabled, mfaSetupRequired, recoveryCodesLeft}`.
/// `cookieDoubled` is true where a cookie of ours came twice, so that neither counts: another page
/// of this host has set its like. The reply takes that away; ask again.
pub fn status(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let status = api.login_status()?;
    let is = |kind| caller(api, request, kind).map(|found| found.is_some());
    let (login, onboarding) = (is(Kind::Login)?, is(Kind::Onboarding)?);
    let mut body = json!({
        "setupRequired": !status.password,
        "authenticated": login,
        "onboardingPending": onboarding,
    });
    // A stranger need not learn that a password would be enough to set up a code.
    if login || onboarding || request.door == Door::Control {
        body["mfaEnabled"] = json!(status.factor);
        body["mfaSetupRequired"] = json!(status.password && !status.factor);
        body["recoveryCodesLeft"] = json!(status.recovery_codes);
    }
    if [Kind::Login, Kind::Onboarding].iter().any(|kind| cookie::is_doubled(request, *kind)) {
        body["cookieDoubled"] = json!(true);
    }
    Ok(cookie::undouble(Reply::json(200, &body), request))
}

/// Takes `{bootstrapPassword, password}`; answers `{ok, mfaSetupRequired: true, proof}` with the
/// cookie of an onboarding.
pub fn setup(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<(Secret, Secret)> {
        let body = request.json()?;
        let fields = fields(&body, &["bootstrapPassword", "password"])?;
        Ok((secret(&fields, "bootstrapPassword")?, chosen(&fields, "password")?))
    };
    let (bootstrap, chosen) = match asked() {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let https = request.visitor.https;
    api.attempt(
        request.visitor,
        move |service, visitor| service.set_up(visitor, &bootstrap, &chosen),
        move |done| answer.send(reply(done, |opened| onboarding(200, &opened, https))),
    );
}

/// Takes `{password, totpCode | recoveryCode, device?}`; answers `{ok, proof, device}` with the
/// cookie of a session. A page that sends the `device` of an earlier login has attempts of its own.
/// Where no code is set up, the password alone gives a 401 with what [`setup`] answers.
pub fn login(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<(Secret, Factor, Option<Secret>)> {
        let body = request.json()?;
        let fields = fields(&body, &["password", "totpCode", "recoveryCode", "device"])?;
        let device = fields.text("device")?.map(Secret::new);
        Ok((secret(&fields, "password")?, factor(&fields)?, device))
    };
    let (password, factor, device) = match asked() {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let https = request.visitor.https;
    api.attempt(
        Visitor { device, ..request.visitor },
        move |service, visitor| service.log_in(visitor, &password, &factor),
        move |done| {
            answer.send(reply(done, |entered| match entered {
                Entered::Login(opened) => entered_reply(json!({"ok": true}), &opened, https),
                Entered::Onboarding(opened) => onboarding(401, &opened, https),
            }));
        },
    );
}

/// In an onboarding it takes `{}`, in a login `{password, totpCode | recoveryCode}`; answers
/// `{secret, otpauthUri, qrSvg}`.
pub fn mfa_setup(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<(WebSession, Option<(Secret, Factor)>)> {
        let session = either(api, &request)?;
        let body = if request.body.is_empty() { json!({}) } else { request.json()? };
        let fields = fields(&body, &["password", "totpCode", "recoveryCode"])?;
        let credentials = match session.kind {
            Kind::Onboarding => None,
            Kind::Login => Some((secret(&fields, "password")?, factor(&fields)?)),
        };
        Ok((session, credentials))
    };
    match asked() {
        Err(error) => answer.send(Reply::error(&error)),
        Ok((session, None)) => answer.send(reply(api.offer(&session), offer)),
        Ok((session, Some((password, factor)))) => api.attempt(
            request.visitor,
            move |service, visitor| service.offer_another(visitor, &session, &password, &factor),
            move |done| answer.send(reply(done, offer)),
        ),
    }
}

/// Takes `{totpCode}`, the first one of a new secret; answers `{ok, recoveryCodes, proof, device}`
/// with the cookie of a session. All other sessions end.
pub fn mfa_verify(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<(WebSession, Secret)> {
        let session = either(api, &request)?;
        let body = request.json()?;
        Ok((session, secret(&fields(&body, &["totpCode"])?, "totpCode")?))
    };
    let (session, code) = match asked() {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let https = request.visitor.https;
    api.attempt(
        request.visitor,
        move |service, visitor| service.enroll(visitor, &session, &code),
        move |done| answer.send(reply(done, |enrolled| enrolled_reply(&enrolled, https))),
    );
}

/// Takes `{currentPassword, newPassword, totpCode}`; answers `{ok, proof, device}` with a new
/// cookie. All other sessions end.
pub fn change_password(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<(Secret, Secret, Factor)> {
        need(api, &request, Kind::Login)?;
        let body = request.json()?;
        let known = ["currentPassword", "newPassword", "totpCode", "recoveryCode"];
        let fields = fields(&body, &known)?;
        Ok((secret(&fields, "currentPassword")?, chosen(&fields, "newPassword")?, factor(&fields)?))
    };
    let (password, chosen, factor) = match asked() {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let https = request.visitor.https;
    api.attempt(
        request.visitor,
        move |service, visitor| service.change_password(visitor, &password, &factor, &chosen),
        move |done| {
            answer.send(reply(done, |opened| entered_reply(json!({"ok": true}), &opened, https)));
        },
    );
}

/// Ends the session that asks; answers `{ok}` and takes both cookies away.
pub fn logout(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let session = need(api, request, Kind::Login)?;
    api.end_web_session(&session.id, &client(request), "logged out")?;
    let https = request.visitor.https;
    let reply = Reply::json(200, &json!({"ok": true}));
    Ok(reply
        .header("Set-Cookie", cookie::clear(Kind::Login, https))
        .header("Set-Cookie", cookie::clear(Kind::Onboarding, https)))
}

/// `{sessions: [{id, kind, createdAt, lastUsedAt, expiresAt, ipAddress, userAgent, current}]}`, the
/// newest first.
pub fn sessions(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let own = caller(api, request, Kind::Login)?.map(|session| session.id);
    let shown = |session: &WebSession| {
        json!({
            "id": session.id,
            "kind": session.kind.word(),
            "createdAt": time::rfc3339(session.created_ms),
            "lastUsedAt": time::rfc3339(session.used_ms),
            "expiresAt": time::rfc3339(session.expires_ms),
            "ipAddress": session.address,
            "userAgent": session.agent,
            "current": own.as_ref() == Some(&session.id),
        })
    };
    let all: Vec<Value> = api.web_sessions()?.iter().map(shown).collect();
    Ok(Reply::json(200, &json!({"sessions": all})))
}

/// Ends one session; answers `{ok}`.
pub fn revoke(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    api.end_web_session(params.get("id"), &client(request), "ended a web session")?;
    Ok(Reply::json(200, &json!({"ok": true})))
}

/// Ends all sessions but the one that asks; answers `{ok, revoked}`.
pub fn revoke_all(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let own = caller(api, request, Kind::Login)?.map(|session| session.id);
    let revoked = api.end_web_sessions(own.as_deref(), &client(request))?;
    Ok(Reply::json(200, &json!({"ok": true, "revoked": revoked})))
}

/// `{bootstrapPassword, expiresAt}`; 409 once there is a password.
pub fn bootstrap(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let (password, expires_ms) = api.bootstrap(&client(request))?;
    let expires = time::rfc3339(expires_ms);
    Ok(Reply::json(201, &json!({"bootstrapPassword": password.expose(), "expiresAt": expires})))
}

/// Takes `{password}` or `{generate: true}`; answers `{ok}`, and `{password}` where it was made up.
pub fn reset_password(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = || -> Result<Option<Secret>> {
        let body = request.json()?;
        let fields = fields(&body, &["password", "generate"])?;
        match (fields.flag("generate")?.unwrap_or(false), fields.get("password").is_some()) {
            (true, false) => Ok(None),
            (false, true) => chosen(&fields, "password").map(Some),
            _ => Err(Error::invalid("give \"password\" or \"generate\", one of them")),
        }
    };
    let chosen = match asked() {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let by = client(&request);
    let work = move |service: &crate::service::Service| service.reset_password(chosen, &by);
    api.in_turn(work, move |done| {
        answer.send(reply(done, |made| {
            Reply::json(
                200,
                &match made {
                    Some(made) => json!({"ok": true, "generated": true, "password": made.expose()}),
                    None => json!({"ok": true}),
                },
            )
        }));
    });
}

/// Takes the authenticator app away; answers `{ok}`. 409 where no password is set.
pub fn reset_mfa(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    api.reset_mfa(&client(request))?;
    Ok(Reply::json(200, &json!({"ok": true})))
}

/// The web session of this kind that a request shows the cookie and the proof of.
pub fn caller(api: &Api, request: &Request, kind: Kind) -> Result<Option<WebSession>> {
    let Some(token) = cookie::token(request, kind) else { return Ok(None) };
    let proof = request.header(cookie::PROOF);
    match kind {
        Kind::Onboarding => api.onboarding(token, proof),
        Kind::Login => {
            let proof = proof.unwrap_or_default();
            Ok(api.web_session(token)?.filter(|session| session.proves(proof)))
        }
    }
}

fn need(api: &Api, request: &Request, kind: Kind) -> Result<WebSession> {
    caller(api, request, kind)?.ok_or_else(|| Error::unauthorized("log in first"))
}

/// A login, else an onboarding.
fn either(api: &Api, request: &Request) -> Result<WebSession> {
    match caller(api, request, Kind::Login)? {
        Some(session) => Ok(session),
        None => need(api, request, Kind::Onboarding),
    }
}

fn reply<T>(done: Result<T>, shape: impl FnOnce(T) -> Reply) -> Reply {
    done.map_or_else(|error| Reply::error(&error), shape)
}

fn entered_reply(mut body: Value, opened: &Opened, https: bool) -> Reply {
    body["proof"] = json!(opened.proof.expose());
    if let Some(device) = &opened.device {
        body["device"] = json!(device.expose());
    }
    Reply::json(200, &body)
        .header("Set-Cookie", cookie::set(Kind::Login, opened.token.expose(), https))
        .header("Set-Cookie", cookie::clear(Kind::Onboarding, https))
}

/// With 401 it is no login, though the way to one.
fn onboarding(status: u16, opened: &Opened, https: bool) -> Reply {
    let mut body = json!({"mfaSetupRequired": true, "proof": opened.proof.expose()});
    match status {
        200 => body["ok"] = json!(true),
        _ => {
            body["error"] = json!("set up an authenticator app first");
            body["code"] = json!(Code::Unauthorized.word());
        }
    }
    Reply::json(status, &body)
        .header("Set-Cookie", cookie::set(Kind::Onboarding, opened.token.expose(), https))
        .header("Set-Cookie", cookie::clear(Kind::Login, https))
}

fn enrolled_reply(enrolled: &Enrolled, https: bool) -> Reply {
    let codes: Vec<&str> = enrolled.recovery_codes.iter().map(Secret::expose).collect();
    entered_reply(json!({"ok": true, "recoveryCodes": codes}), &enrolled.opened, https)
}

fn offer(offer: Offer) -> Reply {
    Reply::json(
        200,
        &json!({
            "secret": offer.secret.expose(),
            "otpauthUri": offer.uri.expose(),
            "qrSvg": offer.qr_svg.expose(),
        }),
    )
}

fn fields<'a>(body: &'a Value, known: &[&str]) -> Result<Fields<'a>> {
    let fields = Fields::of(body)?;
    fields.only(known)?;
    Ok(fields)
}

fn secret(fields: &Fields<'_>, name: &str) -> Result<Secret> {
    fields.need_text(name).map(Secret::new)
}

/// A password that is to be set.
fn chosen(fields: &Fields<'_>, name: &str) -> Result<Secret> {
    let chosen = secret(fields, name)?;
    password::check_new(&chosen).map(|()| chosen)
}

fn factor(fields: &Fields<'_>) -> Result<Factor> {
    let (code, recovery) = (fields.text("totpCode")?, fields.text("recoveryCode")?);
    match (code, recovery) {
        (Some(_), Some(_)) => {
            Err(Error::invalid("give \"totpCode\" or \"recoveryCode\", not both"))
        }
        (Some(code), None) => Ok(Factor::Code(Secret::new(code))),
        (None, Some(code)) => Ok(Factor::Recovery(Secret::new(code))),
        (None, None) => Ok(Factor::Missing),
    }
}

#[cfg(test)]
mod tests;
