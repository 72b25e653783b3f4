"""What the service manager (systemd) hears of the gateway: ready, alive, stopping."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping

#: The manager is told twice in the time after which it would give the gateway up.
_SHARE = 2.0


def messenger(environ: Mapping[str, str] = os.environ) -> Callable[[str], None]:
    """Tells the manager that ``NOTIFY_SOCKET`` names, as sd_notify(3) says; without one it tells nobody."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return lambda _: None
    place = "\0" + address[1:] if address.startswith("@") else address

    def tell(word: str) -> None:
        # A manager that went away is no reason to stop moving messages.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(word.encode(), place)

    return tell


def heartbeat(environ: Mapping[str, str] = os.environ) -> float | None:
    """How often (seconds) the manager wants a sign of life; None where it does not watch."""
    asked = environ.get("WATCHDOG_USEC", "")
    return int(asked) / 1e6 / _SHARE if asked.isdecimal() and int(asked) > 0 else None
