"""One pair of servers for all processes of a test run: started when the first needs them, gone when the run is.

``LGSP_TEST_POSTGRES`` (a URL of a superuser) and ``LGSP_TEST_RABBITMQ`` (with ``LGSP_TEST_RABBITMQ_API``, the address
of its management API, an administrator) name running servers instead.

The process that began the run holds a lock on a file of the run's folder for as long as it lives. Each server has a
keeper, a process of its own, which ends it when it gets that lock: however the run ends, nothing keeps running.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast
from urllib.parse import quote, urlsplit

from tests.servers import databases
from tests.servers.postgres import PrivatePostgres
from tests.servers.private import START, PrivateServer, Unavailable
from tests.servers.rabbitmq import PrivateRabbit, RabbitApi

ROOT: Final = Path(__file__).resolve().parents[2]
#: Where the processes of one run meet.
_RUN: Final = "LGSP_TEST_RUN"
_PREFIX: Final = "lgsp-run-"
_PACKAGES: Final = 900.0
#: A run's folder without a run is removed by a later one after so long (seconds).
_STALE: Final = 3600.0
#: They outlive who started them; not forgotten, so that nobody wonders about their end.
_KEEPERS: Final[list[subprocess.Popen[bytes]]] = []
KINDS: Final[dict[str, type[PrivateServer]]] = {"postgres": PrivatePostgres, "rabbitmq": PrivateRabbit}


@dataclass(slots=True)
class Run:
    """One run of tests, seen from one of its processes."""

    folder: Path
    _lock: IO[bytes] | None = None

    @classmethod
    def begin(cls) -> Run:
        """Join the run that this process was started in, or begin one: then its end must be told (:meth:`end`)."""
        joined = os.environ.get(_RUN)
        if joined:
            return cls(Path(joined))
        _tidy()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        folder.chmod(0o711)  # the servers' own folders in it belong to other accounts
        lock = (folder / "alive").open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ[_RUN] = str(folder)
        return cls(folder, lock)

    @property
    def name(self) -> str:
        """What the databases and virtual hosts of this run begin with."""
        return "lgsp_test_" + self.folder.name.rpartition("-")[2].lower()

    def end(self) -> None:
        """Where this process began the run: end the servers and wait for it. A process that joined does nothing."""
        if self._lock is None:
            return
        del os.environ[_RUN]
        self._drop_what_is_left()
        self._lock.close()
        end = time.monotonic() + 30
        while list(self.folder.glob("*.keeper")) and time.monotonic() < end:
            time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _drop_what_is_left(self) -> None:
        """On servers that stay, the databases and virtual hosts of tests that were killed."""
        if (postgres := _named("postgres")) is not None:
            databases.drop_all(postgres["url"], self.name)
        if (rabbit := _named("rabbitmq")) is not None:
            api = RabbitApi(rabbit["api"])
            for vhost in api.vhosts():
                if vhost.startswith(self.name):
                    api.drop_vhost(vhost)

    # ------------------------------------------------------------------------------------ servers

    def prepare(self, kind: str) -> None:
        """Have the server of this kind started in the background, once in a run."""
        if _named(kind) is None:
            with self.once(f"{kind}.begun") as is_first:
                if is_first:
                    self._keep(kind)

    def server(self, kind: str) -> dict[str, str]:
        """``url`` (and ``api``) of the server of this kind, waiting for it to be up; raises Unavailable."""
        named = _named(kind)
        if named is not None:
            return named
        self.prepare(kind)
        told = self.folder / f"{kind}.json"
        end = time.monotonic() + START + _PACKAGES
        while not told.exists():
            if not (self.folder / f"{kind}.keeper").exists() or time.monotonic() > end:
                raise Unavailable(f"the keeper of {kind} ended without a word")
            time.sleep(0.05)
        answer: dict[str, str] = json.loads(told.read_text())
        if "failed" in answer:
            raise Unavailable(answer["failed"])
        return answer

    def _keep(self, kind: str) -> None:
        (self.folder / f"{kind}.keeper").touch()
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.sharing", kind, str(self.folder)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        _KEEPERS.append(keeper)

    @contextlib.contextmanager
    def once(self, name: str) -> Iterator[bool]:
        """Alone among the processes of the run; answers whether nobody was here before."""
        path = self.folder / name
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield not path.exists()
            path.touch()


def _tidy() -> None:
    """Remove the folders of runs that were killed before they had any server, whose keeper would have done it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / "alive").open("rb") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)


def _named(kind: str) -> dict[str, str] | None:
    """The running server that the environment names."""
    if kind == "postgres":
        url = os.environ.get("LGSP_TEST_POSTGRES")
        return {"url": url} if url else None
    url = os.environ.get("LGSP_TEST_RABBITMQ")
    if not url:
        return None
    parts = urlsplit(url)
    login = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
    api = os.environ.get("LGSP_TEST_RABBITMQ_API") or f"http://{login}@{parts.hostname}:15672"
    return {"url": url, "api": api}


def within(url: str, name: str) -> str:
    """The address of the database or virtual host ``name`` of the server at ``url``."""
    return urlsplit(url)._replace(path="/" + quote(name, safe="")).geturl()


def _keep(kind: str, folder: Path) -> None:
    """The keeper: a server for as long as its run lasts."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    told = folder / f"{kind}.json"
    server: PrivateServer | None = None
    try:
        with (folder / "alive").open("rb") as alive:
            try:
                server = KINDS[kind](folder / kind).start()
                words = {"url": server.url}
                if kind == "rabbitmq":
                    words["api"] = cast("PrivateRabbit", server).api_url
            except Unavailable as why:
                words = {"failed": str(why)}
            told.with_suffix(".new").write_text(json.dumps(words))
            told.with_suffix(".new").replace(told)
            fcntl.flock(alive, fcntl.LOCK_EX)
    finally:
        if server is not None:
            server.close()
        (folder / f"{kind}.keeper").unlink(missing_ok=True)
        if not list(folder.glob("*.keeper")):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]))
