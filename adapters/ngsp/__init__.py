"""The services of the national axis, each told by one file: a new service is a file, not code."""
