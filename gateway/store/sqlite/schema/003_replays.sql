-- What operators act on: what has failed and why, and the operations by which many deliveries are replayed or discarded.
-- The triggers keep both true by the very transaction that moves a delivery, whoever moves it.

-- failures: each delivery that is dead now; its class and fingerprint (gateway.core.failure) are filled in soon after.
CREATE TABLE failures (
  delivery_seq INTEGER PRIMARY KEY REFERENCES deliveries (seq),
  recipient TEXT NOT NULL,
  contract TEXT NOT NULL,
  cause TEXT NOT NULL,            -- refused, deadline, attempts; empty where unknown
  error TEXT,                     -- the class; NULL until somebody looked
  fingerprint TEXT,               -- NULL until somebody looked
  failed_at REAL                  -- the end of the last attempt, where there was one
) STRICT;
-- what nobody has looked at yet
CREATE INDEX failures_new ON failures (delivery_seq) WHERE fingerprint IS NULL;
-- everything that groups are made of, so that the table itself is not read
CREATE INDEX failures_grouped ON failures (fingerprint, recipient, contract, error, cause, failed_at, delivery_seq)
  WHERE fingerprint IS NOT NULL;

CREATE TRIGGER delivery_died AFTER UPDATE OF state ON deliveries WHEN NEW.state = 'dead' AND OLD.state <> 'dead' BEGIN
  INSERT OR REPLACE INTO failures (delivery_seq, recipient, contract, cause)
    VALUES (NEW.seq, NEW.recipient, NEW.contract, coalesce(NEW.cause, ''));
END;
CREATE TRIGGER delivery_left AFTER UPDATE OF state ON deliveries WHEN OLD.state = 'dead' AND NEW.state <> 'dead' BEGIN
  DELETE FROM failures WHERE delivery_seq = NEW.seq;
END;
INSERT INTO failures (delivery_seq, recipient, contract, cause)
  SELECT seq, recipient, contract, coalesce(cause, '') FROM deliveries
  WHERE state = 'dead' AND state IN ('held', 'blocked', 'dead', 'expired', 'discarded');

-- replays: operations on many deliveries, replays and discards alike; gateway.core.replay says which phase may follow.
CREATE TABLE replays (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  act TEXT NOT NULL,              -- replay, discard
  phase TEXT NOT NULL,
  body TEXT NOT NULL,             -- JSON: filter, plan, reason, author, what was left out and why
  total INTEGER NOT NULL,         -- deliveries in the snapshot
  created_at REAL NOT NULL,       -- the cut-off of the snapshot
  started_at REAL,
  ended_at REAL,
  why TEXT,                       -- what it stopped for
  next_at REAL NOT NULL,          -- when the rate allows the next one
  judged_after INTEGER NOT NULL,  -- deliveries up to this one do not count for the stop rule any more
  lease_owner TEXT,               -- the gateway that drives it
  lease_until REAL
) STRICT;
CREATE INDEX replays_open ON replays (number) WHERE phase IN ('planned', 'running');

-- replay_items: the snapshot of an operation, and what became of each delivery in it: once for each, whatever happens.
CREATE TABLE replay_items (
  operation INTEGER NOT NULL REFERENCES replays (number),
  delivery_seq INTEGER NOT NULL REFERENCES deliveries (seq),
  outcome TEXT NOT NULL,          -- waiting, skipped, sent, held, failing, delivered, failed, expired, discarded
  reason TEXT,                    -- why it was skipped
  replays INTEGER,                -- the delivery's count of replays after its turn
  PRIMARY KEY (operation, delivery_seq)
) STRICT, WITHOUT ROWID;
-- counts, what comes next, what is under way
CREATE INDEX replay_items_by_outcome ON replay_items (operation, outcome, delivery_seq);
-- whose outcome may still change
CREATE INDEX replay_items_open ON replay_items (delivery_seq) WHERE outcome IN ('sent', 'held', 'failing', 'failed');

CREATE TRIGGER delivery_replayed AFTER UPDATE OF state ON deliveries WHEN NEW.replays > 0 BEGIN
  UPDATE replay_items SET outcome = CASE
      WHEN NEW.state IN ('delivered', 'expired', 'discarded', 'held') THEN NEW.state
      WHEN NEW.state = 'dead' THEN 'failed'
      WHEN NEW.attempts > NEW.spent THEN 'failing'
      ELSE 'sent'
    END
    WHERE delivery_seq = NEW.seq AND replays = NEW.replays AND outcome IN ('sent', 'held', 'failing', 'failed');
END;
