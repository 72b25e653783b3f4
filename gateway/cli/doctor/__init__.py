"""``doctor``: looks at everything a gateway stands on, one small check at a time, and says what to do."""
