-- What an outage needs: who is down and who probes, what runs out of time meanwhile, and what a sender is owed.

-- breakers: destinations that failed lately; gateway.core.breaker says what each column means.
CREATE TABLE breakers (
  recipient text PRIMARY KEY,
  failures integer NOT NULL,
  since double precision,
  is_open boolean NOT NULL,
  prober text,
  width integer NOT NULL
);

-- outcomes: the deliveries whose sender is owed an outcome message, with the receipt payload that it will carry; gone
-- once it is told.
CREATE TABLE outcomes (
  delivery_seq bigint PRIMARY KEY,
  leaf bytea
);

-- queued deliveries by the moment at which the bus gives up
CREATE INDEX deliveries_overdue ON deliveries (recipient, deadline) WHERE state = 'queued' AND deadline IS NOT NULL;
