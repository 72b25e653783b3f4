"""``lgsp bench``: the real program under load on this machine, and what each message cost."""
