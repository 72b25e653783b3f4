"""The axis in small, written from the description of the official kit alone: it shares nothing with the adapter."""
