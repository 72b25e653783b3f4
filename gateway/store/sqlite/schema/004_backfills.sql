-- What late subscribers ask for, and the way from a contract and a moment to the messages that are meant.

-- backfills: requests of late subscribers; gateway.ports.backfills.Request says what each column means.
CREATE TABLE backfills (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  system TEXT NOT NULL,
  contract TEXT NOT NULL,
  since REAL NOT NULL,
  until REAL,
  reason TEXT NOT NULL,
  asked_at REAL NOT NULL,
  phase TEXT NOT NULL,            -- asked, approved, refused, running, done, cancelled
  last INTEGER NOT NULL,
  decided_by TEXT,
  decision TEXT,
  decided_at REAL,
  ended_at REAL,
  reached INTEGER NOT NULL,
  made INTEGER NOT NULL,
  left_out TEXT NOT NULL,         -- JSON: reason -> how many
  lease_owner TEXT,               -- the gateway that drives it
  lease_until REAL
) STRICT;
-- a system has one open request for a contract
CREATE UNIQUE INDEX backfills_open ON backfills (system, contract) WHERE phase IN ('asked', 'approved', 'running');
CREATE INDEX backfills_of_system ON backfills (system, number);
CREATE INDEX backfills_in_phase ON backfills (phase, number);

-- a contract's messages in order of acceptance, with the moment, so that nothing but what is meant is read
CREATE INDEX messages_by_type ON messages (type, seq, accepted_at);
