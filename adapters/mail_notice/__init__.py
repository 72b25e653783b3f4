"""E-mail to applicants and offices about dossiers: a notice a message, in words that are data."""
