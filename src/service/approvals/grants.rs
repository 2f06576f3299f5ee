//! Grants: a person's yes to the same call again. Decides nothing that a rule denies.
//!
//! 1. A grant MUST answer only calls that are the same to the last byte of what they do.
//! 2. It MUST end with its time, its count, its session's program and the boot, whichever is
//!    first.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::model::approval::Approval;
use crate::model::approval::Grant;
use crate::model::approval::Moment;
use crate::model::approval::Reach;
use crate::model::audit::Decider;
use crate::model::audit::Entry;
use crate::model::audit::Kind;
use crate::model::audit::NewEntry;
use crate::model::call::ToolCall;
use crate::policy::effect;
use crate::provider::canonical;
use crate::service::Service;
use crate::store::approvals;
use crate::store::audit;
use crate::store::grants;
use crate::store::tx::Tx;
use crate::sys::clock;
use serde_json::Value;
use serde_json::json;

/// What a grant is about: session, tool, directory and input, and whether the call is to run
/// outside of the agent's own sandbox. The words with which a model explains a shell command do
/// nothing, and differ each time.
pub fn key(session: &str, call: &ToolCall, outside: bool) -> [u8; 32] {
    let mut input = call.input.clone();
    let shell = effect::tool(&call.tool).is_some_and(|tool| tool.kind == effect::Kind::Shell);
    if let Some(map) = input.as_object_mut().filter(|_| shell) {
        map.remove("description");
    }
    canonical::sha256(&json!([session, call.tool, call.cwd, input, outside]))
}

/// Now, by both clocks.
pub fn moment(boot_id: &str) -> Moment {
    let (at_ms, boot_ms) = (time::unix_ms(), clock::boot_ms());
    Moment { at_ms, boot_ms, boot_id: boot_id.to_string() }
}

/// Uses a grant for a call, where one holds; gives it as it is afterwards.
pub fn spend(
    tx: &Tx<'_>,
    session: &str,
    epoch: u32,
    key: &[u8; 32],
    now: &Moment,
) -> Result<Option<Grant>> {
    let known = grants::about(tx, session, epoch, key)?;
    // The one that ends first is used up first.
    let end = |grant: &&Grant| (grant.left.is_none(), grant.expires_ms.is_none(), grant.expires_ms);
    let Some(grant) = known.iter().filter(|grant| grant.holds(now)).min_by_key(end) else {
        return Ok(None);
    };
    grants::spend(tx, grant.id)?;
    grants::get(tx, grant.id)
}

/// Gives a grant with the answer to an approval.
pub fn give(
    tx: &Tx<'_>,
    approval: &Approval,
    epoch: u32,
    reach: &Reach,
    now: &Moment,
    client: Option<&str>,
) -> Result<i64> {
    let end = |clock: i64| reach.for_ms.map(|ms| clock.saturating_add(ms));
    let grant = Grant {
        id: 0,
        session: approval.session.clone(),
        epoch,
        approval: approval.id,
        grant_sha256: approval.grant_sha256,
        created_ms: now.at_ms,
        expires_ms: end(now.at_ms),
        expires_boot_ms: end(now.boot_ms),
        boot_id: now.boot_id.clone(),
        left: reach.times,
        used: 0,
        revoked_ms: None,
    };
    let id = grants::insert(tx, &grant)?;
    let mut row = NewEntry::new(
        Kind::Grant,
        now.at_ms,
        Decider::Person,
        format!("grant {id} given with approval {}: {}", approval.id, words(reach)),
    );
    row.session = Some(approval.session.clone());
    row.client = client.map(str::to_string);
    row.about = Some(approval.decision);
    audit::append(tx, &row)?;
    Ok(id)
}

/// A reach in words: `30 min, 3 times, this session`.
pub fn words(reach: &Reach) -> String {
    let mut words = Vec::new();
    if let Some(ms) = reach.for_ms {
        words.push(match (ms / 1000, ms / 60_000) {
            (seconds, minutes) if minutes * 60 == seconds => format!("{minutes} min"),
            (seconds, _) => format!("{seconds} s"),
        });
    }
    if let Some(times) = reach.times {
        words.push(if times == 1 { "once more".to_string() } else { format!("{times} times") });
    }
    words.push("this session".to_string());
    words.join(", ")
}

/// A grant and what it is about, for people.
pub struct GrantView {
    /// The grant.
    pub grant: Grant,
    /// It still answers calls.
    pub holds: bool,
    /// The tool and the input as they stand in the audit log.
    pub tool: Option<String>,
    /// See `tool`.
    pub args: Option<Value>,
}

impl Service {
    /// All grants, of one session or of all, the oldest first.
    pub fn grants(&self, session: Option<&str>) -> Result<Vec<GrantView>> {
        let now = moment(&self.boot_id);
        let known = self.store().read(|conn| {
            let mut known = Vec::new();
            for grant in grants::list(conn, session)? {
                let row = match approvals::get(conn, grant.approval)? {
                    Some(approval) => audit::get(conn, approval.decision)?,
                    None => None,
                };
                known.push((grant, row));
            }
            Ok(known)
        })?;
        let view = |(grant, row): (Grant, Option<Entry>)| {
            let epoch = self.records.live(&grant.session).map(|live| live.row().epoch);
            let holds = grant.holds(&now) && epoch == Some(grant.epoch);
            let call = row.and_then(|row| row.entry.call);
            let (tool, args) = call.map(|call| (call.tool, call.input)).unzip();
            GrantView { grant, holds, tool, args }
        };
        Ok(known.into_iter().map(view).collect())
    }

    /// Takes a grant back.
    pub fn revoke_grant(&self, id: i64, client: &str) -> Result<()> {
        let (now, client) = (time::unix_ms(), client.to_string());
        self.store().write(move |tx| {
            let known = grants::get(tx, id)?;
            let grant = known.ok_or_else(|| Error::not_found(format!("Grant not found: {id}")))?;
            if grant.revoked_ms.is_some() {
                return Err(Error::conflict(format!("grant {id} was taken back already")));
            }
            grants::revoke(tx, id, now)?;
            let text = format!("grant {id} taken back");
            let mut row = NewEntry::new(Kind::Grant, now, Decider::Person, text);
            row.session = Some(grant.session);
            row.client = Some(client);
            audit::append(tx, &row).map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tool: &str, input: Value) -> ToolCall {
        let (call_id, agent_id) = (Some("c".to_string()), None);
        ToolCall { tool: tool.into(), input, cwd: "/p".into(), call_id, agent_id }
    }

    #[test]
    fn a_grant_is_about_what_the_call_does_and_not_how_it_is_explained() {
        let one = call("Bash", json!({"command": "make", "description": "build"}));
        let same = call("Bash", json!({"description": "build again", "command": "make"}));
        assert_eq!(key("s", &one, false), key("s", &same, false));
        for other in [
            call("Bash", json!({"command": "make "})),
            call("Bash", json!({"command": "make", "timeout": 1})),
            ToolCall { cwd: "/q".into(), ..one.clone() },
            call("Write", json!({"command": "make", "description": "build"})),
        ] {
            assert_ne!(key("s", &one, false), key("s", &other, false));
        }
        assert_ne!(key("s", &one, false), key("t", &one, false));
        assert_ne!(key("s", &one, false), key("s", &one, true));
        let explained = |text: &str| key("s", &call("Task", json!({"description": text})), false);
        assert_ne!(
            explained("a"),
            explained("b"),
            "elsewhere a description may be the work itself"
        );
    }

    #[test]
    fn a_reach_reads_as_it_was_meant() {
        let reach = |for_ms, times| words(&Reach { for_ms, times, session: false });
        assert_eq!(reach(Some(1_800_000), Some(3)), "30 min, 3 times, this session");
        assert_eq!(reach(Some(90_000), None), "90 s, this session");
        assert_eq!(reach(None, Some(1)), "once more, this session");
    }
}
