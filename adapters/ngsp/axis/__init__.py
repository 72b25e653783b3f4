"""The national axis in small; shares nothing with the adapter."""
