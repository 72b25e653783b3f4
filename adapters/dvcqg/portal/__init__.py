"""The national portal in small, made from its description alone: it shares nothing with the adapter it judges."""
