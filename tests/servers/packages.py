"""Finds the binaries of the two servers; where they are missing and we may, Debian's packages are installed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.servers.private import Unavailable

#: What a package's start script asks before it starts a service; 101 says no.
_POLICY: Final = Path("/usr/sbin/policy-rc.d")
_LOCK: Final = Path(tempfile.gettempdir()) / "lgsp-test-packages.lock"


def binary(name: str, package: str, *folders: str) -> Path:
    """Where the program is: in the newest of ``folders`` (with ``*``), else on the path; raises Unavailable."""
    found = _find(name, folders)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(package)
        found = _find(name, folders)
    if found is None:
        raise Unavailable(
            f"{name} is not installed: install Debian's package {package} (or let root run the tests),"
            " or name a running server, see tests/servers/sharing.py"
        )
    return found


def _find(name: str, folders: tuple[str, ...]) -> Path | None:
    inside = [path / name for pattern in folders for path in Path("/").glob(pattern.lstrip("/"))]
    present = sorted((path for path in inside if os.access(path, os.X_OK)), key=_version)
    on_path = shutil.which(name)
    return present[-1] if present else Path(on_path) if on_path else None


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


def _install(package: str) -> None:
    """Debian's package, without the service that it would start; told once, one at a time on this machine."""
    with _LOCK.open("w") as lock, _services_off():
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
            ended = subprocess.run(
                ["apt-get", "-o", "DPkg::Lock::Timeout=300", *command],
                env=environment, capture_output=True, text=True, timeout=900, check=False,
            )  # fmt: skip
            if ended.returncode != 0:
                raise Unavailable(f"{package} could not be installed: {ended.stderr[-500:]}")


@contextlib.contextmanager
def _services_off() -> Iterator[None]:
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
