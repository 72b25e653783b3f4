"""Software with JSON, forms or XML over HTTP, described by one file."""
