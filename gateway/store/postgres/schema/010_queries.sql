-- Queries: who asked whom what, when and why; never what was answered (gateway.ports.queries).

-- queries: one row for each query that was asked, by its id; mark: a keyed hash of what was asked about.
CREATE TABLE queries (
  key text COLLATE "C" PRIMARY KEY,
  source text NOT NULL,
  contract text NOT NULL,
  version text NOT NULL,
  provider text NOT NULL,
  purpose text NOT NULL,
  asked_at double precision NOT NULL,
  digest text NOT NULL,           -- of the envelope
  mark text NOT NULL,
  officer text NOT NULL,
  dossier text NOT NULL,
  agreements text NOT NULL,       -- JSON list of ids
  outcome text NOT NULL,          -- asked, answered, empty, failed
  ended_at double precision,
  answer text,                    -- digest of the answer's envelope
  until double precision NOT NULL             -- one that is asked still is nobody's from then on
);
CREATE INDEX queries_by_time ON queries (asked_at, key);
CREATE INDEX queries_by_mark ON queries (mark, asked_at, key);
