"""A gateway in a process of its own whose log is read as it speaks, so that much traffic never stops it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cli.desk import ROOT, choose_port

#: How a province is served, as a command of this Python.
SERVE = ("-m", "gateway", "-C", "{folder}", "serve")


class Living:
    """A process, what it logged so far, and where it listens."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    def ask(self, path: str, body: bytes | None = None, media_type: str = "application/jose") -> tuple[int, Any]:
        """One request: its status and its body as JSON (with Retry-After as a member of that name)."""
        request = urllib.request.Request(self.url + path, data=body)  # noqa: S310 - our own gateway
        if body is not None:
            request.add_header("Content-Type", media_type)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own gateway
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {**json.loads(error.read()), "Retry-After": error.headers["Retry-After"]}

    def until_ready(self, seconds: float = 15) -> None:
        """Wait until it is ready; fails with its last words where it is not."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if self.ask("/health/ready")[0] == 200:
                    return
            assert self.process.poll() is None, "".join(self.log[-20:])
            assert time.monotonic() < end, "".join(self.log[-20:])
            time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)


def at_a_free_port(folder: Path) -> str:
    """Let the province listen where nobody does; answers its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return choose_port(folder, free.getsockname()[1])


@contextlib.contextmanager
def living(
    folder: Path, url: str, *, command: Sequence[str] = SERVE, environ: Mapping[str, str] | None = None
) -> Iterator[Living]:
    """A ready gateway over the folder for the length of the block; ended in good order where it still runs."""
    arguments = [sys.executable, *(each.format(folder=folder) for each in command)]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LGSP")},
        **(environ or {}),
    }
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        alive = Living(process, url)
        try:
            alive.until_ready()
            yield alive
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
