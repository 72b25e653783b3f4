"""Push over HTTP: the bus posts each message to the system's address."""
