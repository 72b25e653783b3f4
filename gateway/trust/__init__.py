"""Who vouches for whom: the gateway's own keys and those it keeps for systems."""
