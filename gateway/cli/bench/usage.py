"""What processes use, as Linux counts it, and the unit in which it is told: one signature checked and one made."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.core.faults import Misconfigured, Text

_PROC: Final = Path("/proc")
_LOOPS: Final = 9
_TURNS: Final = 50
#: The size that ``cal`` is defined for (bytes).
_SIZE: Final = 3 * 1024


def cal() -> float:
    """CPU seconds of one Ed25519 verification and one signature of 3 KB by OpenSSL, on this machine, now.

    A machine shared with others runs the same code at half its speed from one minute to the next, in CPU time
    too; figures told in this unit can be compared all the same.
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    message = os.urandom(_SIZE)
    signature = key.sign(message)
    loops: list[float] = []
    for _ in range(_LOOPS):
        began = time.process_time()
        for _ in range(_TURNS):
            public.verify(signature, message)
            key.sign(message)
        loops.append((time.process_time() - began) / _TURNS)
    return statistics.median(loops)


def need_proc() -> None:
    """Raises Misconfigured where the system does not tell what processes use."""
    if not (_PROC / "self" / "stat").exists():
        raise Misconfigured(
            str(_PROC),
            Text("Hệ điều hành này không cho biết mức dùng CPU", "This system does not tell what processes use"),
            Text("Hãy đo trên Linux.", "Measure on Linux."),
        )


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (found := _stat(int(entry.name))):
            children.setdefault(int(found[1]), []).append(int(entry.name))
    known = [pid]
    for each in known:
        known += children.get(each, [])
    return known


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, ended ones included, to a hundredth of a second."""
    ticks = 0
    for each in family(pid):
        found = _stat(each)
        ticks += sum(int(value) for value in found[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants, each counted by itself."""
    total = 0
    for each in family(pid):
        for line in (_PROC / str(each) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent and so on; empty where it is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
