//! The first message of a dashboard, and the answer to it.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::model::login::WebSession;
use serde_json::Value;
use serde_json::json;

/// The version of the protocol.
const VERSION: u64 = 1;

/// A `hello`. No `Debug`: it would show the proof.
pub struct Hello {
    proof: Option<String>,
}

impl Hello {
    /// Reads it. What a client supports beyond this version is not asked for.
    pub fn parse(body: &Value) -> Result<Hello> {
        let fields = Fields::of(body)?;
        fields.only(&["op", "version", "proof", "supports"])?;
        if fields.number("version")? != Some(VERSION) {
            return Err(Error::invalid(format!("field \"version\" must be {VERSION}")));
        }
        Ok(Hello { proof: fields.text("proof")?.map(str::to_string) })
    }

    /// Whether it opens a socket of this login. A program of our user's needs no proof.
    pub fn admits(&self, login: Option<&WebSession>) -> bool {
        login.is_none_or(|login| self.proof.as_ref().is_some_and(|proof| login.proves(proof)))
    }
}

/// The answer to a right one.
pub fn ack(login: Option<&str>) -> Value {
    let mut body = json!({
        "op": "hello_ack",
        "version": VERSION,
        "features": {"ptyBinary": true, "ptyReplay": true, "ptyPaste": true, "ptyPatch": false},
    });
    if let Some(id) = login {
        body["session"] = json!({"loginId": id});
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::login::Kind;
    use sha2::Digest;
    use sha2::Sha256;

    #[test]
    fn only_the_right_proof_opens_a_socket_over_the_web() {
        let right = "0a".repeat(32);
        let login = WebSession {
            id: "id".into(),
            kind: Kind::Login,
            token_sha256: [0; 32],
            proof_sha256: Sha256::digest(&right).into(),
            proven: false,
            created_ms: 0,
            used_ms: 0,
            expires_ms: 0,
            address: String::new(),
            agent: String::new(),
        };
        let opens = |body: Value| Hello::parse(&body).is_ok_and(|h| h.admits(Some(&login)));
        let hello = |proof: Value| json!({"op": "hello", "version": 1, "proof": proof});
        assert!(opens(hello(right.clone().into())));
        assert!(opens(json!({"op": "hello", "version": 1, "proof": right, "supports": {}})));
        let others = [json!(null), json!(true), json!(1), json!([right]), json!({"$ne": 1})];
        let texts = [String::new(), right.to_uppercase(), format!("{right}0"), right[1..].into()];
        for proof in others.into_iter().chain(texts.map(Value::from)) {
            assert!(!opens(hello(proof.clone())), "{proof}");
        }
        assert!(!opens(json!({"op": "hello", "version": 1})));
        let bare = Hello::parse(&json!({"op": "hello", "version": 1})).unwrap();
        assert!(bare.admits(None), "our own programs have none");
    }

    #[test]
    fn another_version_is_refused() {
        for version in [json!(0), json!(2), json!(99), json!("1"), json!(1.5), json!(null)] {
            let body = json!({"op": "hello", "version": version, "proof": "right"});
            assert!(Hello::parse(&body).is_err(), "{body}");
        }
    }
}
