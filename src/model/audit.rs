//! The audit log: one row for every decision and every event that bears on who may do what. How
//! rows are kept from being rewritten is the store's business.

use crate::base::id;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::model::chain::Secret;
use serde_json::Value;
use serde_json::json;
use std::fmt;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The gate answered a tool call.
    Decision,
    /// An approval was answered, or came to its end without an answer.
    Answer,
    /// The gate of a session can no longer be trusted, or somebody tried to get around it.
    Alarm,
    /// A policy or a set of them was made, changed, removed, applied or taken off.
    Policy,
    /// A grant was given, used up or taken back.
    Grant,
    /// A setting was changed.
    Setting,
    /// A session began, ended, or was let off a protection: a repository's own settings, dangerous
    /// mode, freezing.
    Session,
    /// Somebody logged in or out over the web, was refused, or changed how that is done.
    Login,
    /// A key of the log begins here, or the log itself.
    Chain,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 9] = [
        Kind::Decision,
        Kind::Answer,
        Kind::Alarm,
        Kind::Policy,
        Kind::Grant,
        Kind::Setting,
        Kind::Session,
        Kind::Login,
        Kind::Chain,
    ];

    /// The word of the API and the database.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Decision => "decision",
            Kind::Answer => "answer",
            Kind::Alarm => "alarm",
            Kind::Policy => "policy",
            Kind::Grant => "grant",
            Kind::Setting => "setting",
            Kind::Session => "session",
            Kind::Login => "login",
            Kind::Chain => "chain",
        }
    }

    /// The kind behind a word.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Who or what decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decider {
    /// A rule.
    Rule,
    /// The action for what no rule is about.
    Default,
    /// The protection of codepiper's own files, which no rule can lift.
    SelfProtection,
    /// A person, through one of codepiper's doors.
    Person,
    /// A person, in the agent's own dialog.
    Terminal,
    /// A grant that a person gave before.
    Grant,
    /// Dangerous mode.
    Dangerous,
    /// The time to answer was over.
    Expiry,
    /// The call, its agent or its session ended before anybody answered.
    Withdrawn,
    /// The daemon itself.
    Daemon,
}

impl Decider {
    /// All deciders.
    pub const ALL: [Decider; 10] = [
        Decider::Rule,
        Decider::Default,
        Decider::SelfProtection,
        Decider::Person,
        Decider::Terminal,
        Decider::Grant,
        Decider::Dangerous,
        Decider::Expiry,
        Decider::Withdrawn,
        Decider::Daemon,
    ];

    /// The word of the API and the database.
    pub fn word(self) -> &'static str {
        match self {
            Decider::Rule => "rule",
            Decider::Default => "default",
            Decider::SelfProtection => "self-protection",
            Decider::Person => "person",
            Decider::Terminal => "terminal",
            Decider::Grant => "grant",
            Decider::Dangerous => "dangerous",
            Decider::Expiry => "expiry",
            Decider::Withdrawn => "withdrawn",
            Decider::Daemon => "daemon",
        }
    }

    /// The decider behind a word.
    pub fn from_word(word: &str) -> Option<Decider> {
        Decider::ALL.into_iter().find(|decider| decider.word() == word)
    }
}

/// A row that is not yet stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What it is about.
    pub kind: Kind,
    /// The session, where it is about one.
    pub session: Option<String>,
    /// hook-forward's id of the request, for a decision: asked again, it gets the same answer.
    pub request: Option<String>,
    /// The tool call, for decisions and the answers to them. Its input is stored without what looks
    /// like a secret.
    pub call: Option<ToolCall>,
    /// What a row without a call has to say in detail: the rules that a change added and removed,
    /// a setting's old and new value. Stored, like an input, without what looks like a secret.
    pub details: Option<Value>,
    /// SHA-256 of the whole canonical tool input (keys sorted, no white space).
    pub input_sha256: Option<[u8; 32]>,
    /// What the call does, see [`crate::model::call::Verdict::effects`].
    pub effects: Vec<String>,
    /// Name of the policy that the rule stands in, or that the row is about.
    pub policy: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The version of that policy.
    pub version: Option<i64>,
    /// What was decided.
    pub decision: Option<Action>,
    /// Why, in words; for what is no decision, what happened.
    pub reason: String,
    /// Who decided.
    pub decider: Decider,
    /// Through which door and process: `control pid 12 (codepiper)`, `hook pid 34 (claude)`.
    pub client: Option<String>,
    /// The sequence number of the row that this one goes on from: the decision that asked.
    pub about: Option<i64>,
}

impl NewEntry {
    /// A row about something that is no tool call; fields that matter are set on what this gives.
    pub fn new(kind: Kind, at_ms: i64, decider: Decider, reason: impl Into<String>) -> NewEntry {
        NewEntry {
            at_ms,
            kind,
            session: None,
            request: None,
            call: None,
            details: None,
            input_sha256: None,
            effects: Vec::new(),
            policy: None,
            rule: None,
            version: None,
            decision: None,
            reason: reason.into(),
            decider,
            client: None,
            about: None,
        }
    }
}

/// A stored row.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// 1, 2, 3 … without a gap.
    pub seq: i64,
    /// What it says.
    pub entry: NewEntry,
    /// The hash over it and all before it.
    pub hash: [u8; 32],
    /// What the key in force made of that hash, where there was a key.
    pub mac: Option<[u8; 32]>,
    /// Milliseconds since the machine was started, by a clock that nobody can set.
    pub boot_ms: Option<i64>,
    /// Which start of the machine that was.
    pub boot_id: Option<String>,
}

impl Entry {
    /// The verdict of a decision, as far as the row has it.
    pub fn verdict(&self) -> Option<Verdict> {
        let NewEntry { policy, rule, version, reason, effects, .. } = self.entry.clone();
        Some(Verdict { action: self.entry.decision?, policy, rule, version, reason, effects })
    }
}

/// A place in the log: all that stands before it is fixed by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest row.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Head {
    /// The head behind `SEQ:HASH`.
    pub fn parse(text: &str) -> Option<Head> {
        let (seq, hash) = text.trim().split_once(':')?;
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).ok()?;
        Some(Head { seq: seq.parse().ok().filter(|seq| *seq > 0)?, hash: bytes.try_into().ok()? })
    }
}

/// What a check of the log goes by, besides the log itself.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// A key that a person kept.
    pub secret: Option<Secret>,
    /// A head that was noted before.
    pub head: Option<Head>,
}

/// Something that shows that the log is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The first row that it shows at.
    pub seq: i64,
    /// Its name: `edited`, `removed`, `inserted`, `reordered`, `cut`, `rewritten`, `unguarded`,
    /// `key`.
    pub what: &'static str,
    /// In words.
    pub text: String,
}

/// What a check of the log found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rows that were read.
    pub rows: i64,
    /// The newest of them.
    pub head: Option<Head>,
    /// From and to which row a key that was given fits; `None` where none was.
    pub keyed: Option<(i64, i64)>,
    /// The name of the newest key in the log.
    pub key: Option<String>,
    /// What is wrong. None: the log is whole, as far as was checked.
    pub findings: Vec<Finding>,
}

impl Report {
    /// `{ok, rows, head?, hash?, key?, keyed?: {from, to}, findings: [{row, what, text}]}`.
    pub fn to_json(&self) -> Value {
        let found = |f: &Finding| json!({"row": f.seq, "what": f.what, "text": f.text});
        json!({
            "ok": self.findings.is_empty(),
            "rows": self.rows,
            "head": self.head.map(|head| head.to_string()),
            "hash": self.head.map(|head| id::hex(&head.hash)),
            "key": self.key,
            "keyed": self.keyed.map(|(from, to)| json!({"from": from, "to": to})),
            "findings": self.findings.iter().map(found).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, id::hex(&self.hash))
    }
}

/// Which rows to read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Only of this session, by its whole id.
    pub session: Option<String>,
    /// Only those that said this.
    pub decision: Option<Action>,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// Only of this tool.
    pub tool: Option<String>,
    /// Only with this text in tool, arguments, reason, policy or rule; big and small letters of
    /// ASCII are the same.
    pub text: Option<String>,
    /// Only from this time on, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Only up to this time, Unix milliseconds.
    pub until_ms: Option<i64>,
    /// Only behind this sequence number; the oldest that fit are then given.
    pub after: Option<i64>,
    /// Only before this sequence number.
    pub before: Option<i64>,
    /// So many; the newest, but see `after`.
    pub limit: usize,
}

/// Rows that were read at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Those that fit, the newest last.
    pub entries: Vec<Entry>,
    /// There may be more: behind this row, or before it, in the direction that was asked for.
    pub more: Option<i64>,
}
