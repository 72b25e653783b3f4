"""Copy me: the smallest adapter that keeps every promise of the port, both ways."""
