"""Document management systems (QLVB) that sign results for the one-stop; see README.md."""
