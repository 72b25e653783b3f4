"""What keeps: ledgers of messages (memory, SQLite) and the spool of files."""
