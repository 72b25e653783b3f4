"""A server of our own in a folder of its own: started, stopped, killed, paused; nothing of it stays behind."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

#: Seconds a server may take to listen, and to stop when asked.
START: Final = 60.0
STOP: Final = 30.0


class Unavailable(Exception):
    """The server cannot run here; the text says why and what would help."""


class PrivateServer:
    """What the two servers share. A subclass says how to prepare the folder, start a process and see that it answers.

    Ports and password are chosen once, so that a restart is seen by clients as one. Of no use to other users of the
    machine: it listens on loopback and asks for the password.
    """

    name: str
    #: The account under which it runs where we are root, if the machine has it; else ``nobody``.
    account: str
    #: How it is asked to stop.
    polite: signal.Signals = signal.SIGTERM

    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` is made, and removed by :meth:`close`; by default a temporary one."""
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix=f"lgsp-{self.name}-"))
        self.folder = folder
        self.password = secrets.token_hex(12)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_prepared = False

    # ------------------------------------------------------------------ what a subclass says

    def _prepare(self) -> None:
        """Write what has to be in the folder before the first start."""
        raise NotImplementedError

    def _launch(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _answers(self) -> bool:
        """Whether clients are served; must not take longer than about a second."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The address with user and password, as the settings take it."""
        raise NotImplementedError

    # ------------------------------------------------------------------ what one may do with it

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its first process; the others descend from it. Raises ValueError where it does not run."""
        if self._process is None:
            raise ValueError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start it, or start it again with what it kept; returns when it answers. Raises Unavailable."""
        if self.is_running:
            return self
        atexit.register(self.close)
        if not self._is_prepared:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self.own(self.folder)
            self._prepare()
            self._is_prepared = True
        self._process = self._launch()
        end = time.monotonic() + START
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                said = self.said()
                self.kill()
                raise Unavailable(f"{self.name} did not start: {said}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Ask it to stop and wait; killed where it does not."""
        if self.is_running and self._process is not None:
            self._process.send_signal(self.polite)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP)
        self.kill()

    def kill(self) -> None:
        """As a power cut would; what it synced is there at the next start."""
        everyone = self._everyone()
        for process in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
            self._process = None
        end = time.monotonic() + 10
        while any(map(_lives, everyone)) and time.monotonic() < end:
            time.sleep(0.01)

    def pause(self) -> None:
        """Let it hang: connections stay open and nobody answers, until :meth:`resume`."""
        for process in self._everyone():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        for process in self._everyone():
            os.kill(process, signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its folder; may be called twice."""
        atexit.unregister(self.close)
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ------------------------------------------------------------------ means

    def said(self) -> str:
        """The end of what it wrote while it ran."""
        log = self.folder / "output.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def run(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """A process in a session of its own, under the account, with no more than ``environment``."""
        user = self._user()
        with (self.folder / "output.log").open("ab") as log:
            return subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, user=user, group=None if user is None else pwd.getpwuid(user).pw_gid,
                extra_groups=None if user is None else [],
            )  # fmt: skip

    def own(self, path: Path) -> None:
        """Give ``path`` to the account."""
        user = self._user()
        if user is not None:
            os.chown(path, user, pwd.getpwuid(user).pw_gid)

    def write(self, name: str, text: str) -> Path:
        """A file in the folder that only the account reads."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        self.own(path)
        return path

    def _user(self) -> int | None:
        if os.geteuid() != 0:
            return None
        for name in (self.account, "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name).pw_uid
        raise Unavailable(f"{self.name} does not run as root, and this machine has no account {self.account} or nobody")

    def _everyone(self) -> list[int]:
        """The process and all that it started, parents first."""
        if self._process is None or self._process.poll() is not None:
            return []
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            _, parent = _status(int(folder.name))
            children.setdefault(parent, []).append(int(folder.name))
        found = [self._process.pid]
        for process in found:
            found.extend(children.get(process, []))
        return found


def _status(process: int) -> tuple[str, int]:
    """Its state, a letter, and its parent; Z and 0 where there is none."""
    try:
        state, parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return "Z", 0
    return state, int(parent)


def _lives(process: int) -> bool:
    return _status(process)[0] != "Z"


def free_ports(count: int) -> list[int]:
    """Loopback ports where nobody listens now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def greeting(port: int, first: bytes) -> bytes:
    """What the server at ``port`` says to ``first``; nothing where it does not listen or says nothing."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(first)
        return connection.recv(64)
    return b""
