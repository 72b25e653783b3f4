-- Daily manifests: what passed between the bus and each system, what each side says of it, and where they differ
-- (gateway.ports.manifests). Days are days in Viet Nam, YYYY-MM-DD. Nothing here is written while messages flow.

-- manifest_days: days that were gathered.
CREATE TABLE manifest_days (
  day text COLLATE "C" PRIMARY KEY,
  gathered_at double precision NOT NULL,
  compared_at double precision
);

-- manifests: what one side (bus, system) says of a day, a system, a direction and a contract.
CREATE TABLE manifests (
  day text COLLATE "C" NOT NULL,
  system text COLLATE "C" NOT NULL,
  side text COLLATE "C" NOT NULL,
  direction text COLLATE "C" NOT NULL,        -- sent, received: as the system sees it
  contract text COLLATE "C" NOT NULL,
  form text COLLATE "C" NOT NULL,             -- ids, digests: what a line holds
  count integer NOT NULL,
  root text COLLATE "C" NOT NULL,             -- hex
  covers text COLLATE "C" NOT NULL,           -- JSON list of [from, until]: the ids that were named one by one
  said_at double precision NOT NULL,
  PRIMARY KEY (day, system, side, direction, contract)
);

-- manifest_ids: the lines of manifests, by id.
CREATE TABLE manifest_ids (
  day text COLLATE "C" NOT NULL,
  system text COLLATE "C" NOT NULL,
  side text COLLATE "C" NOT NULL,
  direction text COLLATE "C" NOT NULL,
  contract text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,           -- SHA-256 of the envelope, hex; empty where not known
  at double precision NOT NULL,
  delivery text COLLATE "C" NOT NULL,         -- by which it was handed over; empty where it was not
  proven integer NOT NULL,        -- 1: with the receiver's own receipt
  PRIMARY KEY (day, system, side, direction, contract, id)
);
CREATE INDEX manifest_ids_by_id ON manifest_ids (system, side, direction, id);

-- manifest_waits: what was handed over and is to be dealt with by a moment.
CREATE TABLE manifest_waits (
  system text COLLATE "C" NOT NULL,
  contract text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  agency text COLLATE "C" NOT NULL,
  about text COLLATE "C" NOT NULL,
  day text COLLATE "C" NOT NULL,
  since double precision NOT NULL,
  due double precision NOT NULL,
  accepted_at double precision,               -- the receiver said that it has it
  answered_at double precision,               -- the receiver said that it dealt with it
  told integer NOT NULL,          -- 1: it was told that it is overdue
  PRIMARY KEY (system, contract, id)
);
CREATE INDEX manifest_waits_about ON manifest_waits (agency, about) WHERE answered_at IS NULL;
CREATE INDEX manifest_waits_due ON manifest_waits (due) WHERE answered_at IS NULL AND told = 0;
CREATE INDEX manifest_waits_of_day ON manifest_waits (day, system, contract, id);

-- manifest_gaps: differences that were found.
CREATE TABLE manifest_gaps (
  day text COLLATE "C" NOT NULL,
  system text COLLATE "C" NOT NULL,
  direction text COLLATE "C" NOT NULL,
  contract text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  at double precision NOT NULL,
  delivery text COLLATE "C" NOT NULL,
  found_at double precision NOT NULL,
  ended_at double precision,
  operation text,                 -- by which it was sent again
  PRIMARY KEY (day, system, direction, contract, kind, id)
);
CREATE INDEX manifest_gaps_open ON manifest_gaps (day, system, direction, contract, kind, id) WHERE ended_at IS NULL;

-- What was handed over in a day is found by blocks of attempts, which come in order of time: next to nothing to keep up.
CREATE INDEX attempts_by_time ON attempts USING brin (ended_at) WITH (pages_per_range = 16);
