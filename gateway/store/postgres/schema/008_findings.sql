-- What was found in files: which signatures are in them, and whether a scanner looked.

-- findings: one row for each file that was looked at; about: empty, or the file that this one signs from outside;
-- looked: JSON (gateway.core.findings.Looked). A row goes with its file.
CREATE TABLE findings (
  sha256 text NOT NULL,
  about text NOT NULL,
  looked text NOT NULL,
  looked_at double precision NOT NULL,
  scanned text NOT NULL,          -- clean, not-scanned
  scanner text NOT NULL,
  scanned_at double precision,
  PRIMARY KEY (sha256, about)
);

CREATE FUNCTION file_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM findings WHERE sha256 = OLD.sha256;
  RETURN NULL;
END
$$;
CREATE TRIGGER file_forgotten AFTER DELETE ON files FOR EACH ROW EXECUTE FUNCTION file_forgotten();
