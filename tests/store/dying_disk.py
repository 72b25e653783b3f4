"""`make faults`: the same promises on a disk that really is full (a small tmpfs), and one whose syncs fail for a while
(strace answers for it). Needs root and strace, so the suite does not collect it; what it can without stands in
``test_injected_faults.py``."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.desk import lgsp
from tests.cli.living import living
from tests.province import a_province
from tests.store.test_injected_faults import Sender, address, is_honest, until_accepted


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(a_province(tmp_path / "tinh"))


@contextlib.contextmanager
def syncs_failing(pid: int) -> Iterator[None]:
    """While this lasts every fsync and fdatasync of the process is answered with EIO."""
    command = ["strace", "-f", "-qq", "-p", str(pid), "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
               "-e", "inject=fsync,fdatasync:error=EIO"]  # fmt: skip
    with subprocess.Popen(command) as tracer:
        time.sleep(1)
        assert tracer.poll() is None, "strace could not attach"
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)


@contextlib.contextmanager
def a_small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """``folder`` is a file system of its own with so much room."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_whose_syncs_fail_for_a_while_is_used_again_by_itself(sender: Sender) -> None:
    with living(sender.folder, address(sender)) as alive:
        for _ in range(5):
            assert sender.post(alive)[0] == 202
        before = set(sender.acknowledged)
        denied = sender.envelope()
        with syncs_failing(alive.pid):
            is_honest(alive, sender.post(alive, denied))
            is_honest(alive, sender.post(alive))
            assert sender.acknowledged == before
        until_accepted(sender, alive, denied)
        alive.until_ready(10)
        taken = sender.taken()
        assert alive.process.poll() is None

    assert sender.acknowledged <= set(taken)
    assert len(taken) == len(set(taken))


def test_a_disk_that_really_is_full_is_told_and_used_again_once_there_is_room(sender: Sender) -> None:
    var = sender.folder / "var"
    with a_small_disk(var, 8):
        with living(sender.folder, address(sender)) as alive:
            for _ in range(20):
                assert sender.post(alive)[0] == 202
            ballast = var / "ballast"
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
            refused = sender.post(alive)
            while refused[0] == 202:  # the log's own pages may have room for a few more
                refused = sender.post(alive)
            is_honest(alive, refused)
            shown = lgsp("-C", sender.folder, "doctor", "--passive", "--json")
            errors = {each["check"] for each in shown.json["findings"] if each["severity"] == "error"}
            assert {"disk", "ports"} <= errors
            assert lgsp("-C", sender.folder, "backup", var / "b.tar").status == 1
            assert not list(var.glob("*.tar"))
            ballast.unlink()
            until_accepted(sender, alive, sender.envelope())
            alive.until_ready(10)
            taken = sender.taken()

        assert sorted(taken) == sorted(sender.acknowledged)
