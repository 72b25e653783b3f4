"""Far sides that a file describes: what goes out, what is fetched, asked and brought, all of it data."""
