"""What the bus promises, as tests that read as its specification; the folders mirror the floors of the house."""
