//! The schema's steps: each takes a database from one shipped version to the next.
//!
//! A step runs in a transaction with foreign keys off, so that it may rebuild tables; they are
//! checked before it is committed. Steps that have been shipped never change.

use crate::store::audit::carry;
use rusqlite::Connection;

/// What takes a database to its next version.
pub(super) struct Step {
    /// The change of the schema.
    pub sql: &'static str,
    /// What SQL cannot do, between `sql` and `then`.
    pub carry: fn(&Connection) -> rusqlite::Result<()>,
    /// What had to wait for it.
    pub then: &'static str,
}

impl Step {
    /// One that is SQL alone.
    pub const fn sql(sql: &'static str) -> Step {
        Step { sql, carry: |_| Ok(()), then: "" }
    }
}

/// Takes a database from version `n + 1` to `n + 2`, where `n` is its place here.
pub(super) const STEPS: &[Step] = &[
    Step { sql: STEP_2, carry: carry::decisions, then: "DROP TABLE decisions;" },
    Step::sql(STEP_3),
    Step::sql(STEP_4),
    Step::sql(STEP_5),
];

/// 2: policies and sets, the proof of the gate, alarms, the audit log. Rules that stood in a
/// setting become a global policy, decisions the first rows of the log.
const STEP_2: &str = "
ALTER TABLE sessions ADD COLUMN billing TEXT NOT NULL DEFAULT 'subscription'
    CHECK (billing IN ('subscription', 'api'));
ALTER TABLE sessions ADD COLUMN hook_sha256 BLOB CHECK (length(hook_sha256) = 32);
ALTER TABLE sessions ADD COLUMN alarm TEXT;
ALTER TABLE sessions ADD COLUMN program_sha256 BLOB CHECK (length(program_sha256) = 32);
ALTER TABLE sessions ADD COLUMN forked_from TEXT;
ALTER TABLE sessions ADD COLUMN given TEXT NOT NULL DEFAULT '[]' CHECK (json_type(given) = 'array');
ALTER TABLE sessions ADD COLUMN project_settings INTEGER NOT NULL DEFAULT 0
    CHECK (project_settings IN (0, 1));
ALTER TABLE sessions ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0 CHECK (frozen IN (0, 1));
ALTER TABLE sessions ADD COLUMN dangerous_until_ms INTEGER;
ALTER TABLE sessions ADD COLUMN dangerous_until_boot_ms INTEGER
    CHECK ((dangerous_until_ms IS NULL) = (dangerous_until_boot_ms IS NULL));
CREATE TABLE policies (
    id          TEXT    PRIMARY KEY NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    priority    INTEGER NOT NULL,
    scope       TEXT    NOT NULL CHECK (scope IN ('global', 'session', 'set')),
    session_id  TEXT    REFERENCES sessions (id) ON DELETE CASCADE,
    rules       TEXT    NOT NULL CHECK (json_type(rules) = 'array'),
    version     INTEGER NOT NULL CHECK (version >= 1),
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    CHECK ((scope = 'session') = (session_id IS NOT NULL))
) STRICT;
CREATE INDEX policies_by_session ON policies (session_id);
CREATE TABLE policy_sets (
    id          TEXT    PRIMARY KEY NOT NULL,
    name        TEXT    NOT NULL UNIQUE,
    description TEXT,
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL
) STRICT;
CREATE TABLE policy_set_members (
    set_id    TEXT NOT NULL REFERENCES policy_sets (id) ON DELETE CASCADE,
    policy_id TEXT NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    PRIMARY KEY (set_id, policy_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE session_policy_sets (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    set_id     TEXT NOT NULL,
    PRIMARY KEY (session_id, set_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE proofs (
    provider       TEXT    NOT NULL,
    program_sha256 BLOB    NOT NULL CHECK (length(program_sha256) = 32),
    build          TEXT    NOT NULL,
    version        TEXT    NOT NULL,
    outcome        TEXT    NOT NULL CHECK (outcome IN ('proven', 'disproved', 'unclear')),
    detail         TEXT    NOT NULL,
    at_ms          INTEGER NOT NULL,
    PRIMARY KEY (provider, program_sha256, build)
) STRICT, WITHOUT ROWID;
CREATE TABLE approvals (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id    TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    decision      INTEGER NOT NULL,
    holder        TEXT    NOT NULL,
    bound_sha256  BLOB    NOT NULL CHECK (length(bound_sha256) = 32),
    grant_sha256  BLOB    NOT NULL CHECK (length(grant_sha256) = 32),
    tool          TEXT    NOT NULL,
    call_id       TEXT,
    agent_id      TEXT,
    input_sha256  BLOB    NOT NULL CHECK (length(input_sha256) = 32),
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    status        TEXT    CHECK (status IN ('approved', 'denied', 'expired', 'withdrawn')),
    answered_ms   INTEGER,
    decider       TEXT,
    reason        TEXT,
    client        TEXT,
    CHECK ((status IS NULL) = (answered_ms IS NULL)),
    CHECK ((status IS NULL) = (decider IS NULL)),
    CHECK ((status IS NULL) = (reason IS NULL)),
    UNIQUE (session_id, holder)
) STRICT;
CREATE INDEX approvals_by_session ON approvals (session_id, id);
CREATE TABLE grants (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id      TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    epoch           INTEGER NOT NULL,
    approval        INTEGER NOT NULL,
    grant_sha256    BLOB    NOT NULL CHECK (length(grant_sha256) = 32),
    created_ms      INTEGER NOT NULL,
    expires_ms      INTEGER,
    expires_boot_ms INTEGER,
    boot_id         TEXT    NOT NULL,
    left_count      INTEGER CHECK (left_count >= 0),
    used            INTEGER NOT NULL CHECK (used >= 0),
    revoked_ms      INTEGER
) STRICT;
CREATE INDEX grants_by_session ON grants (session_id, grant_sha256);
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    boot_ms INTEGER,
    boot_id TEXT,
    kind TEXT NOT NULL,
    session_id TEXT,
    request TEXT,
    tool TEXT,
    args TEXT CHECK (args IS NULL OR json_valid(args)),
    args_sha256 BLOB CHECK (length(args_sha256) = 32),
    cwd TEXT,
    call_id TEXT,
    agent_id TEXT,
    effects TEXT NOT NULL CHECK (json_type(effects) = 'array'),
    policy TEXT,
    rule TEXT,
    policy_version INTEGER,
    decision TEXT CHECK (decision IN ('allow', 'deny', 'ask')),
    reason TEXT NOT NULL,
    decider TEXT NOT NULL,
    client TEXT,
    about INTEGER,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    mac BLOB CHECK (length(mac) = 32)
) STRICT;
CREATE UNIQUE INDEX audit_by_request ON audit (session_id, request) WHERE request IS NOT NULL;
CREATE INDEX audit_by_session ON audit (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX audit_by_call ON audit (session_id, call_id) WHERE call_id IS NOT NULL;
CREATE INDEX audit_by_decision ON audit (decision) WHERE decision IS NOT NULL;
CREATE INDEX audit_by_kind ON audit (kind) WHERE kind <> 'decision';
CREATE INDEX audit_by_about ON audit (about) WHERE about IS NOT NULL;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
 SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
 SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
 OR EXISTS (SELECT 1 FROM audit WHERE session_id = NEW.session_id AND request = NEW.request)
BEGIN
 SELECT RAISE(ABORT, 'the audit log is append-only: this row is there already');
END;
INSERT INTO policies (id, name, enabled, priority, scope, rules, version, created_ms, updated_ms)
    SELECT 'settings', 'settings', 1, 0, 'global', value, 1,
           CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM settings WHERE key = 'policy' AND json_type(value) = 'array';
DELETE FROM settings WHERE key = 'policy';
";

/// 3: logins over the web.
const STEP_3: &str = "
CREATE TABLE account (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    password TEXT NOT NULL,
    totp BLOB,
    version INTEGER NOT NULL CHECK (version >= 0),
    last_step INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE recovery_codes (
    mac BLOB PRIMARY KEY NOT NULL CHECK (length(mac) = 32),
    used_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE bootstrap (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE web_sessions (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('login', 'onboarding')),
    token_sha256 BLOB NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
    proof_sha256 BLOB NOT NULL CHECK (length(proof_sha256) = 32),
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    proven INTEGER NOT NULL DEFAULT 0,
    pending BLOB,
    pending_version INTEGER NOT NULL DEFAULT 0,
    pending_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE login_attempts (
    name TEXT PRIMARY KEY NOT NULL,
    tries INTEGER NOT NULL CHECK (tries >= 0),
    last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// 4: env sets, keys that outlive a rotation of the master key, cages.
const STEP_4: &str = "
CREATE TABLE env_sets (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    names TEXT NOT NULL CHECK (json_type(names) = 'array'),
    sealed BLOB NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE mac_keys (
    purpose TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (purpose, version)
) STRICT, WITHOUT ROWID;
ALTER TABLE sessions ADD COLUMN env_sets TEXT NOT NULL DEFAULT '[]'
    CHECK (json_type(env_sets) = 'array');
ALTER TABLE sessions ADD COLUMN sandbox_asked TEXT NOT NULL DEFAULT 'off';
ALTER TABLE sessions ADD COLUMN sandbox_held TEXT NOT NULL DEFAULT 'off';
ALTER TABLE sessions ADD COLUMN sandbox_grants TEXT NOT NULL DEFAULT '[]'
    CHECK (json_type(sandbox_grants) = 'array');
CREATE TABLE project_grants (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;
";

/// 5: notices, and the channels that carry them away.
const STEP_5: &str = "
CREATE TABLE notice_dwells (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    approval_id INTEGER,
    count INTEGER NOT NULL CHECK (count >= 1),
    created_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (session_id, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    approval_id INTEGER,
    count INTEGER NOT NULL CHECK (count >= 1),
    created_ms INTEGER NOT NULL,
    raised_ms INTEGER NOT NULL,
    read_ms INTEGER,
    read_source TEXT,
    revision INTEGER NOT NULL,
    CHECK ((read_ms IS NULL) = (read_source IS NULL))
) STRICT;
CREATE INDEX notices_by_session ON notices (session_id, id);
CREATE INDEX notices_by_revision ON notices (revision);
CREATE INDEX notices_unread ON notices (session_id) WHERE read_ms IS NULL;
CREATE TABLE notice_changes (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    newest INTEGER NOT NULL
) STRICT;
CREATE TABLE notice_prefs (
    session_id TEXT PRIMARY KEY NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE notice_channels (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('command', 'webhook')),
    body TEXT CHECK (body IN ('plain', 'ntfy', 'slack')),
    target TEXT NOT NULL,
    has_token INTEGER NOT NULL CHECK (has_token IN (0, 1)),
    with_call INTEGER NOT NULL CHECK (with_call IN (0, 1)),
    allow_private INTEGER NOT NULL CHECK (allow_private IN (0, 1)),
    after_ms INTEGER NOT NULL CHECK (after_ms >= 0),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    events TEXT NOT NULL CHECK (json_type(events) = 'array'),
    sealed BLOB NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    last_state TEXT,
    last_ms INTEGER,
    last_detail TEXT,
    CHECK ((kind = 'webhook') = (body IS NOT NULL)),
    CHECK ((last_state IS NULL) = (last_ms IS NULL))
) STRICT;
CREATE TABLE notice_deliveries (
    notice_id INTEGER NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    channel_id TEXT NOT NULL,
    channel_name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed', 'skipped')),
    tries INTEGER NOT NULL CHECK (tries >= 0),
    due_ms INTEGER NOT NULL,
    at_ms INTEGER,
    detail TEXT,
    PRIMARY KEY (notice_id, channel_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_deliveries_waiting ON notice_deliveries (due_ms) WHERE state = 'waiting';
";
