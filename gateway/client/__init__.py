"""The agency's side of the bus: make and sign an envelope, ask for a token, send, receive, look up."""
