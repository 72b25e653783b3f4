-- The register of dossiers: what was said of each, and where it stands (gateway.ports.dossiers).

-- dossier_lines: one line for each message that speaks of a dossier, by the number of the message, with what it tells
-- of that message, which may be gone sooner; gateway.core.dossiers.event says what each column means. Not by month: a
-- dossier's lines are asked for however old.
CREATE TABLE dossier_lines (
  message_seq bigint PRIMARY KEY,
  code text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  parent text COLLATE "C" NOT NULL, -- the code of the dossier that this one belongs to; empty where to none
  child text COLLATE "C" NOT NULL,  -- the code under which the next agency works on it; empty where under this one
  message text NOT NULL,
  source text NOT NULL,
  accepted_at double precision NOT NULL,
  said text NOT NULL                -- JSON: all else that it says
);
CREATE INDEX dossier_lines_of ON dossier_lines (code, message_seq);
CREATE INDEX dossier_lines_of_parent ON dossier_lines (parent, code) WHERE parent <> '';

-- dossiers: where each stands, worked out from its lines up to that at place; gateway.core.dossiers.dossier.Head.
CREATE TABLE dossiers (
  code text COLLATE "C" PRIMARY KEY,
  lead text COLLATE "C" NOT NULL,
  status smallint,
  next_look double precision,       -- NULL where no deadline is to be passed any more
  received_at double precision,
  finished_at double precision,
  place bigint NOT NULL,
  told text NOT NULL                -- JSON: all else
);
CREATE INDEX dossiers_of_lead ON dossiers (lead, code);
CREATE INDEX dossiers_of_lead_in_status ON dossiers (lead, status, code);
CREATE INDEX dossiers_in_status ON dossiers (status, code);
CREATE INDEX dossiers_to_look_at ON dossiers (next_look, code) WHERE next_look IS NOT NULL;
CREATE INDEX dossiers_open ON dossiers (code, received_at) WHERE finished_at IS NULL;
CREATE INDEX dossiers_finished ON dossiers (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX dossiers_by_age ON dossiers (place);

-- dossiers_unsettled: codes with lines younger than their head, with the oldest and the youngest of these.
CREATE TABLE dossiers_unsettled (
  code text COLLATE "C" PRIMARY KEY,
  first bigint NOT NULL,
  last bigint NOT NULL
);
CREATE INDEX dossiers_unsettled_by_age ON dossiers_unsettled (first, code);
