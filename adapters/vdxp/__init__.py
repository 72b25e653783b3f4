"""The national document axis, called as its official kit calls it."""
