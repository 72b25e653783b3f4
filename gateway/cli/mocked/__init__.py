"""A whole province of agencies' software in small: who stands where, on what lines, and what happens there."""
