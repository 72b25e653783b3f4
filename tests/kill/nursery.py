"""Lives begun from a process that has read the program already: they differ from others in that they begin at once.

Reading the program takes a second of a processor, and the rounds begin hundreds of lives. ``python -m
tests.kill.nursery`` reads it once and forks: each life is a process of its own, with an environment, a log and an end
of its own, runs the same command line, and dies as any other does. What is forked has one thread and no file open but
its three.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parents[2]
#: What every life reads before it listens.
_READ: Final = (
    "gateway.cli.serve", "gateway.cli.serving", "gateway.cli.manager", "gateway.compose.gateway",
    "gateway.store.sqlite.ledger", "adapters.inbox.adapter", "adapters.webhook.adapter",
    "adapters.edxml_folder.adapter",
)  # fmt: skip
#: How long a life may take to begin (seconds).
_BORN: Final = 30.0


@dataclass(slots=True)
class Forked:
    """A life that a nursery began, as ``asyncio.subprocess.Process`` shows one."""

    pid: int
    nursery: Nursery
    end: Future[int] = field(default_factory=Future)

    @property
    def returncode(self) -> int | None:
        """How it ended: an exit status, or the negative number of a signal; None while it goes on."""
        return self.end.result() if self.end.done() else None

    async def wait(self) -> int:
        """The same once it ended."""
        return await asyncio.shield(asyncio.wrap_future(self.end))

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing where it has ended."""
        self.nursery.tell({"signal": number, "pid": self.pid})

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """Begins lives. Ends with whoever made it, and all its lives with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._born: Future[Forked] | None = None
        self._living: dict[int, Forked] = {}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LGSP_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=_ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._listener = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._listener.start()

    async def begin(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> Forked:
        """A life that runs ``lgsp ARGUMENTS``; ``environment`` is added to this process's own."""
        return await asyncio.to_thread(self._begin, arguments, log, environment)

    def tell(self, message: Mapping[str, Any]) -> None:
        """One line to the nursery's process."""
        stdin = self._process.stdin
        if stdin is not None and self._process.poll() is None:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(json.dumps(message).encode() + b"\n")
                stdin.flush()

    def close(self) -> None:
        """End the nursery and what lives in it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)
        self._listener.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _begin(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> Forked:
        with self._lock:
            self._born = Future()
            self.tell({"arguments": list(arguments), "log": str(log), "environment": dict(environment)})
            return self._born.result(_BORN)

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            said = json.loads(line)
            pid = int(said["pid"])
            if "status" in said:
                self._living.pop(pid).end.set_result(int(said["status"]))
            elif self._born is not None:
                self._living[pid] = Forked(pid, self)
                self._born.set_result(self._living[pid])
        for each in self._living.values():
            each.end.set_result(-signal.SIGKILL)


# --------------------------------------------------------------------------------------------- the nursery's process


def _serve() -> None:
    """Begin a life for each line that asks for one, and say how each ended; returns in a life, to run the program."""
    for module in _READ:
        importlib.import_module(module)
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise RuntimeError("something that the program reads began a thread: what is forked would lack it")
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    living: set[int] = set()
    waiting = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ended(living)
        if 0 not in ready:
            continue
        read = os.read(0, 65536)
        if not read:
            for pid in living:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        *lines, waiting = (waiting + read).split(b"\n")
        for line in lines:
            asked = json.loads(line)
            if "signal" in asked:
                # Only this process reaps them: the number is nobody else's before it did.
                if asked["pid"] in living:
                    os.kill(asked["pid"], asked["signal"])
                continue
            pid = os.fork()
            if pid == 0:
                _be_born(asked)
                return
            living.add(pid)
            _say({"pid": pid})


def _tell_ended(living: set[int]) -> None:
    for pid in list(living):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            living.discard(pid)
            _say({"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _say(message: Mapping[str, int]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _be_born(asked: Mapping[str, Any]) -> None:
    """Be as a process that was just begun: signals, files, environment, command line."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, min(65536, os.sysconf("SC_OPEN_MAX")))
    os.environ.update(asked["environment"])
    sys.argv = ["lgsp", *asked["arguments"]]


if __name__ == "__main__":
    _serve()
    from gateway.cli import main

    main()
