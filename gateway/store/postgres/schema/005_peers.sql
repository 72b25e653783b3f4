-- What the processes on one ledger share beside messages: who of them lives, and how much of its pace a sender used.

-- processes: those at work on this ledger; since: when the first beat came after which no beat was missed.
CREATE TABLE processes (
  name text COLLATE "C" PRIMARY KEY,
  since double precision NOT NULL,
  until double precision NOT NULL
);

-- paces: senders with a pace, and the number (gateway.core.rate) that all processes go on from.
CREATE TABLE paces (
  party text PRIMARY KEY,
  reached double precision NOT NULL
);
