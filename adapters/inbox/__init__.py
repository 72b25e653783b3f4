"""Pull: the system leases its messages from ``/v1/inbox`` and settles them."""
