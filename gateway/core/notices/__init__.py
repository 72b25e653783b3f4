"""What people are told of their dossiers: as little as serves them, in words that are data. Pure."""
