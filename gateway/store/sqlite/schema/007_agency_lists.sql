-- Lists of agencies from elsewhere, and what is proposed to be changed about them.

-- agency_lists: sources of agencies; body: the list in force, packed (gateway.core.agency_list), NULL before the first.
CREATE TABLE agency_lists (
  source TEXT PRIMARY KEY,
  digest TEXT,
  count INTEGER NOT NULL,
  body BLOB,
  approved_at REAL,
  checked_at REAL NOT NULL
) STRICT;

-- agency_proposals: lists that wait to be approved, and what was decided about others, whose body is gone;
-- gateway.ports.agency_lists.Proposal says what each column means.
CREATE TABLE agency_proposals (
  number INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  phase TEXT NOT NULL,            -- waiting, approved, rejected, superseded
  made_at REAL NOT NULL,
  made_by TEXT NOT NULL,
  base TEXT,
  digest TEXT NOT NULL,
  count INTEGER NOT NULL,
  summary TEXT NOT NULL,          -- JSON
  decided_by TEXT,
  decision TEXT,
  decided_at REAL,
  body BLOB
) STRICT;
-- of a source one proposal waits
CREATE UNIQUE INDEX agency_proposals_waiting ON agency_proposals (source) WHERE phase = 'waiting';
CREATE INDEX agency_proposals_in_phase ON agency_proposals (phase, number);
