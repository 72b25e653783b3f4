-- The first ledger. Moments are seconds since 1970 (UTC); ids and keys of messages are UUIDs in lower case.
-- Nothing here is scanned while messages flow: each question of the gateway has an index, and those about
-- undelivered messages hold only what is undelivered (partial indexes), however much is stored.

-- meta: single values of the whole database; registry_version counts the changes of the registry, pulse proves that a
-- transaction can be committed.
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('registry_version', 0), ('pulse', 0);

-- messages: one row for each id ever accepted, in order of acceptance, kept for ever: the memory of what a repeat is.
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,       -- the id without its spelling
  id TEXT NOT NULL,               -- the id as first sent
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  version TEXT NOT NULL,
  subject TEXT NOT NULL,
  accepted_at REAL NOT NULL,
  digest TEXT NOT NULL,           -- SHA-256 of the envelope, hex
  repeat_digest TEXT NOT NULL,    -- SHA-256 of what makes a repeat the same
  recipients TEXT NOT NULL,       -- JSON list of systems, frozen at acceptance
  receipt TEXT NOT NULL           -- the accepted receipt, compact JWS
) STRICT;

-- bodies: the envelopes, byte for byte as they were signed; apart, so that retention may drop them and keep the rest.
CREATE TABLE bodies (
  message_seq INTEGER PRIMARY KEY REFERENCES messages (seq),
  envelope BLOB NOT NULL
) STRICT;

-- deliveries: one message on its way to one recipient system, in order of acceptance; gateway.core.delivery says what
-- each column means and which state may follow which.
CREATE TABLE deliveries (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  recipient TEXT NOT NULL,
  contract TEXT NOT NULL,
  lane TEXT,
  priority INTEGER NOT NULL,
  state TEXT NOT NULL,
  due REAL NOT NULL,
  patience REAL,
  deadline REAL,
  patience_left REAL,
  notbefore REAL,
  expires REAL,
  attempts INTEGER NOT NULL,
  spent INTEGER NOT NULL,
  lease_owner TEXT,
  lease_until REAL,
  cause TEXT,
  replays INTEGER NOT NULL,
  owes_outcome INTEGER NOT NULL,
  leased_at REAL                  -- when the last lease began
) STRICT;
CREATE INDEX deliveries_of_message ON deliveries (message_seq);
-- what is claimable, per recipient and priority
CREATE INDEX deliveries_queued ON deliveries (recipient, priority, due, seq, expires) WHERE state = 'queued';
-- the head of each lane
CREATE INDEX deliveries_lane ON deliveries (lane, seq)
  WHERE lane IS NOT NULL AND state IN ('queued', 'leased', 'held', 'blocked', 'dead');
-- leases that end
CREATE INDEX deliveries_leased ON deliveries (lease_until, lease_owner) WHERE state = 'leased';
-- what expires before it is taken
CREATE INDEX deliveries_expiring ON deliveries (expires, seq)
  WHERE expires IS NOT NULL AND state IN ('queued', 'held', 'blocked');
-- whose sender is owed an outcome message
CREATE INDEX deliveries_owing ON deliveries (seq) WHERE owes_outcome = 1;
-- what an operator asks about
CREATE INDEX deliveries_stuck ON deliveries (state, recipient, seq)
  WHERE state IN ('held', 'blocked', 'dead', 'expired', 'discarded');

-- attempts: each try of each delivery, in the order in which they ended.
CREATE TABLE attempts (
  seq INTEGER PRIMARY KEY,
  delivery_seq INTEGER NOT NULL REFERENCES deliveries (seq),
  number INTEGER NOT NULL,
  started_at REAL NOT NULL,
  ended_at REAL NOT NULL,
  outcome TEXT NOT NULL,
  status INTEGER,
  detail TEXT
) STRICT;
CREATE INDEX attempts_of_delivery ON attempts (delivery_seq);

-- proofs: the recipient's own checked receipt of a delivery, where it gave one (compact JWS).
CREATE TABLE proofs (
  delivery_seq INTEGER PRIMARY KEY REFERENCES deliveries (seq),
  proof BLOB NOT NULL
) STRICT;

-- derived: translations of messages into other majors, each made and signed once; their ids are taken like any other.
CREATE TABLE derived (
  key TEXT PRIMARY KEY,
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  target TEXT NOT NULL,           -- NAME/MAJOR.MINOR
  envelope BLOB NOT NULL,
  UNIQUE (message_seq, target)
) STRICT;

-- files: what lies in the spool, with the moment of its last grant (one without a grant for a day is swept).
CREATE TABLE files (
  sha256 TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  granted_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX files_by_grant ON files (granted_at);

-- file_rights: which system may name which file: it uploaded it, or took a delivery of a message that names it.
CREATE TABLE file_rights (
  sha256 TEXT NOT NULL,
  system TEXT NOT NULL,
  PRIMARY KEY (sha256, system)
) STRICT, WITHOUT ROWID;

-- message_files: the files that a message names; such a file is not swept.
CREATE TABLE message_files (
  message_seq INTEGER NOT NULL REFERENCES messages (seq),
  sha256 TEXT NOT NULL,
  PRIMARY KEY (message_seq, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_files_by_file ON message_files (sha256, message_seq);

-- holds: destinations on hold, and since when.
CREATE TABLE holds (
  recipient TEXT PRIMARY KEY,
  since REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- journal: receipts' payloads and audit rows in the order in which they were written: leaves of the log, exact bytes.
CREATE TABLE journal (
  number INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,             -- receipt, audit
  body BLOB NOT NULL
) STRICT;

-- refusals: how often an address was refused in a minute before anyone knew who it was.
CREATE TABLE refusals (
  minute INTEGER NOT NULL,        -- minutes since 1970
  address TEXT NOT NULL,
  problem TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (minute, address, problem)
) STRICT, WITHOUT ROWID;

-- once: one-time tokens already seen, until they could not be used anyway.
CREATE TABLE once (
  token TEXT PRIMARY KEY,
  until REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_until ON once (until);

-- registry: agencies, agreements, contracts and operators as documents, and where each came from.
CREATE TABLE registry (
  kind TEXT NOT NULL,             -- agency, agreement, contract, operator
  key TEXT NOT NULL,
  origin TEXT NOT NULL,           -- folder, directory, enrolment, console
  body TEXT NOT NULL,             -- JSON
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
