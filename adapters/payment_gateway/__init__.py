"""Payment gateways of banks and payment agents; see README.md."""
