"""The port: opened once, by the process that serves or for several that share it."""

from __future__ import annotations

import os
import socket
from typing import Final

from gateway.core.faults import Misconfigured, Text

#: Connections that may wait to be taken.
WAITING: Final = 1024


def open_door(host: str, port: int) -> socket.socket:
    """A socket that listens, for one process or several to wait at; raises OSError where the address is taken."""
    door = socket.create_server((host, port), family=_family(host), backlog=WAITING)
    door.settimeout(0)
    return door


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def port_taken(listen: str, error: OSError) -> Misconfigured:
    """``HOST:PORT`` could not be opened, in words for the administrator."""
    reason = os.strerror(error.errno or 0)
    return Misconfigured(
        "lgsp.toml: gateway.listen",
        Text(f"Không mở được cổng {listen} ({reason})", f"The port {listen} cannot be opened ({reason})"),
        Text(
            "Có thể một trục khác đang chạy: hãy tắt nó, hoặc ghi cổng khác vào listen.",
            "Another gateway may be running: stop it, or write another port in listen.",
        ),
    )
