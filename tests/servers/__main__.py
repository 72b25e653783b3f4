"""Keeps a private PostgreSQL and RabbitMQ up until Ctrl-C and prints the variables that name them to the tests."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.servers import PrivatePostgres, PrivateRabbit


def main() -> None:
    """Start both at once, tell, wait, end both."""
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda *_: sys.exit())
    postgres, rabbit = PrivatePostgres(), PrivateRabbit()
    try:
        with ThreadPoolExecutor() as both:
            list(both.map(lambda server: server.start(), (postgres, rabbit)))
        named = {
            "LGSP_TEST_POSTGRES": postgres.url,
            "LGSP_TEST_RABBITMQ": rabbit.url,
            "LGSP_TEST_RABBITMQ_API": rabbit.api_url,
        }
        sys.stdout.writelines(f"export {name}={url}\n" for name, url in named.items())
        sys.stdout.flush()
        signal.pause()
    finally:
        rabbit.close()
        postgres.close()


if __name__ == "__main__":
    main()
