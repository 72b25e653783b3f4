"""The tongues of agency systems: each folder is one adapter, found by its place (settings schema, code, stand-in)."""
