"""A gateway whose disk stops syncing on demand: from SIGUSR1 on, every fsync of the process is answered with EIO.

The kernel itself refuses the call (a seccomp filter of five instructions), so SQLite and the spool meet what they
would meet on a dying disk. It cannot be taken back: such a process ends by being killed.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import signal
import struct
import sys
from typing import Final

from gateway.cli import run

#: fsync and fdatasync.
_CALLS: Final = {"x86_64": (74, 75), "aarch64": (82, 83)}
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_NO_NEW_PRIVS: Final = 38
_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1
_LOAD, _IS_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _instructions() -> bytes:
    fsync, fdatasync = _CALLS[platform.machine()]
    made = [
        (_LOAD, 0, 0, 0),  # the number of the call
        (_IS_EQUAL, 1, 0, fsync),
        (_IS_EQUAL, 0, 1, fdatasync),
        (_RETURN, 0, 0, _ERRNO | errno.EIO),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *each) for each in made)


def stop_syncing(*_: object) -> None:
    """From now on no thread of this process can sync a file; raises OSError where the kernel does not allow this."""
    libc = ctypes.CDLL(None, use_errno=True)
    kept = ctypes.create_string_buffer(_instructions())
    program = _Program(5, ctypes.cast(kept, ctypes.c_void_p).value)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    number = _SECCOMP[platform.machine()]
    if libc.syscall(number, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, stop_syncing)
    sys.exit(run(sys.argv[1:]))
