//! The tables of the record. The schema's number is SQLite's `user_version`; each step runs once, in a
//! transaction, and ends by setting it.
//!
//! Times are microseconds of civil time (`_us`), durations milliseconds (`_ms`), words are what callers heard.

/// One step from version `n` to `n + 1`, in order.
pub(super) const STEPS: [&str; 4] = [FIRST, FACTS_BY_CALL, AUDIT, PROMISES];

const FIRST: &str = "
CREATE TABLE cursor (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    last_seq INTEGER NOT NULL,   -- the last journal number projected, written with what it became
    last_index INTEGER NOT NULL
);
INSERT INTO cursor VALUES (1, 0, 0);

-- One row a visit: what a person asks first.
CREATE TABLE calls (
    id          INTEGER PRIMARY KEY,
    started_us  INTEGER NOT NULL,
    answered_us INTEGER,
    ended_us    INTEGER,
    dialled     TEXT NOT NULL,
    caller      TEXT NOT NULL,
    caller_name TEXT NOT NULL,
    peer        TEXT NOT NULL,
    menus       TEXT NOT NULL,   -- revision of the menu set he entered with
    language    TEXT,
    keys        TEXT NOT NULL DEFAULT '',
    queue       TEXT,
    priority    INTEGER,
    agent       TEXT,
    waited_ms   INTEGER,         -- the true wait: from his clock to the first agent
    talk_ms     INTEGER NOT NULL DEFAULT 0,
    conference_ms INTEGER NOT NULL DEFAULT 0,
    party       TEXT,
    cause       TEXT
);
CREATE INDEX calls_open ON calls (ended_us) WHERE ended_us IS NULL;
CREATE INDEX calls_caller ON calls (caller, started_us);

-- Everything that became true, in order: the rows above derive from it.
CREATE TABLE facts (
    seq   INTEGER NOT NULL,      -- journal number of the input that made it
    idx   INTEGER NOT NULL,      -- its place among the facts of that input
    at_us INTEGER NOT NULL,
    call  INTEGER,
    kind  TEXT NOT NULL,
    body  TEXT NOT NULL,         -- JSON
    PRIMARY KEY (seq, idx)
) WITHOUT ROWID;
CREATE INDEX facts_call ON facts (call, seq, idx) WHERE call IS NOT NULL;

-- Each wait told to a caller, with what came true.
CREATE TABLE tellings (
    call      INTEGER NOT NULL,
    at_us     INTEGER NOT NULL,
    ticket    INTEGER NOT NULL,
    kind      TEXT NOT NULL,     -- wait, unknown, nobody_yet, next
    low_s     INTEGER,
    high_s    INTEGER,
    rose      TEXT,
    waited_ms INTEGER NOT NULL,  -- when it was said
    true_ms   INTEGER            -- the whole wait, once it was over with an agent
);
CREATE INDEX tellings_call ON tellings (call);

CREATE TABLE offers (
    assignment INTEGER PRIMARY KEY,
    call       INTEGER NOT NULL,
    agent      TEXT NOT NULL,
    queue      TEXT NOT NULL,
    at_us      INTEGER NOT NULL,
    ended_us   INTEGER,
    outcome    TEXT,             -- connected, or the cause it ended with
    why        TEXT NOT NULL     -- JSON: candidates, who was passed over, what he was told
);
CREATE INDEX offers_call ON offers (call);

CREATE TABLE entries (
    call   INTEGER NOT NULL,
    entry  TEXT NOT NULL,
    digits TEXT,                 -- NULL: secret
    length INTEGER NOT NULL
);
CREATE INDEX entries_call ON entries (call);

-- Registered phones, so that agents can be rung at once after a restart.
CREATE TABLE bindings (
    agent       TEXT NOT NULL,
    uri         TEXT NOT NULL,   -- the contact
    stream      INTEGER NOT NULL,-- 1: over TCP
    listener    INTEGER NOT NULL,
    address     TEXT NOT NULL,   -- where requests for it are sent
    expires_us  INTEGER NOT NULL,
    sip_call_id TEXT NOT NULL,   -- of the REGISTER
    cseq        INTEGER NOT NULL,
    PRIMARY KEY (agent, uri)
) WITHOUT ROWID;

PRAGMA user_version = 1;
";

/// Facts lie by call, as they are asked for: one tree where there were two. Those of no call lie under 0.
const FACTS_BY_CALL: &str = "
CREATE TABLE facts_by_call (
    call  INTEGER NOT NULL,
    seq   INTEGER NOT NULL,      -- journal number of the input that made it
    idx   INTEGER NOT NULL,      -- its place among the facts of that input
    at_us INTEGER NOT NULL,
    kind  TEXT NOT NULL,
    body  TEXT NOT NULL,         -- JSON
    PRIMARY KEY (call, seq, idx)
) WITHOUT ROWID;
INSERT INTO facts_by_call SELECT coalesce(call, 0), seq, idx, at_us, kind, body FROM facts;
DROP TABLE facts;
ALTER TABLE facts_by_call RENAME TO facts;

PRAGMA user_version = 2;
";

/// Who changed what from outside, and who was not let.
const AUDIT: &str = "
CREATE TABLE audit (
    seq     INTEGER NOT NULL,    -- journal number
    idx     INTEGER NOT NULL,
    at_us   INTEGER NOT NULL,
    who     TEXT NOT NULL,       -- the name of his token, or of his account on the machine
    origin  TEXT NOT NULL,       -- the address he came from; here: a command on the machine
    what    TEXT NOT NULL,
    about   TEXT NOT NULL,
    outcome TEXT NOT NULL,       -- done, or why not
    PRIMARY KEY (seq, idx)
) WITHOUT ROWID;

PRAGMA user_version = 3;
";

/// What became of each wait that was told. Of older records what can be known is: the queue of a call is its last one, and
/// its clock is taken to have been UTC's.
const PROMISES: &str = "
CREATE TABLE promises (
    call      INTEGER NOT NULL,
    ticket    INTEGER NOT NULL,
    kind      TEXT NOT NULL,     -- wait
    queue     TEXT NOT NULL,
    told_us   INTEGER NOT NULL,
    wall_us   INTEGER NOT NULL,  -- the same by the line's clock, as if that were UTC
    low_s     INTEGER NOT NULL,
    high_s    INTEGER NOT NULL,
    at_entry  INTEGER NOT NULL,  -- 1: as he joined
    outcome   TEXT NOT NULL,     -- kept, late, broken
    cause     TEXT,              -- why he left without an agent; NULL: he was served
    waited_ms INTEGER NOT NULL   -- from the telling until he was served or left
);
CREATE INDEX promises_wall ON promises (wall_us);
INSERT INTO promises
    SELECT t.call, t.ticket, 'wait', c.queue, t.at_us, t.at_us, t.low_s, t.high_s,
           t.at_us = (SELECT min(at_us) FROM tellings f WHERE f.call = t.call AND f.ticket = t.ticket),
           CASE WHEN coalesce((t.true_ms - t.waited_ms), (c.ended_us - t.at_us) / 1000) > 1000 * t.high_s THEN 'late'
                WHEN t.true_ms IS NULL THEN 'broken' ELSE 'kept' END,
           CASE WHEN t.true_ms IS NULL THEN c.cause END,
           max(0, coalesce(t.true_ms - t.waited_ms, (c.ended_us - t.at_us) / 1000))
    FROM tellings t JOIN calls c ON c.id = t.call
    WHERE t.kind = 'wait' AND c.queue IS NOT NULL AND c.ended_us IS NOT NULL;

PRAGMA user_version = 4;
";
