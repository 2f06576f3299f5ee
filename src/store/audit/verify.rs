//! Reads the whole log through and says whether it is what it was. Needs no daemon and changes
//! nothing.
//!
//! 1. What is found MUST be named with the first row that it shows at.
//! 2. A forger who can make every hash anew MUST be found by a key that a person kept.
//!
//! Both files beside the database are read before it is: they are never ahead of it, so rows that
//! are written meanwhile make no difference.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::audit::{Asked, Finding, Head, Kind, Report};
use crate::model::chain;
use crate::model::chain::{Field, Key, START, Secret};
use crate::store::audit::COLUMNS;
use crate::store::audit::beside::{Beside, KeptKey};
use crate::store::fault::Health;
use crate::store::file;
use crate::store::file::Found;
use crate::store::migrate;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::Value;
use std::path::Path;

/// How many columns are hashed; `hash` and `mac` stand behind them.
const HASHED: usize = 22;
/// Two rows of one start of the machine whose times differ by less may stand in either order: the
/// machine's start is known to a hundredth of a second.
const ORDER_MS: i64 = 50;

/// Checks the log in the database at `path`.
///
/// `NotFound` where there is none, `Conflict` where it is not of this version, `Denied` where it
/// cannot be read.
pub fn verify(path: &Path, asked: &Asked) -> Result<Report> {
    let shown = path.display();
    let beside = Beside::of(path);
    let (kept, head) = (beside.kept_key(), beside.head());
    match file::look(path)? {
        Found::Ours => {}
        Found::Nothing => return Err(Error::not_found(format!("there is no database {shown}"))),
        Found::Damaged(what) => return Err(Error::denied(format!("{shown} is damaged: {what}"))),
    }
    let health = Health::new(path);
    let cannot = format!("cannot read the audit log in {shown}");
    let conn = health.wrap(file::connect_reader(path), &cannot)?;
    let snapshot = health.wrap(conn.unchecked_transaction(), &cannot)?;
    let (version, _) = health.wrap(migrate::shape(&snapshot), &cannot)?;
    migrate::current(path, version)?;
    let mut walk = Walk { marks: asked.secret.as_ref().map(Marks::of), ..Walk::new(kept) };
    let heads = [("the head that was noted", asked.head), ("audit.head", head)];
    walk.heads.extend(heads.into_iter().filter_map(|(name, head)| Some((name, head?, None))));
    if let Some(what) = migrate::missing(&snapshot).map_err(|e| health.explain(e))? {
        walk.find(1, "unguarded", format!("the database was tampered with: {what}"));
    }
    health.wrap(walk.rows(&snapshot), &cannot)?;
    walk.end();
    Ok(walk.report)
}

/// A key that was given, on its way through the rows.
struct Marks {
    name: String,
    first: Key,
    /// The key of the next row, from the one on that begins it and until its last.
    next: Option<Key>,
    /// The first row that it marks, and the last so far.
    range: Option<(i64, i64)>,
    /// A row of its own said that it ends.
    closed: bool,
    /// The first row whose mark is missing or wrong.
    wrong: Option<i64>,
    /// The row that the key in `audit.key` is for, as far as it follows from this one.
    kept: Option<i64>,
}

impl Marks {
    fn of(secret: &Secret) -> Marks {
        let (name, first) = (secret.name(), secret.first_key());
        let (next, range, closed, wrong, kept) = Default::default();
        Marks { name, first, next, range, closed, wrong, kept }
    }

    /// Takes a row in. `kept` is the key in `audit.key`.
    fn row(&mut self, row: &Seen<'_>, kept: Option<&Key>) {
        if row.chain("begins") == Some(self.name.as_str()) && self.range.is_none() {
            self.next = Some(self.first);
        }
        let Some(key) = self.next else { return };
        self.meet(row.seq, &key, kept);
        if row.mac != Some(&key.mac(row.hash)[..]) {
            self.wrong.get_or_insert(row.seq);
        }
        let from = self.range.map_or(row.seq, |(from, _)| from);
        self.range = Some((from, row.seq));
        self.closed = self.wrong.is_none() && row.chain("ends") == Some(self.name.as_str());
        self.next = (!self.closed).then(|| key.next());
    }

    fn meet(&mut self, seq: i64, key: &Key, kept: Option<&Key>) {
        if kept.is_some_and(|kept| kept.bytes() == key.bytes()) {
            self.kept = Some(seq);
        }
    }

    /// Behind the last row: rows that are gone had keys too.
    fn go_on(&mut self, last: i64, kept: Option<&Key>) {
        let Some(mut key) = self.next.filter(|_| self.kept.is_none()) else { return };
        for seq in last + 1..last + 1 + limits::AUDIT_AHEAD {
            self.meet(seq, &key, kept);
            key = key.next();
        }
    }
}

/// What is looked at of a row, besides its fields' hash.
struct Seen<'a> {
    seq: i64,
    hash: &'a [u8; 32],
    mac: Option<&'a [u8]>,
    args: Value,
}

impl Seen<'_> {
    /// What a row of the chain itself says under this name.
    fn chain(&self, name: &str) -> Option<&str> {
        self.args.get(name)?.as_str()
    }
}

struct Walk {
    report: Report,
    kept: std::result::Result<KeptKey, String>,
    /// What a head is called, the head, and what the log has at its place.
    heads: Vec<(&'static str, Head, Option<[u8; 32]>)>,
    marks: Option<Marks>,
    /// The row before: its number, its hash, and when it was written.
    seq: i64,
    hash: [u8; 32],
    moment: Option<(String, i64)>,
}

impl Walk {
    fn new(kept: std::result::Result<KeptKey, String>) -> Walk {
        let (report, heads, seq, moment) = Default::default();
        Walk { report, kept, heads, marks: None, seq, hash: START, moment }
    }

    /// Keeps a finding; of each name only the first, as the others follow from it.
    fn find(&mut self, seq: i64, what: &'static str, text: String) {
        if !self.has(what) {
            self.report.findings.push(Finding { seq, what, text });
        }
    }

    fn has(&self, what: &str) -> bool {
        self.report.findings.iter().any(|known| known.what == what)
    }

    fn rows(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.row(row)?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let seq: i64 = row.get("seq")?;
        let hash: [u8; 32] = row.get("hash")?;
        let due = self.seq + 1;
        if seq != due {
            let gone = if seq == due + 1 {
                format!("row {due} is")
            } else {
                format!("rows {due} to {} are", seq - 1)
            };
            self.find(due, "removed", format!("{gone} missing"));
        } else if chain::hash(&self.hash, fields(row)?) != hash {
            self.find(seq, "edited", format!("row {seq} does not fit its hash: it was changed"));
        }
        self.order(seq, row)?;
        let mac = row.get_ref("mac")?.as_blob().ok();
        let kind = Kind::from_word(row.get_ref("kind")?.as_str().unwrap_or_default());
        let args = match kind {
            Some(Kind::Chain) => row.get::<_, Option<String>>("args")?,
            _ => None,
        };
        let args = args.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let seen = Seen { seq, hash: &hash, mac, args };
        if due == 1 && seen.chain("genesis").is_none() {
            let text = "the log does not begin with its own first row".to_string();
            self.find(1, "removed", text);
        }
        self.keys(&seen);
        for (_, _, found) in self.heads.iter_mut().filter(|(_, head, _)| head.seq == seq) {
            *found = Some(hash);
        }
        (self.seq, self.hash) = (seq, hash);
        self.report.rows += 1;
        Ok(())
    }

    /// Rows are written one after the other; whoever swaps two of them swaps their times.
    fn order(&mut self, seq: i64, row: &Row<'_>) -> rusqlite::Result<()> {
        let boot: Option<String> = row.get("boot_id")?;
        let Some(moment) = boot.zip(row.get::<_, Option<i64>>("boot_ms")?) else { return Ok(()) };
        if let Some((boot, ms)) = &self.moment
            && (*boot == moment.0 && moment.1 + ORDER_MS < *ms)
        {
            let before = self.seq;
            let text = format!("row {seq} was written before row {before} and stands behind it");
            self.find(seq, "reordered", text);
        }
        self.moment = Some(moment);
        Ok(())
    }

    fn keys(&mut self, row: &Seen<'_>) {
        let kept = self.kept.as_ref().ok().map(|kept| &kept.key);
        let mut cut = None;
        if let Some(marks) = &mut self.marks {
            marks.row(row, kept);
            let other = row.chain("begins").is_some_and(|name| name != marks.name);
            if other && marks.next.is_some() {
                cut = Some(row.seq);
                marks.next = None;
            }
        }
        if let Some(seq) = cut {
            let text = format!(
                "row {seq} begins another key and this one has not said that it ends: it was \
                 lost then, or the rows before row {seq} were cut and replaced"
            );
            self.find(seq, "cut", text);
        }
        if let Some(name) = row.chain("begins") {
            self.report.key = Some(name.to_string());
        }
    }

    /// What shows only behind the last row.
    fn end(&mut self) {
        let last = self.seq;
        self.report.head = (last > 0).then_some(Head { seq: last, hash: self.hash });
        if last == 0 {
            self.find(1, "removed", "the log is empty; even a new one has a first row".to_string());
        }
        for (name, head, found) in std::mem::take(&mut self.heads) {
            let seq = head.seq;
            if seq > last {
                let text = format!(
                    "the log ends at row {last} and {name} names row {seq}: rows were cut from \
                     the end, or this is an older database"
                );
                self.find(last + 1, "cut", text);
            } else if found.is_some_and(|hash| hash != head.hash) {
                let text = format!(
                    "row {seq} is not the one that {name} names: it or one before it was changed"
                );
                self.find(seq, "rewritten", text);
            }
        }
        self.end_of_keys(last);
    }

    fn end_of_keys(&mut self, last: i64) {
        let Some(mut marks) = self.marks.take() else {
            return self.kept_alone(last);
        };
        let kept = self.kept.as_ref().ok().map(|kept| kept.key);
        marks.go_on(last, kept.as_ref());
        self.report.keyed = marks.range;
        let Some((from, _)) = marks.range else {
            let text = format!(
                "no row begins the key {}: it belongs to another log, or its rows are gone",
                marks.name
            );
            return self.find(1, "key", text);
        };
        // The row that the kept key is for tells how many rows there were.
        let count = marks.kept.map(|kept| kept - 1);
        match (marks.wrong, count) {
            (Some(row), Some(count)) if count > last => self.find(
                row,
                "removed",
                format!(
                    "{} fewer rows than were written, the first is missing at {row}",
                    count - last
                ),
            ),
            (Some(row), Some(count)) if count < last && count >= from => self.find(
                row,
                "inserted",
                format!("{} more rows than were written, the first at {row}", last - count),
            ),
            (Some(row), _) if !self.has("reordered") => self.find(
                row,
                "edited",
                format!("row {row} does not have the mark of the key: it was changed"),
            ),
            (None, Some(count)) if count > last => {
                let text = format!(
                    "rows {} to {count} are gone from the end: the log was cut, or this is an \
                     older database",
                    last + 1
                );
                self.find(last + 1, "cut", text);
            }
            _ => {}
        }
        if marks.next.is_some() && marks.kept.is_none() {
            let why = match &self.kept {
                Err(why) => why.clone(),
                Ok(_) => "audit.key does not follow from this key: it was replaced".to_string(),
            };
            self.find(last, "key", format!("{why}; whether rows are gone from the end is unknown"));
        }
    }

    /// Without a key: the number in `audit.key` alone, which a forger may have changed too.
    fn kept_alone(&mut self, last: i64) {
        let Some(name) = self.report.key.clone() else { return };
        let found = match &self.kept {
            Err(why) => Some(("key", why.clone())),
            Ok(kept) if kept.name != name => {
                Some(("key", "audit.key is not the key that the log names".to_string()))
            }
            Ok(kept) if kept.seq > last + 1 => Some((
                "cut",
                format!(
                    "rows {} to {} are gone from the end: the log was cut, or this is an older \
                     database",
                    last + 1,
                    kept.seq - 1
                ),
            )),
            Ok(_) => None,
        };
        if let Some((what, text)) = found {
            self.find(last + 1, what, text);
        }
    }
}

fn fields<'a>(row: &'a Row<'_>) -> rusqlite::Result<Vec<Field<'a>>> {
    let field = |at| {
        Ok(match row.get_ref(at)? {
            ValueRef::Null => Field::Null,
            ValueRef::Integer(number) => Field::Integer(number),
            ValueRef::Text(text) => Field::Text(text),
            ValueRef::Blob(bytes) => Field::Bytes(bytes),
            ValueRef::Real(_) => Field::Bytes(b"a real number"),
        })
    };
    (0..HASHED).map(field).collect()
}
