-- What an outage needs: who is down and who probes, what runs out of time meanwhile, and what a sender is owed.

-- breakers: destinations that failed lately; gateway.core.breaker says what each column means.
CREATE TABLE breakers (
  recipient TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  since REAL,
  is_open INTEGER NOT NULL,
  prober TEXT,
  width INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- outcomes: the receipt payload that an outcome message owed to a sender will carry; gone once it is told.
CREATE TABLE outcomes (
  delivery_seq INTEGER PRIMARY KEY REFERENCES deliveries (seq),
  leaf BLOB NOT NULL
) STRICT;

-- queued deliveries by the moment at which the bus gives up
CREATE INDEX deliveries_overdue ON deliveries (recipient, deadline) WHERE state = 'queued' AND deadline IS NOT NULL;
