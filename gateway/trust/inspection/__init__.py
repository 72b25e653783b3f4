"""A look into files for signatures, in a process of its own: what it reads was written by strangers."""
