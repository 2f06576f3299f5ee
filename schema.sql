-- The whole database of codepiper, and the one truth about the shape of its tables.
--
-- A fresh database is made from this file. An older one is brought here by the numbered steps of
-- src/store/migrate.rs; a test holds both roads to the same end. Whoever changes this file adds a
-- step, raises user_version by one, and leaves tests/data/schema/v*.sql (what was shipped) alone.
--
-- Times are Unix milliseconds. JSON columns hold JSON text. Flags are 0 or 1.

-- "cpip": tells our database from any other program's before anything is written to it.
PRAGMA application_id = 1668311408;
PRAGMA user_version = 5;

-- One row per session, live or ended. It goes when the user removes the session; what was decided
-- in it stays (see audit).
CREATE TABLE sessions (
    id              TEXT    PRIMARY KEY NOT NULL,    -- UUID, kept over resumes
    provider        TEXT    NOT NULL,                -- row of the provider table
    cwd             TEXT    NOT NULL,                -- absolute
    state           TEXT    NOT NULL CHECK (state IN (
        'STARTING', 'RUNNING', 'NEEDS_PERMISSION', 'NEEDS_INPUT', 'STOPPED', 'CRASHED'
    )),
    reason          TEXT,                            -- why it stands there, in words
    name            TEXT,                            -- the user's name for it
    created_ms      INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL,
    ended_ms        INTEGER,
    program         TEXT    NOT NULL,                -- absolute
    args            TEXT    NOT NULL CHECK (json_type(args) = 'array'),
    pid             INTEGER,                         -- the program's, while it lives
    keeper_pid      INTEGER,                         -- its keeper's, with the start time that tells
    keeper_start    INTEGER,                         -- a reused pid from the real one
    boot_id         TEXT    NOT NULL,
    cols            INTEGER NOT NULL CHECK (cols BETWEEN 1 AND 65535),
    rows            INTEGER NOT NULL CHECK (rows BETWEEN 1 AND 65535),
    exit_code       INTEGER,                         -- at most one of the two is set
    exit_signal     INTEGER,
    stop_wanted     INTEGER NOT NULL CHECK (stop_wanted IN (0, 1)),
    epoch           INTEGER NOT NULL CHECK (epoch >= 0),
    log_end         INTEGER NOT NULL CHECK (log_end >= 0), -- bytes of output, gaps included
    log_degraded    INTEGER NOT NULL CHECK (log_degraded IN (0, 1)),
    -- Only the hash of the secret that the session's hooks carry; NULL once it has ended.
    secret_sha256   BLOB             CHECK (length(secret_sha256) = 32),
    hook_build      TEXT,                            -- whose pinned copy its hooks run
    agent_session   TEXT,                            -- the agent's own id of the conversation
    transcript_path TEXT,
    guarded         INTEGER NOT NULL CHECK (guarded IN (0, 1)),
    billing         TEXT    NOT NULL DEFAULT 'subscription'
                                     CHECK (billing IN ('subscription', 'api')),
    hook_sha256     BLOB             CHECK (length(hook_sha256) = 32), -- of the pinned copy
    alarm           TEXT,                            -- why the gate can't be trusted, in words
    program_sha256  BLOB             CHECK (length(program_sha256) = 32), -- see proofs
    forked_from     TEXT,                            -- the conversation that it began with a copy of
    given           TEXT    NOT NULL DEFAULT '[]'    -- names of variables that a person gave
                                     CHECK (json_type(given) = 'array'),
    project_settings INTEGER NOT NULL DEFAULT 0      -- the repository's own were let in
                                     CHECK (project_settings IN (0, 1)),
    frozen          INTEGER NOT NULL DEFAULT 0 CHECK (frozen IN (0, 1)), -- by a person
    dangerous_until_ms INTEGER,                      -- end of dangerous mode by the wall clock,
    dangerous_until_boot_ms INTEGER                  -- and by the time since boot
                                     CHECK ((dangerous_until_ms IS NULL)
                                         = (dangerous_until_boot_ms IS NULL)),
    env_sets        TEXT    NOT NULL DEFAULT '[]'    -- ids of those that it gets at each start
                                     CHECK (json_type(env_sets) = 'array'),
    sandbox_asked   TEXT    NOT NULL DEFAULT 'off',  -- the level that was asked for, or auto
    sandbox_held    TEXT    NOT NULL DEFAULT 'off',  -- the level that holds, and what it lacks
    sandbox_grants  TEXT    NOT NULL DEFAULT '[]'    -- what a person granted: names and paths
                                     CHECK (json_type(sandbox_grants) = 'array'),
    CHECK (exit_code IS NULL OR exit_signal IS NULL),
    CHECK ((keeper_pid IS NULL) = (keeper_start IS NULL))
) STRICT;

-- What happened in a session, in order. Goes with its session. Ids grow by one and are never given
-- twice, so that a reader can go on from the last one it saw. The list of sources is the program's
-- (model/event.rs) and grows with it, so it is not checked here.
CREATE TABLE events (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    at_ms      INTEGER NOT NULL,
    source     TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL CHECK (json_valid(payload))
) STRICT;

CREATE INDEX events_by_session ON events (session_id, id);

-- The audit log: a row for every decision, committed before the answer left, and for every event
-- that bears on who may do what. It names its session without a foreign key: rows outlive sessions.
-- One request has one answer for ever, so a hook that asks again gets the same. Each row's hash is
-- over its columns in this order and the hash before it; src/model/chain.rs has the arithmetic.
CREATE TABLE audit (
    seq            INTEGER PRIMARY KEY,              -- 1, 2, 3 ... without a gap
    at_ms          INTEGER NOT NULL,
    boot_ms        INTEGER,                          -- milliseconds since the machine's start
    boot_id        TEXT,                             -- which start that was
    kind           TEXT    NOT NULL,                 -- decision, answer, alarm, ...
    session_id     TEXT,
    request        TEXT,                             -- hook-forward's id of the request
    tool           TEXT,
    args           TEXT    CHECK (args IS NULL OR json_valid(args)), -- input, without secrets
    args_sha256    BLOB    CHECK (length(args_sha256) = 32), -- of the whole canonical input
    cwd            TEXT,
    call_id        TEXT,                             -- the agent's id for the call
    agent_id       TEXT,                             -- the subagent that made it
    effects        TEXT    NOT NULL CHECK (json_type(effects) = 'array'),
    policy         TEXT,                             -- name of the policy that the rule stands in
    rule           TEXT,                             -- the rule that decided, where one did
    policy_version INTEGER,
    decision       TEXT    CHECK (decision IN ('allow', 'deny', 'ask')),
    reason         TEXT    NOT NULL,
    decider        TEXT    NOT NULL,                 -- rule, person, expiry, ...
    client         TEXT,                             -- door and process
    about          INTEGER,                          -- seq of the row that this one goes on from
    hash           BLOB    NOT NULL CHECK (length(hash) = 32),
    mac            BLOB    CHECK (length(mac) = 32)  -- from the first key on
) STRICT;

CREATE UNIQUE INDEX audit_by_request ON audit (session_id, request) WHERE request IS NOT NULL;
CREATE INDEX audit_by_session ON audit (session_id) WHERE session_id IS NOT NULL;
-- What has run is compared with what was decided, call by call.
CREATE INDEX audit_by_call ON audit (session_id, call_id) WHERE call_id IS NOT NULL;
CREATE INDEX audit_by_decision ON audit (decision) WHERE decision IS NOT NULL;
-- Nearly all rows are decisions; the others are looked for among few.
CREATE INDEX audit_by_kind ON audit (kind) WHERE kind <> 'decision';
CREATE INDEX audit_by_about ON audit (about) WHERE about IS NOT NULL;

-- The log is append-only. INSERT OR REPLACE fires delete triggers only under recursive_triggers
-- (which our writer sets); the third trigger stops it on any other connection too.
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

-- The user's settings, one JSON value each. Which keys there are and what they may hold is the
-- program's business.
CREATE TABLE settings (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;

-- Named lists of rules. A global policy holds for every session, a session's for that one (and goes
-- with it), and a set's for the sessions that a set which lists it is applied to.
CREATE TABLE policies (
    id          TEXT    PRIMARY KEY NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT,
    enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    priority    INTEGER NOT NULL,                    -- which rule is named, never what is decided
    scope       TEXT    NOT NULL CHECK (scope IN ('global', 'session', 'set')),
    session_id  TEXT    REFERENCES sessions (id) ON DELETE CASCADE,
    rules       TEXT    NOT NULL CHECK (json_type(rules) = 'array'),
    version     INTEGER NOT NULL CHECK (version >= 1), -- one more with each change of the rules
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    CHECK ((scope = 'session') = (session_id IS NOT NULL))
) STRICT;

CREATE INDEX policies_by_session ON policies (session_id);

-- Named lists of policies. The built-in ones are the program's and have no row.
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

-- Which sets hold for a session; set_id may name a built-in one, so it is no foreign key.
CREATE TABLE session_policy_sets (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    set_id     TEXT NOT NULL,
    PRIMARY KEY (session_id, set_id)
) STRICT, WITHOUT ROWID;

-- Whether the gate was seen to hold with one exact agent program, once for each build of ours.
CREATE TABLE proofs (
    provider       TEXT    NOT NULL,
    program_sha256 BLOB    NOT NULL CHECK (length(program_sha256) = 32),
    build          TEXT    NOT NULL,
    version        TEXT    NOT NULL,                 -- what the program calls itself
    outcome        TEXT    NOT NULL CHECK (outcome IN ('proven', 'disproved', 'unclear')),
    detail         TEXT    NOT NULL,
    at_ms          INTEGER NOT NULL,
    PRIMARY KEY (provider, program_sha256, build)
) STRICT, WITHOUT ROWID;

-- Questions to the person about one tool call each. What the call is stands in the audit log; its
-- whole input, which may hold secrets, is nowhere. They go with their session, the log stays.
CREATE TABLE approvals (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id    TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    decision      INTEGER NOT NULL,                  -- the row of the audit log that asked
    holder        TEXT    NOT NULL,                  -- the request that carries the answer back
    bound_sha256  BLOB    NOT NULL CHECK (length(bound_sha256) = 32),
    grant_sha256  BLOB    NOT NULL CHECK (length(grant_sha256) = 32),
    tool          TEXT    NOT NULL,
    call_id       TEXT,
    agent_id      TEXT,
    input_sha256  BLOB    NOT NULL CHECK (length(input_sha256) = 32),
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    status        TEXT    CHECK (status IN ('approved', 'denied', 'expired', 'withdrawn')),
    answered_ms   INTEGER,                           -- all of these, or none while it is pending
    decider       TEXT,
    reason        TEXT,
    client        TEXT,
    CHECK ((status IS NULL) = (answered_ms IS NULL)),
    CHECK ((status IS NULL) = (decider IS NULL)),
    CHECK ((status IS NULL) = (reason IS NULL)),
    UNIQUE (session_id, holder)
) STRICT;

CREATE INDEX approvals_by_session ON approvals (session_id, id);

-- A person's yes to further calls that are the same but for their id.
CREATE TABLE grants (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id      TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    epoch           INTEGER NOT NULL,                -- the start of the program that it ends with
    approval        INTEGER NOT NULL,                -- the one that it was given with
    grant_sha256    BLOB    NOT NULL CHECK (length(grant_sha256) = 32),
    created_ms      INTEGER NOT NULL,
    expires_ms      INTEGER,                         -- by the clock on the wall
    expires_boot_ms INTEGER,                         -- by the one that counts from the boot
    boot_id         TEXT    NOT NULL,
    left_count      INTEGER CHECK (left_count >= 0), -- calls that it still answers; NULL: any
    used            INTEGER NOT NULL CHECK (used >= 0),
    revoked_ms      INTEGER
) STRICT;

CREATE INDEX grants_by_session ON grants (session_id, grant_sha256);

-- Who logs in over the web: one person. Without a TOTP secret nobody can: the password alone leads
-- to setting one up.
CREATE TABLE account (
    id             INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    password       TEXT    NOT NULL,                 -- argon2id, as a PHC string
    totp           BLOB,                             -- sealed under master.key
    version        INTEGER NOT NULL CHECK (version >= 0), -- one more with each TOTP secret
    last_step      INTEGER NOT NULL,                 -- of the newest code that was used
    changed_ms     INTEGER NOT NULL
) STRICT;

-- What stands in for a code, each once. Only what master.key makes of it is kept.
CREATE TABLE recovery_codes (
    mac     BLOB    PRIMARY KEY NOT NULL CHECK (length(mac) = 32),
    used_ms INTEGER
) STRICT, WITHOUT ROWID;

-- What the first password is set with, until it is used or its time is over.
CREATE TABLE bootstrap (
    id         INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
    expires_ms INTEGER NOT NULL
) STRICT;

-- Browsers that are logged in, or on the way there. Tokens and proofs are kept as hashes.
CREATE TABLE web_sessions (
    id              TEXT    PRIMARY KEY NOT NULL,    -- for lists; opens nothing
    kind            TEXT    NOT NULL CHECK (kind IN ('login', 'onboarding')),
    token_sha256    BLOB    NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
    proof_sha256    BLOB    NOT NULL CHECK (length(proof_sha256) = 32),
    created_ms      INTEGER NOT NULL,
    used_ms         INTEGER NOT NULL,
    expires_ms      INTEGER NOT NULL,
    address         TEXT    NOT NULL,
    agent           TEXT    NOT NULL,
    proven          INTEGER NOT NULL DEFAULT 0,      -- an onboarding has shown its proof once
    pending         BLOB,                            -- a TOTP secret that awaits its first code,
    pending_version INTEGER NOT NULL DEFAULT 0,      -- sealed; good for this session only
    pending_until   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Passwords and codes that were tried, by address and over all.
CREATE TABLE login_attempts (
    name    TEXT    PRIMARY KEY NOT NULL,
    tries   INTEGER NOT NULL CHECK (tries >= 0),
    last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Named lists of variables. Values are sealed under master.key, name and variables as one, so that
-- none can be exchanged, or put back as it was, by itself; `names` is a copy for lists, compared
-- with what was sealed at each use.
CREATE TABLE env_sets (
    id          TEXT    PRIMARY KEY NOT NULL,
    name        TEXT    NOT NULL UNIQUE,
    description TEXT,
    names       TEXT    NOT NULL CHECK (json_type(names) = 'array'),
    sealed      BLOB    NOT NULL,
    version     INTEGER NOT NULL CHECK (version >= 1), -- one more with each change
    created_ms  INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL
) STRICT;

-- Keys of digests that were made before the master key was changed and cannot be made anew: those
-- of recovery codes and of known browsers. Sealed under the master key of today.
CREATE TABLE mac_keys (
    purpose TEXT    NOT NULL,
    version INTEGER NOT NULL,
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (purpose, version)
) STRICT, WITHOUT ROWID;

-- What a person granted to all caged sessions of a project, by its directory.
CREATE TABLE project_grants (
    project    TEXT    NOT NULL,
    name       TEXT    NOT NULL,                     -- of a grant, or a path
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;

-- What may become a notice: it does where it still stands here when it is due. Goes with its
-- session, and with the state that it is about.
CREATE TABLE notice_dwells (
    session_id  TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL,                    -- the list is the program's (model/notice.rs)
    title       TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    approval_id INTEGER,                             -- the newest that is waited for
    count       INTEGER NOT NULL CHECK (count >= 1), -- how many it stands for
    created_ms  INTEGER NOT NULL,
    due_ms      INTEGER NOT NULL,
    PRIMARY KEY (session_id, kind)
) STRICT, WITHOUT ROWID;

-- What a person should hear of. Goes with its session. Ids grow and are never given twice;
-- `revision` is a place in the order of all changes, from notice_changes.
CREATE TABLE notices (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id  TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind        TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    approval_id INTEGER,                             -- the newest that was waited for
    count       INTEGER NOT NULL CHECK (count >= 1), -- how many it stands for
    created_ms  INTEGER NOT NULL,                    -- when it became one
    raised_ms   INTEGER NOT NULL,                    -- when the newest of them did
    read_ms     INTEGER,
    read_source TEXT,                                -- where, or why nobody had to
    revision    INTEGER NOT NULL,
    CHECK ((read_ms IS NULL) = (read_source IS NULL))
) STRICT;

CREATE INDEX notices_by_session ON notices (session_id, id);
CREATE INDEX notices_by_revision ON notices (revision);
CREATE INDEX notices_unread ON notices (session_id) WHERE read_ms IS NULL;

-- The newest revision that was given.
CREATE TABLE notice_changes (
    id     INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    newest INTEGER NOT NULL
) STRICT;

-- What a person said about one session's notices, where that is not what holds for all.
CREATE TABLE notice_prefs (
    session_id TEXT    PRIMARY KEY NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ways to reach a person whose page is closed. What is called or run, with what token, and how far
-- it may go, is sealed under master.key as one; the columns beside it are copies for lists.
CREATE TABLE notice_channels (
    id            TEXT    PRIMARY KEY NOT NULL,
    name          TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL CHECK (kind IN ('command', 'webhook')),
    body          TEXT    CHECK (body IN ('plain', 'ntfy', 'slack')), -- of a webhook
    target        TEXT    NOT NULL,                  -- the program, or scheme and host
    has_token     INTEGER NOT NULL CHECK (has_token IN (0, 1)),
    with_call     INTEGER NOT NULL CHECK (with_call IN (0, 1)),
    allow_private INTEGER NOT NULL CHECK (allow_private IN (0, 1)),
    after_ms      INTEGER NOT NULL CHECK (after_ms >= 0),
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    events        TEXT    NOT NULL CHECK (json_type(events) = 'array'),
    sealed        BLOB    NOT NULL,
    version       INTEGER NOT NULL CHECK (version >= 1), -- one more with each change
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL,
    last_state    TEXT,                              -- of the newest delivery or test, all three
    last_ms       INTEGER,
    last_detail   TEXT,
    CHECK ((kind = 'webhook') = (body IS NOT NULL)),
    CHECK ((last_state IS NULL) = (last_ms IS NULL))
) STRICT;

-- A notice on its way to a channel, and its receipt. It names the channel without a foreign key:
-- receipts outlive channels.
CREATE TABLE notice_deliveries (
    notice_id    INTEGER NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
    channel_id   TEXT    NOT NULL,
    channel_name TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'sent', 'failed', 'skipped')),
    tries        INTEGER NOT NULL CHECK (tries >= 0),
    due_ms       INTEGER NOT NULL,
    at_ms        INTEGER,
    detail       TEXT,
    PRIMARY KEY (notice_id, channel_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX notice_deliveries_waiting ON notice_deliveries (due_ms) WHERE state = 'waiting';
