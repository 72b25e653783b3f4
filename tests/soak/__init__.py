"""Runs that take longer than a suite may: each has a make target of its own."""
