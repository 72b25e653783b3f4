"""Records of a register in CSV files or a view of a database, from and to any contract."""
