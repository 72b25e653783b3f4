"""One-stop dossiers: codes, statuses, deadlines, and what becomes of a dossier that many offices speak of. Pure."""
