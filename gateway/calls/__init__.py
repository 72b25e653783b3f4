"""Calls to other programs by HTTP, as every tongue that speaks it needs them: bounded in size and time."""
