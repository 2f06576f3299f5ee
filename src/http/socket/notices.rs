//! The subscription to notices: each new one, each change, and what was read. It keeps its place in
//! the order of changes, and reads on from there when it is told that there is more.

use crate::base::error::Result;
use crate::http::handlers::Api;
use crate::http::shape::notice;
use crate::http::wire::Wire;
use crate::limits::notices as limits;
use crate::service::news::Changed;
use crate::service::notices::ANY;
use crate::service::notices::Counts;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// Topic `notifications`.
pub struct NoticeList {
    /// The newest change that was told.
    revision: i64,
    /// The newest notice that was told.
    newest: i64,
    /// Those that are not read, with their sessions, as far as was told.
    unread: BTreeMap<i64, String>,
    stale: bool,
}

impl NoticeList {
    /// Knows those that there are now.
    pub fn new(api: &Api) -> Result<NoticeList> {
        let (revision, newest) = api.newest_notice()?;
        let unread = api.unread_notices()?.into_iter().collect();
        // What has changed between the two is told.
        Ok(NoticeList { revision, newest, unread, stale: true })
    }

    /// Notes what has changed. Notices go with their sessions, so any name may be theirs.
    pub fn changed(&mut self, changed: &Changed) {
        let gone = || self.unread.values().any(|session| changed.has(session));
        self.stale |= changed.has(ANY) || gone();
    }

    /// Tells what is new; true when there may be more.
    pub fn pump(&mut self, api: &Api, wire: &mut Wire) -> Result<bool> {
        if !self.stale {
            return Ok(false);
        }
        let found = api.changed_notices(self.revision, limits::TOLD)?;
        let mut read = BTreeMap::new();
        for view in &found {
            if wire.is_full() {
                break;
            }
            let one = &view.notice;
            let is_new = one.id > self.newest;
            if one.read.is_some() && self.unread.contains_key(&one.id) {
                read.extend(self.unread.remove(&one.id).map(|session| (one.id, session)));
            } else if one.read.is_none() {
                self.unread.insert(one.id, one.session.clone());
            }
            let kind = if is_new { "notification_created" } else { "notification_updated" };
            self.newest = self.newest.max(one.id);
            self.revision = one.revision;
            let shown = notice::notice(view);
            wire.say(&json!({"topic": "notifications", "type": kind, "notification": shown}));
        }
        let told_all = found.last().is_none_or(|last| last.notice.revision == self.revision);
        self.stale = !told_all || found.len() == limits::TOLD;
        if !self.stale {
            read.extend(self.gone(api)?);
        }
        if !read.is_empty() {
            let counts = api.notice_counts()?;
            messages(&read, &counts).iter().for_each(|message| wire.say(message));
        }
        Ok(self.stale && !wire.is_full())
    }

    /// Those that have gone with their session, or with the oldest.
    fn gone(&mut self, api: &Api) -> Result<BTreeMap<i64, String>> {
        let mut gone = std::mem::take(&mut self.unread);
        for (id, session) in api.unread_notices()? {
            // One that came up since is told next.
            if gone.remove(&id).is_some() {
                self.unread.insert(id, session);
            }
        }
        Ok(gone)
    }
}

/// What is told of notices that are read by now.
fn messages(read: &BTreeMap<i64, String>, counts: &Counts) -> Vec<Value> {
    let shown = notice::counts(counts);
    let base = || json!({"topic": "notifications", "type": "notifications_read", "counts": shown});
    if counts.total == 0 && read.len() > 1 {
        return vec![base()];
    }
    let mut of_session = BTreeMap::<&str, Vec<i64>>::new();
    read.iter().for_each(|(id, session)| of_session.entry(session).or_default().push(*id));
    let mut out = Vec::new();
    for (session, ids) in of_session {
        if ids.len() > 1 && !counts.by_session.contains_key(session) {
            let mut message = base();
            message["sessionId"] = session.into();
            out.push(message);
            continue;
        }
        for id in ids {
            let mut message = base();
            message["id"] = id.into();
            out.push(message);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(read: &[(i64, &str)], left: &[(&str, usize)]) -> Vec<Value> {
        let read = read.iter().map(|(id, session)| (*id, session.to_string())).collect();
        let by_session: BTreeMap<String, usize> =
            left.iter().map(|(session, count)| (session.to_string(), *count)).collect();
        let mut out = messages(&read, &Counts { total: by_session.values().sum(), by_session });
        out.iter_mut().for_each(|message| {
            let map = message.as_object_mut().unwrap();
            map.retain(|name, _| !["topic", "type", "counts"].contains(&name.as_str()));
        });
        out
    }

    #[test]
    fn what_is_read_is_told_as_shortly_as_is_true() {
        let one = json!({"id": 1});
        assert_eq!(told(&[(1, "a")], &[]), std::slice::from_ref(&one));
        assert_eq!(told(&[(1, "a"), (2, "b")], &[]), [json!({})], "all of them");
        let whole = told(&[(1, "a"), (2, "a")], &[("b", 1)]);
        assert_eq!(whole, [json!({"sessionId": "a"})], "all of a session");
        let some = told(&[(1, "a"), (2, "a")], &[("a", 1)]);
        assert_eq!(some, [one, json!({"id": 2})]);
    }
}
