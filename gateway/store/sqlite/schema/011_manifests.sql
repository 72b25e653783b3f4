-- Daily manifests: what passed between the bus and each system, what each side says of it, and where they differ
-- (gateway.ports.manifests). Days are days in Viet Nam, YYYY-MM-DD. Nothing here is written while messages flow.

-- manifest_days: days that were gathered.
CREATE TABLE manifest_days (
  day TEXT PRIMARY KEY,
  gathered_at REAL NOT NULL,
  compared_at REAL
) STRICT, WITHOUT ROWID;

-- manifests: what one side (bus, system) says of a day, a system, a direction and a contract.
CREATE TABLE manifests (
  day TEXT NOT NULL,
  system TEXT NOT NULL,
  side TEXT NOT NULL,
  direction TEXT NOT NULL,        -- sent, received: as the system sees it
  contract TEXT NOT NULL,
  form TEXT NOT NULL,             -- ids, digests: what a line holds
  count INTEGER NOT NULL,
  root TEXT NOT NULL,             -- hex
  covers TEXT NOT NULL,           -- JSON list of [from, until]: the ids that were named one by one
  said_at REAL NOT NULL,
  PRIMARY KEY (day, system, side, direction, contract)
) STRICT, WITHOUT ROWID;

-- manifest_ids: the lines of manifests, by id.
CREATE TABLE manifest_ids (
  day TEXT NOT NULL,
  system TEXT NOT NULL,
  side TEXT NOT NULL,
  direction TEXT NOT NULL,
  contract TEXT NOT NULL,
  id TEXT NOT NULL,
  digest TEXT NOT NULL,           -- SHA-256 of the envelope, hex; empty where not known
  at REAL NOT NULL,
  delivery TEXT NOT NULL,         -- by which it was handed over; empty where it was not
  proven INTEGER NOT NULL,        -- 1: with the receiver's own receipt
  PRIMARY KEY (day, system, side, direction, contract, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_ids_by_id ON manifest_ids (system, side, direction, id);

-- manifest_waits: what was handed over and is to be dealt with by a moment.
CREATE TABLE manifest_waits (
  system TEXT NOT NULL,
  contract TEXT NOT NULL,
  id TEXT NOT NULL,
  agency TEXT NOT NULL,
  about TEXT NOT NULL,
  day TEXT NOT NULL,
  since REAL NOT NULL,
  due REAL NOT NULL,
  accepted_at REAL,               -- the receiver said that it has it
  answered_at REAL,               -- the receiver said that it dealt with it
  told INTEGER NOT NULL,          -- 1: it was told that it is overdue
  PRIMARY KEY (system, contract, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_waits_about ON manifest_waits (agency, about) WHERE answered_at IS NULL;
CREATE INDEX manifest_waits_due ON manifest_waits (due) WHERE answered_at IS NULL AND told = 0;
CREATE INDEX manifest_waits_of_day ON manifest_waits (day, system, contract, id);

-- manifest_gaps: differences that were found.
CREATE TABLE manifest_gaps (
  day TEXT NOT NULL,
  system TEXT NOT NULL,
  direction TEXT NOT NULL,
  contract TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  at REAL NOT NULL,
  delivery TEXT NOT NULL,
  found_at REAL NOT NULL,
  ended_at REAL,
  operation TEXT,                 -- by which it was sent again
  PRIMARY KEY (day, system, direction, contract, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_gaps_open ON manifest_gaps (day, system, direction, contract, kind, id) WHERE ended_at IS NULL;
