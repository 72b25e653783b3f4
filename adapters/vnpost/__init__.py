"""The public post (VNPost): orders out, tracking in; see README.md."""
