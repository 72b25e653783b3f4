-- The first ledger of the cluster. Moments are seconds since 1970 (UTC); ids and keys of messages are UUIDs.
-- Nothing here is scanned while messages flow: what may still change lies apart from what has ended, so its tables and
-- indexes stay as small as the backlog, however much is stored.

-- seq: one order for everything that is kept. The upper bits of a number are its month (months since 2000, times 2^40),
-- so whoever holds a number knows the partition; gateway.store.postgres.partitions moves it on as the months go by.
CREATE SEQUENCE seq AS bigint;

-- meta: single values of the whole database; registry_version counts the changes of the registry, pulse proves that a
-- transaction can be committed.
CREATE TABLE meta (
  name text PRIMARY KEY,
  value bigint NOT NULL
);
INSERT INTO meta VALUES ('registry_version', 0), ('pulse', 0);

-- ids: every id ever accepted, kept for ever and in no partition: what a repeat is, and the first answer to it. The ids
-- of translations are taken like any other: they have a target and nothing to answer.
CREATE TABLE ids (
  key uuid PRIMARY KEY,           -- the id without its spelling
  message_seq bigint NOT NULL,
  target text,                    -- of a translation: NAME/MAJOR.MINOR
  id text,                        -- the id as first sent
  source text,
  repeat_digest text,             -- SHA-256 of what makes a repeat the same
  recipients text,                -- JSON list of systems, frozen at acceptance
  receipt text                    -- the accepted receipt, compact JWS
);

-- messages: what was accepted, in order of acceptance, by month.
CREATE TABLE messages (
  seq bigint PRIMARY KEY,
  key uuid NOT NULL,
  type text NOT NULL,
  version text NOT NULL,
  subject text NOT NULL,
  accepted_at double precision NOT NULL,
  digest text NOT NULL            -- SHA-256 of the envelope, hex
) PARTITION BY RANGE (seq);

-- bodies: the envelopes, byte for byte as they were signed, by the month of their message. What is signed does not get
-- smaller by compressing, so it is not tried.
CREATE TABLE bodies (
  message_seq bigint PRIMARY KEY,
  envelope bytea NOT NULL
) PARTITION BY RANGE (message_seq);
ALTER TABLE bodies ALTER COLUMN envelope SET STORAGE EXTERNAL;

-- deliveries: messages on their way, one row for each recipient system, in order of acceptance: what is queued, leased,
-- held, blocked or dead. What has ended leaves for the table ended. gateway.core.delivery says what each column means.
CREATE TABLE deliveries (
  seq bigint NOT NULL,
  message_seq bigint NOT NULL,
  due double precision NOT NULL,
  patience double precision,
  deadline double precision,
  patience_left double precision,
  notbefore double precision,
  expires double precision,
  lease_until double precision,
  leased_at double precision,     -- when the last lease began
  attempts integer NOT NULL,
  spent integer NOT NULL,
  replays integer NOT NULL,
  priority smallint NOT NULL,
  owes_outcome boolean NOT NULL,
  id uuid NOT NULL,
  message uuid NOT NULL,          -- the key of the message
  source text NOT NULL,
  recipient text NOT NULL,
  contract text NOT NULL,
  lane text,
  state text NOT NULL,
  lease_owner text,
  cause text
) WITH (
  -- Rows come and go all day: what is gone is cleared soon, else each claim would step over it.
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0
);

-- ended: the same of what is over (delivered, expired, discarded), by the month in which the delivery was made.
CREATE TABLE ended (LIKE deliveries) PARTITION BY RANGE (seq);
ALTER TABLE ended ADD PRIMARY KEY (seq);
CREATE INDEX ended_by_id ON ended (id);
CREATE INDEX ended_of_message ON ended (message_seq);

ALTER TABLE deliveries ADD PRIMARY KEY (seq);
ALTER TABLE deliveries ADD UNIQUE (id);
CREATE INDEX deliveries_of_message ON deliveries (message_seq);
-- what is claimable, per recipient and priority
CREATE INDEX deliveries_queued ON deliveries (recipient, priority, due, seq) WHERE state = 'queued';
-- the head of each lane
CREATE INDEX deliveries_lane ON deliveries (lane, seq) WHERE lane IS NOT NULL;
-- leases that end
CREATE INDEX deliveries_leased ON deliveries (lease_until, lease_owner) WHERE state = 'leased';
-- what expires before it is taken
CREATE INDEX deliveries_expiring ON deliveries (expires, seq)
  WHERE expires IS NOT NULL AND state IN ('queued', 'held', 'blocked');
-- what an operator asks about
CREATE INDEX deliveries_stuck ON deliveries (state, recipient, seq) WHERE state IN ('held', 'blocked', 'dead');
CREATE INDEX ended_unread ON ended (state, recipient, seq) WHERE state IN ('expired', 'discarded');

-- every_delivery: what is under way and what is over. A question by number or id costs an index for each month.
CREATE VIEW every_delivery AS SELECT * FROM deliveries UNION ALL SELECT * FROM ended;

-- attempts: each try of each delivery, in the order in which they ended, by the month in which they did.
CREATE TABLE attempts (
  seq bigint NOT NULL,
  delivery_seq bigint NOT NULL,
  started_at double precision NOT NULL,
  ended_at double precision NOT NULL,
  number integer NOT NULL,
  status integer,
  outcome text NOT NULL,
  detail text
) PARTITION BY RANGE (seq);
CREATE INDEX attempts_of_delivery ON attempts (delivery_seq);

-- proofs: the recipient's own checked receipt of a delivery, where it gave one (compact JWS), by the delivery's month.
CREATE TABLE proofs (
  delivery_seq bigint PRIMARY KEY,
  proof bytea NOT NULL
) PARTITION BY RANGE (delivery_seq);

-- derived: translations of messages into other majors, each made and signed once, by the month of their message.
CREATE TABLE derived (
  message_seq bigint NOT NULL,
  target text NOT NULL,           -- NAME/MAJOR.MINOR
  key uuid NOT NULL,
  envelope bytea NOT NULL,
  PRIMARY KEY (message_seq, target)
) PARTITION BY RANGE (message_seq);
ALTER TABLE derived ALTER COLUMN envelope SET STORAGE EXTERNAL;

-- files: what lies in the spool, with the moment of its last grant (one without a grant for a day is swept).
CREATE TABLE files (
  sha256 text PRIMARY KEY,
  size bigint NOT NULL,
  media_type text NOT NULL,
  granted_at double precision NOT NULL
);
CREATE INDEX files_by_grant ON files (granted_at);

-- file_rights: which system may name which file: it uploaded it, or took a delivery of a message that names it.
CREATE TABLE file_rights (
  sha256 text NOT NULL,
  system text NOT NULL,
  PRIMARY KEY (sha256, system)
);

-- message_files: the files that a message names; such a file is not swept.
CREATE TABLE message_files (
  message_seq bigint NOT NULL,
  sha256 text NOT NULL,
  PRIMARY KEY (message_seq, sha256)
);
CREATE INDEX message_files_by_file ON message_files (sha256, message_seq);

-- holds: destinations on hold, and since when.
CREATE TABLE holds (
  recipient text PRIMARY KEY,
  since double precision NOT NULL
);

-- journal: receipts' payloads and audit rows, exact bytes: the leaves of the log. A row is a run of leaves of one kind
-- that one transaction wrote. Its leaves get their numbers, without gaps, a moment after the commit: a number given
-- before it would be lost with a transaction that fails, or would make all gateways wait for one another.
CREATE TABLE journal (
  seq bigint PRIMARY KEY,
  first bigint UNIQUE,            -- the number of its first leaf, from 1; NULL until numbered
  size integer NOT NULL,          -- how many leaves
  kind text NOT NULL,             -- receipt, audit
  bodies bytea[] NOT NULL
);
ALTER TABLE journal ALTER COLUMN bodies SET STORAGE EXTERNAL;
CREATE INDEX journal_unnumbered ON journal (seq) WHERE first IS NULL;

-- refusals: how often an address was refused in a minute before anyone knew who it was.
CREATE TABLE refusals (
  minute bigint NOT NULL,         -- minutes since 1970
  address text NOT NULL,
  problem text NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (minute, address, problem)
);

-- once: one-time tokens already seen, until they could not be used anyway.
CREATE TABLE once (
  token text PRIMARY KEY,
  until double precision NOT NULL
);
CREATE INDEX once_until ON once (until);

-- registry: agencies, agreements, contracts and operators as documents, and where each came from.
CREATE TABLE registry (
  kind text NOT NULL,             -- agency, agreement, contract, operator
  key text COLLATE "C" NOT NULL,
  origin text NOT NULL,           -- folder, directory, enrolment, console
  body text NOT NULL,             -- JSON
  PRIMARY KEY (kind, key)
);
