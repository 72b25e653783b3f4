"""The province of an agency's code in either form: whose dossier codes have to be whole follows from it."""

from __future__ import annotations

import re
from typing import Final

_PROVINCE: Final = re.compile(r"(?:\d{3}\.\d{2}\.\d{2}\.)?([A-Y]\d{2})(?![A-Z0-9])", re.ASCII)


def province_of(code: str) -> str:
    """The level-1 part of an agency's code; empty where there is none."""
    match = _PROVINCE.match(code.strip().upper())
    return match.group(1) if match else ""
