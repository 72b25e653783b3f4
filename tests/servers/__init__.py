"""Real servers for tests: a private PostgreSQL and a private RabbitMQ, from installed binaries, on loopback.

``python -m tests.servers`` keeps both up until Ctrl-C and prints the variables that name them to ``make test``.
"""

from __future__ import annotations

from tests.servers.postgres import PrivatePostgres
from tests.servers.private import PrivateServer, Unavailable
from tests.servers.rabbitmq import PrivateRabbit

__all__ = ["PrivatePostgres", "PrivateRabbit", "PrivateServer", "Unavailable"]
