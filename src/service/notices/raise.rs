//! What raises a notice, and what takes it back: inside the transaction of the change itself, so
//! that neither is without the other.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::approval::Approval;
use crate::model::approval::Status;
use crate::model::notice;
use crate::model::notice::Kind;
use crate::model::session::Change;
use crate::model::session::Session;
use crate::model::session::State;
use crate::provider;
use crate::service::notices::ANSWERED;
use crate::store::approvals;
use crate::store::notices;
use crate::store::notices::Dwell;
use crate::store::notices::Which;
use crate::store::sessions;
use crate::store::settings;
use crate::store::tx::Tx;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The setting: whether there are notices at all.
pub const ENABLED: &str = "notificationsEnabled";
/// The setting: which kinds there are.
pub const EVENTS: &str = "notificationEventDefaults";
/// The setting: hours in which channels get nothing that can wait.
pub const QUIET: &str = "notificationQuietHours";
/// The setting: how long a state must hold.
pub const DWELL: &str = "notificationDwellSeconds";
/// What an alarm is called that is about no call.
pub const GATE_ALARM: &str = "Gate alarm";

/// Every kind is on: an end that a person asked for makes no notice anyway.
pub fn all_events() -> Value {
    Kind::ALL
        .iter()
        .map(|kind| (kind.word().to_string(), json!(true)))
        .collect::<Map<_, _>>()
        .into()
}

/// Refuses what is no choice of kinds.
pub fn check_events(value: &Value) -> Result<()> {
    let wrong =
        || Error::invalid(format!("{EVENTS} is an object of event types, each true or false"));
    for (word, on) in value.as_object().ok_or_else(wrong)? {
        let known = || Kind::ALL.map(Kind::word).join(", ");
        if !Kind::ALL.iter().any(|kind| kind.word() == word) {
            return Err(Error::invalid(format!("unknown event {word:?}; known are {}", known())));
        }
        on.as_bool().ok_or_else(wrong)?;
    }
    Ok(())
}

/// Refuses what are no quiet hours.
pub fn check_quiet(value: &Value) -> Result<()> {
    let fits = value.is_null()
        || (value.as_object().is_some_and(|v| v.len() == 2)) && quiet_hours(value).is_some();
    match fits {
        true => Ok(()),
        false => {
            let example = r#"{"from":"22:00","to":"07:00"}"#;
            Err(Error::invalid(format!("{QUIET} is null or like {example}, not {value}")))
        }
    }
}

/// Quiet hours in minutes of the day.
pub fn quiet_hours(value: &Value) -> Option<(u32, u32)> {
    let at = |name: &str| value[name].as_str().and_then(notice::minutes);
    at("from").zip(at("to"))
}

/// What came up in a session.
pub fn dwell(tx: &Tx<'_>, row: &Session, kind: Kind, why: Option<&str>) -> Result<Dwell> {
    let known = provider::find(&row.provider).ok().filter(|p| p.capabilities.native_hooks);
    let label = notice::label(&row.id, row.name.as_deref(), &row.cwd);
    let now = time::unix_ms();
    let seconds = match kind.dwells() {
        true => settings::get(tx, DWELL)?.and_then(|value| value.as_u64()),
        false => Some(0),
    };
    let seconds = seconds.unwrap_or(limits::notices::DWELL_SECONDS);
    // Whatever the database says, no transaction of a session's fails of it.
    let seconds = seconds.min(limits::notices::DWELL_SECONDS_MOST);
    Ok(Dwell {
        session: row.id.clone(),
        kind,
        title: kind.title().to_string(),
        body: notice::body(kind, &label, known.map(|p| p.label), why),
        approval: None,
        count: 1,
        created_ms: now,
        due_ms: now + i64::try_from(seconds).unwrap_or(0) * 1000,
    })
}

/// A session has gone from one state to another: what it waited for is over, and what it waits for
/// now may become a notice. `worked` says that its agent had something to do since it last rested.
pub fn moved(tx: &Tx<'_>, row: &Session, from: State, what: Change, worked: bool) -> Result<()> {
    let over: &[Kind] = match from {
        State::NeedsPermission if row.state != from => &[Kind::Permission],
        State::NeedsInput if row.state != from => &[Kind::Input, Kind::TurnCompleted],
        // What kept it from its work is over.
        State::NeedsInput if matches!(what, Change::Heard | Change::Rests) => &[Kind::Input],
        _ => &[],
    };
    for kind in over {
        notices::read(tx, Which::Stateful(&row.id, *kind), row.updated_ms, ANSWERED)?;
    }
    match raised_by(row, from, what, worked) {
        Some(kind) => notices::raise(tx, &dwell(tx, row, kind, row.reason.as_deref())?),
        None => Ok(()),
    }
}

fn raised_by(row: &Session, from: State, what: Change, worked: bool) -> Option<Kind> {
    match (what, row.state) {
        (Change::AsksPermission, _) => Some(Kind::Permission),
        (Change::AsksInput | Change::Stuck(_), _) => Some(Kind::Input),
        (Change::Rests, _) => worked.then_some(Kind::TurnCompleted),
        // Whoever has started it is told by the start itself.
        (Change::Ended { .. }, _) if from == State::Starting => None,
        (Change::Ended { wanted: true, .. }, _) => None,
        (Change::Ended { .. }, State::Stopped) => Some(Kind::Ended),
        (Change::Ended { .. } | Change::KeeperGone { .. }, _) => Some(Kind::Crashed),
        _ => None,
    }
}

/// A person has been asked about a call, and has not answered yet.
pub fn asked(tx: &Tx<'_>, approval: &Approval) -> Result<()> {
    let known = approvals::get(tx, approval.id)?;
    if known.is_none_or(|known| known.answer.is_some()) {
        return Ok(());
    }
    let Some(row) = sessions::get(tx, &approval.session)? else { return Ok(()) };
    let dwell = dwell(tx, &row, Kind::Permission, None)?;
    notices::raise(tx, &Dwell { approval: Some(approval.id), ..dwell })
}

/// The same, for one that an earlier daemon may have raised or not.
pub fn asked_before(tx: &Tx<'_>, approval: &Approval) -> Result<()> {
    match notices::is_known(tx, &approval.session, approval.id)? {
        true => Ok(()),
        false => asked(tx, approval),
    }
}

/// An approval has come to its end. One that nobody answered in time stays unread.
pub fn settled(tx: &Tx<'_>, approval: &Approval, status: Status, at_ms: i64) -> Result<()> {
    let (session, id) = (&approval.session, approval.id);
    let source = match status {
        Status::Expired => return notices::let_be(tx, session, id, at_ms, Status::Expired.word()),
        Status::Withdrawn => Status::Withdrawn.word(),
        _ => ANSWERED,
    };
    notices::read(tx, Which::Approval(session, id), at_ms, source).map(drop)
}

/// Something shows that the gate does not hold for a session.
pub fn alarmed(tx: &Tx<'_>, row: &Session, title: &str, text: &str) -> Result<()> {
    let dwell = dwell(tx, row, Kind::Ungated, Some(text))?;
    notices::raise(tx, &Dwell { title: title.to_string(), ..dwell })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::session::Exit;
    use crate::service::login::stand::Stand;

    #[test]
    fn only_a_turn_that_was_and_an_end_that_nobody_asked_for_are_news() {
        let stand = Stand::new("notice-raised-by");
        let by = |from, what, to, worked| {
            let row = Session { state: to, ..stand.service.blank("x") };
            raised_by(&row, from, what, worked)
        };
        use State::*;
        assert_eq!(by(Running, Change::Rests, NeedsInput, true), Some(Kind::TurnCompleted));
        assert_eq!(by(Running, Change::Rests, NeedsInput, false), None, "it has just begun");
        assert_eq!(by(Running, Change::AsksInput, NeedsInput, true), Some(Kind::Input));
        assert_eq!(by(Starting, Change::Stuck("why"), NeedsInput, false), Some(Kind::Input));
        assert_eq!(by(Running, Change::Works, Running, true), None);
        let ended = |code, wanted| Change::Ended { exit: Exit::Code(code), wanted };
        assert_eq!(by(Running, ended(0, false), Stopped, true), Some(Kind::Ended));
        assert_eq!(by(Running, ended(0, true), Stopped, true), None);
        assert_eq!(by(Running, ended(3, false), Crashed, true), Some(Kind::Crashed));
        assert_eq!(by(Starting, ended(3, false), Crashed, true), None);
        let gone = Change::KeeperGone { rebooted: true };
        assert_eq!(by(NeedsInput, gone, Crashed, false), Some(Kind::Crashed));
    }

    #[test]
    fn what_was_answered_before_it_is_told_of_is_no_news_and_what_is_over_is_read() {
        let stand = Stand::new("notice-moved");
        let store = stand.service.store();
        let row = Session {
            provider: "claude-code".into(),
            cwd: "/p".into(),
            ..stand.service.blank("0b7e4c1e-9d43-4c5e-8f6a-0123456789ab")
        };
        let kept = row.clone();
        store.write(move |tx| sessions::insert(tx, &kept)).unwrap();
        let approval = Approval {
            id: 7,
            session: row.id.clone(),
            decision: 1,
            holder: "r".into(),
            bound_sha256: [1; 32],
            grant_sha256: [2; 32],
            tool: "Bash".into(),
            call_id: None,
            agent_id: None,
            input_sha256: [3; 32],
            created_ms: 5,
            expires_ms: 50,
            answer: None,
        };
        let dwells = || store.read(notices::dwells).unwrap();
        let gone = approval.clone();
        store.write(move |tx| asked(tx, &gone)).unwrap();
        assert!(dwells().is_empty(), "nobody waits for it any more");
        let id = store.write(move |tx| {
            let id = approvals::insert(tx, &approval)?;
            asked(tx, &Approval { id, ..approval }).map(|()| id)
        });
        assert_eq!(dwells()[0].approval, Some(id.unwrap()));
        let move_to = |state, reason: Option<&str>, from, what, worked| {
            let row = Session { state, reason: reason.map(str::to_string), ..row.clone() };
            store.write(move |tx| moved(tx, &row, from, what, worked)).unwrap();
            dwells().iter().map(|d| d.kind).filter(|k| *k != Kind::Permission).collect::<Vec<_>>()
        };
        use State::*;
        let stuck = Change::Stuck("why");
        assert_eq!(move_to(NeedsInput, Some("why"), Running, stuck, false), [Kind::Input]);
        assert!(dwells().iter().any(|dwell| dwell.body == "p: why."));
        assert!(move_to(NeedsInput, None, NeedsInput, Change::Heard, false).is_empty());
        let rests = move_to(NeedsInput, None, Running, Change::Rests, true);
        assert_eq!(rests, [Kind::TurnCompleted]);
        assert!(move_to(Running, None, NeedsInput, Change::Works, false).is_empty());
        assert_eq!(dwells().len(), 1, "the approval is open still");
    }

    #[test]
    fn settings_that_mean_nothing_are_refused() {
        check_events(&all_events()).unwrap();
        check_events(&json!({"session.ended": false})).unwrap();
        for bad in [json!(true), json!({"ended": true}), json!({"session.ended": 1}), json!([])] {
            assert!(check_events(&bad).is_err(), "{bad}");
        }
        check_quiet(&json!(null)).unwrap();
        check_quiet(&json!({"from": "22:00", "to": "07:30"})).unwrap();
        for bad in [
            json!({}),
            json!({"from": "22:00"}),
            json!({"from": "22:00", "to": "7:00"}),
            json!({"from": "22:00", "to": "07:00", "zone": "UTC"}),
            json!("22:00-07:00"),
        ] {
            assert!(check_quiet(&bad).is_err(), "{bad}");
        }
    }
}
