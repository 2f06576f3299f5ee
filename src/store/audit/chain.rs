//! The end of the chain: what the next row is linked to, and the one statement that adds a row.
//! Knows nothing of files.

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::base::time;
use crate::model::audit::{Decider, Head, Kind, NewEntry};
use crate::model::chain;
use crate::model::chain::{Field, Key, START, Secret};
use crate::model::redact;
use crate::store::audit::COLUMNS;
use rusqlite::Connection;
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use serde_json::json;
use std::sync::Arc;

/// The end of the chain.
#[derive(Debug, Clone)]
pub(in crate::store) struct Chain {
    /// The newest row; 0 before the first.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
    /// What marks the next row.
    pub keyed: Keyed,
}

/// Whether rows are marked, and with what.
#[derive(Debug, Clone)]
pub(in crate::store) enum Keyed {
    /// No key was ever begun.
    Never,
    /// The key of the next row, and the name of its epoch.
    With(Arc<str>, Key),
    /// There should be one. Why there is none, and the way out.
    Lost(Arc<str>),
}

impl Chain {
    /// Before the first row.
    pub const START: Chain = Chain { seq: 0, hash: START, keyed: Keyed::Never };

    /// `Denied` where the key is lost.
    pub fn usable(&self) -> Result<()> {
        match &self.keyed {
            Keyed::Lost(why) => Err(Error::denied(format!(
                "nothing can be recorded, so nothing is decided: {why}; restart the daemon when \
                 it is back, or begin a new key: codepiper audit key"
            ))),
            _ => Ok(()),
        }
    }

    /// Why the key is lost, where it is.
    pub fn lost(&self) -> Option<Arc<str>> {
        match &self.keyed {
            Keyed::Lost(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// The name of the key in force.
    pub fn key_name(&self) -> Option<Arc<str>> {
        match &self.keyed {
            Keyed::With(name, _) => Some(name.clone()),
            _ => None,
        }
    }

    /// Marks rows with what comes from this secret from now on.
    pub fn take_key(&mut self, secret: &Secret) {
        self.keyed = Keyed::With(secret.name().into(), secret.first_key());
    }

    /// The newest row, where there is one.
    pub fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// When a row is written, by the clock that nobody can set.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Moment(Option<(i64, &'static str)>);

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        Moment(time::boot().map(|boot| (boot.ms(), boot.id.as_str())))
    }

    /// Some time of which that is not known.
    pub fn unknown() -> Moment {
        Moment(None)
    }
}

/// Writes the first row: nobody can know beforehand what the chain begins with.
pub(in crate::store) fn begin(conn: &Connection, chain: &mut Chain) -> rusqlite::Result<()> {
    let random: [u8; 32] =
        id::random().map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.message.into()))?;
    let mut first =
        NewEntry::new(Kind::Chain, time::unix_ms(), Decider::Daemon, "the audit log begins");
    first.details = Some(json!({"genesis": id::hex(&random)}));
    insert(conn, chain, &first, Moment::now()).map(drop)
}

/// Adds a row behind the chain's end and moves that on. An error leaves both as they were.
pub(in crate::store) fn insert(
    conn: &Connection,
    chain: &mut Chain,
    entry: &NewEntry,
    moment: Moment,
) -> rusqlite::Result<i64> {
    let seq = chain.seq + 1;
    let mut values = values(seq, entry, moment);
    let hash = chain::hash(&chain.hash, values.iter().map(field));
    let (mac, keyed) = match &chain.keyed {
        Keyed::With(name, key) => (Some(key.mac(&hash)), Keyed::With(name.clone(), key.next())),
        other => (None, other.clone()),
    };
    values.push(Value::Blob(hash.to_vec()));
    values.push(mac.map_or(Value::Null, |mac| Value::Blob(mac.to_vec())));
    let places = vec!["?"; values.len()].join(", ");
    let sql = format!("INSERT INTO audit ({COLUMNS}) VALUES ({places})");
    conn.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    *chain = Chain { seq, hash, keyed };
    Ok(seq)
}

/// The hashed columns of a row, in their order.
fn values(seq: i64, entry: &NewEntry, moment: Moment) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_string());
    let maybe = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    let number = |number: Option<i64>| number.map_or(Value::Null, Value::Integer);
    let call = entry.call.as_ref();
    let args = call.map(|call| &call.input).or(entry.details.as_ref());
    let args = args.map(|args| Value::Text(redact::value(args).to_string()));
    let of_call = |pick: fn(&crate::model::call::ToolCall) -> Option<String>| {
        call.and_then(pick).map_or(Value::Null, Value::Text)
    };
    vec![
        Value::Integer(seq),
        Value::Integer(entry.at_ms),
        number(moment.0.map(|(ms, _)| ms)),
        moment.0.map_or(Value::Null, |(_, id)| text(id)),
        text(entry.kind.word()),
        maybe(&entry.session),
        maybe(&entry.request),
        of_call(|call| Some(call.tool.clone())),
        args.unwrap_or(Value::Null),
        entry.input_sha256.map_or(Value::Null, |sha256| Value::Blob(sha256.to_vec())),
        of_call(|call| Some(call.cwd.clone())),
        of_call(|call| call.call_id.clone()),
        of_call(|call| call.agent_id.clone()),
        Value::Text(redact::value(&json!(entry.effects)).to_string()),
        maybe(&entry.policy),
        maybe(&entry.rule),
        number(entry.version),
        entry.decision.map_or(Value::Null, |decision| text(decision.word())),
        Value::Text(redact::text(&entry.reason)),
        text(entry.decider.word()),
        maybe(&entry.client),
        number(entry.about),
    ]
}

fn field(value: &Value) -> Field<'_> {
    match value {
        Value::Null => Field::Null,
        Value::Integer(number) => Field::Integer(*number),
        Value::Text(text) => Field::Text(text.as_bytes()),
        Value::Blob(bytes) => Field::Bytes(bytes),
        // No column holds one.
        Value::Real(_) => Field::Bytes(b"a real number"),
    }
}
