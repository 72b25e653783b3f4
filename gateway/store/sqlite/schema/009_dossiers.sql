-- The register of dossiers: what was said of each, and where it stands (gateway.ports.dossiers).

-- dossier_lines: one line for each message that speaks of a dossier, by the place of the message, with what it tells of
-- that message, which may be gone sooner; gateway.core.dossiers.event says what each column means.
CREATE TABLE dossier_lines (
  message_seq INTEGER PRIMARY KEY,
  code TEXT NOT NULL,
  kind TEXT NOT NULL,
  parent TEXT NOT NULL,           -- the code of the dossier that this one belongs to; empty where to none
  child TEXT NOT NULL,            -- the code under which the next agency works on it; empty where under this one
  message TEXT NOT NULL,
  source TEXT NOT NULL,
  accepted_at REAL NOT NULL,
  said TEXT NOT NULL              -- JSON: all else that it says
) STRICT;
CREATE INDEX dossier_lines_of ON dossier_lines (code);
CREATE INDEX dossier_lines_of_parent ON dossier_lines (parent, code) WHERE parent <> '';

-- dossiers: where each stands, worked out from its lines up to that at place; gateway.core.dossiers.dossier.Head.
CREATE TABLE dossiers (
  code TEXT PRIMARY KEY,
  lead TEXT NOT NULL,
  status INTEGER,
  next_look REAL,                 -- NULL where no deadline is to be passed any more
  received_at REAL,
  finished_at REAL,
  place INTEGER NOT NULL,
  told TEXT NOT NULL              -- JSON: all else
) STRICT, WITHOUT ROWID;
CREATE INDEX dossiers_of_lead ON dossiers (lead, code);
CREATE INDEX dossiers_of_lead_in_status ON dossiers (lead, status, code);
CREATE INDEX dossiers_in_status ON dossiers (status, code);
CREATE INDEX dossiers_to_look_at ON dossiers (next_look, code) WHERE next_look IS NOT NULL;
CREATE INDEX dossiers_open ON dossiers (code, received_at) WHERE finished_at IS NULL;
CREATE INDEX dossiers_finished ON dossiers (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX dossiers_by_age ON dossiers (place);

-- dossiers_unsettled: codes with lines younger than their head, with the oldest and the youngest of these.
CREATE TABLE dossiers_unsettled (
  code TEXT PRIMARY KEY,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dossiers_unsettled_by_age ON dossiers_unsettled (first);
