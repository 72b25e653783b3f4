"""The demo's second story: one dossier through four levels of offices, with everything going wrong that does."""
