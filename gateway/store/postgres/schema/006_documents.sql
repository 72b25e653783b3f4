-- The register of documents: what was sent, what was reported, who owes an answer (gateway.ports.documents).

-- documents: one line for each message that speaks of a document, by the number of the message;
-- gateway.core.documents.entry says what each column means. Not by month: a status asks for its document, however old.
CREATE TABLE documents (
  message_seq bigint PRIMARY KEY,
  kind text NOT NULL,             -- new, recall, update, replace, status
  key text COLLATE "C" NOT NULL,
  issuer text COLLATE "C" NOT NULL,
  reporter text NOT NULL,
  recipients text NOT NULL,       -- JSON list of agencies
  concerned text NOT NULL,        -- JSON list of keys
  code text NOT NULL,
  said_at double precision,
  issued_on text,
  fingerprint text,
  obligations text NOT NULL,      -- JSON list of [agency, name, due, [codes]]
  document text NOT NULL,
  earlier text NOT NULL,          -- JSON list of [code, moment]
  vouched smallint NOT NULL,      -- 0: its source may not speak for the reporter, so it counts for nothing; else 1
  parked smallint NOT NULL,       -- a status: 1 waits for its document, 2 did so in vain; else 0
  -- what came of it by a second way and was not kept: JSON list of [source, key, [agencies], [systems]]
  again text NOT NULL DEFAULT '[]'
);
CREATE INDEX documents_by_key ON documents (key, issuer, kind);
-- what an agency issued
CREATE INDEX documents_issued ON documents (issuer, message_seq) WHERE kind <> 'status';
-- statuses whose document is not there
CREATE INDEX documents_parked ON documents (parked, message_seq) WHERE parked <> 0;

-- document_changes: the earlier documents that a line recalls, updates or replaces, to be found by them.
CREATE TABLE document_changes (
  key text COLLATE "C" NOT NULL,
  message_seq bigint NOT NULL,
  PRIMARY KEY (key, message_seq)
);
CREATE INDEX document_changes_of_line ON document_changes (message_seq);

-- duties: what is owed for a line and not done yet; next_at is NULL where no reminder is due any more.
CREATE TABLE duties (
  message_seq bigint NOT NULL,
  agency text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  answered_by text NOT NULL,      -- JSON list of codes
  due double precision NOT NULL,
  level integer NOT NULL,
  next_at double precision,
  PRIMARY KEY (message_seq, agency, name)
);
CREATE INDEX duties_due ON duties (due);
CREATE INDEX duties_next ON duties (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX duties_of_agency ON duties (agency, due);
