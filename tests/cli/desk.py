"""A desk at the command line: run `lgsp` in this process and look at its exit status, stdout and stderr."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from gateway.cli import run
from tests.province import edit

ROOT = Path(__file__).resolve().parents[2]


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as one JSON value."""
        return json.loads(self.out)


def lgsp(*arguments: str | Path) -> Ended:
    """Run one command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run([str(each) for each in arguments])
    finally:
        structlog.reset_defaults()  # a command sets the log up for its process; here the process is the tests'
    return Ended(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A gateway over the province folder, in a process of its own, ready when the block begins."""
    command = [sys.executable, "-m", "gateway", "-C", str(folder), "serve"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            # the log's own words say when it listens; a start that fails closes the stream
            for line in process.stderr:
                if '"gateway.started"' in line:
                    break
            else:
                raise AssertionError(f"the gateway ended with {process.wait(10)}")
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=20)


def choose_port(folder: Path, port: int) -> str:
    """Let the province listen on ``port``; answers its address."""
    edit(folder, "lgsp.toml", 'listen = "127.0.0.1:8600"', f'listen = "127.0.0.1:{port}"')
    edit(folder, "lgsp.toml", 'public_url = "http://127.0.0.1:8600"', f'public_url = "http://127.0.0.1:{port}"')
    return f"http://127.0.0.1:{port}"


def tables(folder: Path) -> dict[str, int]:
    """Rows of each table of the province's database."""
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as opened:
        names = [name for (name,) in opened.execute("select name from sqlite_master where type = 'table'")]
        return {name: opened.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names}  # noqa: S608


def until(url: str, seconds: float = 10) -> None:
    """Wait until ``url`` answers 200."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            if answer.status == 200:
                return
        assert time.monotonic() < end, f"{url} did not answer"
        time.sleep(0.05)
