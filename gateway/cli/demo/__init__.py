"""The demo: a small province on this machine."""
