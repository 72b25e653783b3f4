"""Agency codes (mã định danh) in both official forms, names of systems, and patterns over them.

A code is an opaque key: the registry decides what exists, parents and aliases come from it alone, and no
form is ever computed into the other. The forms here only serve to *warn* about an unusual code
(QCVN 102:2016 and its amendment 1:2022; Decision 20/2020/QĐ-TTg).
"""

from __future__ import annotations

import re
from typing import Final

#: The longest code the registry takes; Decision 20/2020 allows 35 characters, production data holds longer ones.
MAX_CODE: Final = 64
MAX_SYSTEM: Final = 128

_FORMS: Final = (
    ("qd20", re.compile(r"(?=.{3,35}\Z)[A-Y][0-9]{2}(\.[0-9A-Z]{1,10})*\Z")),
    ("qcvn2016", re.compile(r"[0-9A-Z]{3}\.[0-9A-Z]{2}\.[0-9A-Z]{2}\.[A-Z][0-9A-Z]{2}\Z")),
    ("centre", re.compile(r"[0-9]{2}\.[0-9]{2}\.W00\Z")),  # before the form that it is a case of
    ("legacy9", re.compile(r"[0-9A-Z]{2}\.[0-9A-Z]{2}\.[A-Z][0-9A-Z]{2}\Z")),
    ("enterprise", re.compile(r"[0-9]{12,13}\Z")),
)
_CODE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}\Z")
_LOCAL_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")


def form_of(code: str) -> str | None:
    """Which official form ``code`` has: ``qd20``, ``qcvn2016``, ``legacy9``, ``centre``, ``enterprise`` or None."""
    return next((name for name, shape in _FORMS if shape.match(code)), None)


def is_code(text: str) -> bool:
    """Whether ``text`` can be an agency code at all (letters, digits, ``. _ -``; at most 64 characters)."""
    return _CODE.match(text) is not None


def is_local_name(text: str) -> bool:
    """Whether ``text`` can name one system of an agency, the part after the slash."""
    return _LOCAL_NAME.match(text) is not None


def split_system(name: str) -> tuple[str, str] | None:
    """``H33.05/dms`` -> ``("H33.05", "dms")``; None where ``name`` is not the name of a system."""
    code, slash, local = name.partition("/")
    if not slash or not is_code(code) or not is_local_name(local):
        return None
    return code, local


def is_contract_match(pattern: str, name: str) -> bool:
    """Whether a contract name falls under ``document.issued``, ``document.*`` or ``*``."""
    if pattern in {"*", name}:
        return True
    return pattern.endswith(".*") and name.startswith(pattern[:-1])


def is_text_match(pattern: str, text: str) -> bool:
    """Whether ``text`` matches a pattern in which ``*`` stands for any run of characters, also none.

    Linear in the lengths: the pieces between the stars are looked for from left to right.
    """
    head, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(head):
        return False
    *middle, tail = rest
    at = len(head)
    for piece in middle:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(text) - at >= len(tail) and text.endswith(tail)


def is_centre(code: str) -> bool:
    """Whether ``code`` names a connection centre (``00.53.W00``): machinery of the axis, no party to a document."""
    return code == "W00" or code.endswith(".W00") or code.startswith("W00.")
