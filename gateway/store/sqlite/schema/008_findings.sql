-- What was found in files: which signatures are in them, and whether a scanner looked.

-- findings: one row for each file that was looked at; about: empty, or the file that this one signs from outside;
-- looked: JSON (gateway.core.findings.Looked). A row goes with its file.
CREATE TABLE findings (
  sha256 TEXT NOT NULL,
  about TEXT NOT NULL,
  looked TEXT NOT NULL,
  looked_at REAL NOT NULL,
  scanned TEXT NOT NULL,          -- clean, not-scanned
  scanner TEXT NOT NULL,
  scanned_at REAL,
  PRIMARY KEY (sha256, about)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER file_forgotten AFTER DELETE ON files BEGIN
  DELETE FROM findings WHERE sha256 = OLD.sha256;
END;
