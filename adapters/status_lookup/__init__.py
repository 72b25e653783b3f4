"""A public, read-only answer to "how does my dossier stand?", for people's browsers, kiosks and other programs."""
