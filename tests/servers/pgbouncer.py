"""A private PgBouncer in transaction mode before a PostgreSQL: one transaction, another connection."""

from __future__ import annotations

import signal
import struct
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from tests.servers.packages import binary
from tests.servers.private import PrivateServer, free_ports, greeting

_IS_TLS_SPOKEN: Final = struct.pack("!ii", 8, 80877103)


class PrivateBouncer(PrivateServer):
    """PgBouncer as Debian packs it, before every database of the server at ``server``."""

    name = "pgbouncer"
    account = "postgres"
    #: At once: whoever is inside a transaction is cut off.
    polite = signal.SIGTERM

    def __init__(self, server: str, folder: Path | None = None) -> None:
        self._program = binary("pgbouncer", "pgbouncer", "/usr/sbin")
        super().__init__(folder)
        self._server = urlsplit(server)
        (self.port,) = free_ports(1)

    @property
    def url(self) -> str:
        """The address of the server's own database through PgBouncer; any other is named by its last part."""
        user = self._server.netloc.rpartition("@")[0]
        return urlunsplit(self._server._replace(netloc=f"{user}@127.0.0.1:{self.port}"))

    def _prepare(self) -> None:
        server = self._server
        self.write("users", f'"{server.username}" "{unquote(server.password or "")}"\n')
        self.write(
            "settings.ini",
            f"""
[databases]
* = host={server.hostname} port={server.port or 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder}/users
pool_mode = transaction
default_pool_size = 4
server_round_robin = 1
max_client_conn = 500
""",
        )

    def _launch(self) -> subprocess.Popen[bytes]:
        return self.run([self._program, self.folder / "settings.ini"], {"LC_ALL": "C.UTF-8"})

    def _answers(self) -> bool:
        return greeting(self.port, _IS_TLS_SPOKEN) in {b"N", b"S"}
