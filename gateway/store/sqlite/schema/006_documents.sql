-- The register of documents: what was sent, what was reported, who owes an answer (gateway.ports.documents).

-- documents: one line for each message that speaks of a document, by the place of the message;
-- gateway.core.documents.entry says what each column means.
CREATE TABLE documents (
  message_seq INTEGER PRIMARY KEY REFERENCES messages (seq),
  kind TEXT NOT NULL,             -- new, recall, update, replace, status
  key TEXT NOT NULL,
  issuer TEXT NOT NULL,
  reporter TEXT NOT NULL,
  recipients TEXT NOT NULL,       -- JSON list of agencies
  concerned TEXT NOT NULL,        -- JSON list of keys
  code TEXT NOT NULL,
  said_at REAL,
  issued_on TEXT,
  fingerprint TEXT,
  obligations TEXT NOT NULL,      -- JSON list of [agency, name, due, [codes]]
  document TEXT NOT NULL,
  earlier TEXT NOT NULL,          -- JSON list of [code, moment]
  vouched INTEGER NOT NULL,       -- 0: its source may not speak for the reporter, so it counts for nothing; else 1
  parked INTEGER NOT NULL,        -- a status: 1 waits for its document, 2 did so in vain; else 0
  -- what came of it by a second way and was not kept: JSON list of [source, key, [agencies], [systems]]
  again TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX documents_by_key ON documents (key, issuer, kind);
-- what an agency issued
CREATE INDEX documents_issued ON documents (issuer, message_seq) WHERE kind <> 'status';
-- statuses whose document is not there
CREATE INDEX documents_parked ON documents (parked, message_seq) WHERE parked <> 0;

-- document_changes: the earlier documents that a line recalls, updates or replaces, to be found by them.
CREATE TABLE document_changes (
  key TEXT NOT NULL,
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  PRIMARY KEY (key, message_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_changes_of_line ON document_changes (message_seq);

-- duties: what is owed for a line and not done yet; next_at is NULL where no reminder is due any more.
CREATE TABLE duties (
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  agency TEXT NOT NULL,
  name TEXT NOT NULL,
  answered_by TEXT NOT NULL,      -- JSON list of codes
  due REAL NOT NULL,
  level INTEGER NOT NULL,
  next_at REAL,
  PRIMARY KEY (message_seq, agency, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX duties_due ON duties (due);
CREATE INDEX duties_next ON duties (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX duties_of_agency ON duties (agency, due);
