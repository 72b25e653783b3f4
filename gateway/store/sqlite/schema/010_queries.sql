-- Queries: who asked whom what, when and why; never what was answered (gateway.ports.queries).

-- queries: one row for each query that was asked, by its id; mark: a keyed hash of what was asked about.
CREATE TABLE queries (
  key TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  contract TEXT NOT NULL,
  version TEXT NOT NULL,
  provider TEXT NOT NULL,
  purpose TEXT NOT NULL,
  asked_at REAL NOT NULL,
  digest TEXT NOT NULL,           -- of the envelope
  mark TEXT NOT NULL,
  officer TEXT NOT NULL,
  dossier TEXT NOT NULL,
  agreements TEXT NOT NULL,       -- JSON list of ids
  outcome TEXT NOT NULL,          -- asked, answered, empty, failed
  ended_at REAL,
  answer TEXT,                    -- digest of the answer's envelope
  until REAL NOT NULL             -- one that is asked still is nobody's from then on
) STRICT, WITHOUT ROWID;
CREATE INDEX queries_by_time ON queries (asked_at, key);
CREATE INDEX queries_by_mark ON queries (mark, asked_at, key);
