"""A private PostgreSQL: a cluster in a folder, on a loopback port, with a password and nothing else to come in by."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from pathlib import Path
from typing import Final

from tests.servers.packages import binary
from tests.servers.private import PrivateServer, Unavailable, free_ports, greeting

_FOLDERS: Final = ("/usr/lib/postgresql/*/bin",)
#: Does it speak TLS? A server that serves clients answers with one letter, before any password.
_IS_TLS_SPOKEN: Final = struct.pack("!ii", 8, 80877103)


class PrivatePostgres(PrivateServer):
    """PostgreSQL as Debian packs it: syncs on, no socket file, superuser ``lgsp``."""

    name = "postgresql"
    account = "postgres"
    #: "Fast": clients are sent away, everything is on disk.
    polite = signal.SIGINT

    def __init__(self, folder: Path | None = None, *, settings: dict[str, str] | None = None) -> None:
        """``settings``: lines of postgresql.conf beyond ours."""
        self._programs = {name: binary(name, "postgresql", *_FOLDERS) for name in ("initdb", "postgres")}
        super().__init__(folder)
        (self.port,) = free_ports(1)
        self._settings = settings or {}

    @property
    def url(self) -> str:
        """The address of its first database; any other is named by its last part."""
        return f"postgresql://lgsp:{self.password}@127.0.0.1:{self.port}/postgres"

    def _prepare(self) -> None:
        password = self.write("password", self.password)
        initdb = self.run(
            [
                self._programs["initdb"], "--pgdata", self.folder / "data", "--username", "lgsp",
                "--auth", "scram-sha-256", "--pwfile", password,
                "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
            ],
            _environment(),
        )  # fmt: skip
        if initdb.wait(60) != 0:
            raise Unavailable(f"initdb failed: {self.said()}")
        lines = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_min_messages": "warning",
            "log_line_prefix": "%m [%p] %d ",
            **self._settings,
        }
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in lines.items())

    def _launch(self) -> subprocess.Popen[bytes]:
        return self.run([self._programs["postgres"], "-D", self.folder / "data"], _environment())

    def _answers(self) -> bool:
        # While it recovers from a crash it answers too, but serves nobody: its own word counts.
        if greeting(self.port, _IS_TLS_SPOKEN) not in {b"N", b"S"}:
            return False
        status = self.folder / "data" / "postmaster.pid"
        return status.exists() and status.read_text().split()[-1] == "ready"


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
