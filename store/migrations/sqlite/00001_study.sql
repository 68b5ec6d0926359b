-- +goose Up
CREATE TABLE study (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  name        TEXT NOT NULL,
  created     INTEGER,          -- nanoseconds since 1970, UTC
  seed        TEXT NOT NULL,    -- decimal: an unsigned 64-bit number
  problem     TEXT NOT NULL,
  searcher    TEXT NOT NULL,
  reason      TEXT NOT NULL,
  status      TEXT NOT NULL,
  stop_reason TEXT NOT NULL,
  engine      TEXT NOT NULL,
  attrs       TEXT,             -- JSON
  metrics     TEXT,             -- JSON
  spec        TEXT,             -- JSON
  space       TEXT,             -- JSON
  crc         INTEGER NOT NULL
) STRICT;

-- Narrow columns first: SQLite reads a row from its start and stops at the
-- last column asked for.
CREATE TABLE trials (
  number      INTEGER PRIMARY KEY CHECK (number >= 0),
  state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
  violation   REAL,             -- NULL is NaN
  loss        TEXT,             -- JSON array
  attempt     INTEGER NOT NULL CHECK (attempt >= 1),
  proposal    INTEGER NOT NULL,
  ask_seq     INTEGER NOT NULL,
  tell_seq    INTEGER NOT NULL,
  fidelity    REAL,
  hash        BLOB CHECK (length(hash) = 16),
  key         TEXT,
  crc         INTEGER NOT NULL, -- CRC-32C of all other columns
  measured    TEXT,             -- JSON object
  queued      INTEGER,          -- nanoseconds since 1970, UTC
  started     INTEGER,
  finished    INTEGER,
  seconds     REAL,
  cost        REAL,
  worker      TEXT,
  operator    TEXT,
  why         TEXT,
  parents     TEXT,             -- JSON array
  predicted   TEXT,             -- JSON object
  error_class TEXT,
  error       TEXT,
  exit_code   INTEGER NOT NULL,
  stderr      TEXT,
  attrs       TEXT,             -- JSON object
  design      TEXT              -- JSON
) STRICT;

-- The evaluation cache: only complete trials can be found.
CREATE INDEX trials_by_hash ON trials (hash) WHERE state = 3 AND hash IS NOT NULL;
CREATE INDEX trials_by_key ON trials (key) WHERE state = 3 AND key IS NOT NULL;
-- What is left to do, and little else.
CREATE INDEX trials_open ON trials (state) WHERE state <= 2;

CREATE TABLE steps (
  trial    INTEGER NOT NULL REFERENCES trials (number),
  attempt  INTEGER NOT NULL CHECK (attempt >= 1),
  step     INTEGER NOT NULL,
  at       INTEGER,             -- nanoseconds since 1970, UTC
  measured TEXT,                -- JSON object
  crc      INTEGER NOT NULL,
  PRIMARY KEY (trial, attempt, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE states (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;
INSERT INTO states (id, name) VALUES
  (1, 'waiting'), (2, 'running'), (3, 'complete'), (4, 'pruned'),
  (5, 'infeasible'), (6, 'failed'), (7, 'cached');

-- For people with an SQLite shell.
CREATE VIEW trials_readable AS
SELECT t.number, s.name AS state, t.attempt, t.measured, t.loss, t.violation, t.fidelity,
       t.design, t.operator, t.parents, t.why, t.predicted,
       strftime('%Y-%m-%d %H:%M:%f', t.queued / 1e9, 'unixepoch') AS queued,
       strftime('%Y-%m-%d %H:%M:%f', t.started / 1e9, 'unixepoch') AS started,
       strftime('%Y-%m-%d %H:%M:%f', t.finished / 1e9, 'unixepoch') AS finished,
       t.seconds, t.cost, t.worker, t.error_class, t.error, t.exit_code, t.stderr, t.attrs,
       t.ask_seq, t.tell_seq, t.proposal, lower(hex(t.hash)) AS hash, t.key
FROM trials t JOIN states s ON s.id = t.state
ORDER BY t.number;

-- "DAED"
PRAGMA application_id = 1145128260;
PRAGMA user_version = 1;
