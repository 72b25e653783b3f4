"""The embedded ledger: one SQLite file, one writer thread with group commit, a few readers beside it."""
