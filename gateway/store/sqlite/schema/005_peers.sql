-- What the processes on one ledger share beside messages: who of them lives, and how much of its pace a sender used.

-- processes: those at work on this ledger; since: when the first beat came after which no beat was missed.
CREATE TABLE processes (
  name TEXT PRIMARY KEY,
  since REAL NOT NULL,
  until REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- paces: senders with a pace, and the number (gateway.core.rate) that all processes go on from.
CREATE TABLE paces (
  party TEXT PRIMARY KEY,
  reached REAL NOT NULL
) STRICT, WITHOUT ROWID;
