"""What an answer of the portal means, by a table in data: success is said in several ways, and errors in words."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gateway.calls.account import REFUSED, succeeded
from gateway.calls.caller import Answer
from gateway.core.faults import DestinationGone, PermanentFailure, TransientFailure
from gateway.core.wire_record import name_in, unwrapped

#: ``there``: the dossier exists already; ``absent``: it does not; ``later``: no line of the table fits.
Kind = Literal["done", "session", "account", "there", "absent", "never", "later"]


@dataclass(frozen=True, slots=True)
class Line:
    """When a verdict fits: one of these codes, statuses or words, and none of the words in ``unless``."""

    codes: frozenset[int] = frozenset()
    statuses: frozenset[int] = frozenset()
    words: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def has_words(self, said: str) -> bool:
        """Whether one of the words is said, and nothing that turns it round."""
        return any(each in said for each in self.words) and not any(each in said for each in self.unless)


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer read: what it means, its own code as it came, and its frame (names in the portal's casing)."""

    kind: Kind
    code: str
    frame: Mapping[str, Any]

    @property
    def rows(self) -> list[Mapping[str, Any]] | None:
        """The list under ``result``, each row once; None where the answer has no such member."""
        if not any(name.casefold() == "result" for name in self.frame):
            return None
        result = name_in(self.frame, "result")
        rows = result if isinstance(result, list) else [result]
        found: list[Mapping[str, Any]] = []
        for row in rows:
            if isinstance(row, dict) and row and row not in found:
                found.append(row)
        return found


class Table:
    """The table of verdicts."""

    def __init__(self, file: Path) -> None:
        """Reads ``file``: kind -> codes, statuses, words, unless."""
        content = json.loads(file.read_text("utf-8"))
        self._lines: dict[str, Line] = {
            kind: Line(
                frozenset(line.get("codes", ())),
                frozenset(line.get("statuses", ())),
                tuple(map(_folded, line.get("words", ()))),
                tuple(map(_folded, line.get("unless", ()))),
            )
            for kind, line in content.items()
            if isinstance(line, dict)
        }

    def verdict(self, answer: Answer, now: float, *, is_login: bool = False) -> Verdict:
        """What ``answer`` means; ``now`` is seconds since 1970. Of a login it may say that the account is refused.

        Raises TransientFailure where it is no answer of the portal's at all: a proxy's page, an error of the server.
        """
        if answer.status in self._lines["session"].statuses:
            return Verdict("session", str(answer.status), {})
        frame = self._frame(answer, now)
        worst = self._judged(frame)
        if is_login and worst.kind != "done" and self._lines["login"].has_words(_said(frame)):
            worst = Verdict("account", worst.code, frame)
        for row in worst.rows or ():
            # HTTP 200, a frame that says yes, and an error inside.
            if worst.kind == "done" and any(name.casefold() == "error_code" for name in row):
                worst = self._judged(row)
        return Verdict(worst.kind, worst.code, frame)

    def _frame(self, answer: Answer, now: float) -> Mapping[str, Any]:
        succeeded(answer, now)
        value = answer.json()
        try:
            value = unwrapped(value)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise TransientFailure(f"the answer ({answer.status}) is no object", answer.status)
        return value

    def _judged(self, frame: Mapping[str, Any]) -> Verdict:
        raw = name_in(frame, "error_code")
        code = _number(raw)
        written = "" if raw is None else str(raw)[:40]
        said = _said(frame)
        if code is not None and code in self._lines["done"].codes:
            return Verdict("done", written, frame)
        worded: tuple[Kind, ...] = ("session", "account", "there", "absent")
        for kind in worded:
            line = self._lines[kind]
            if line.has_words(said) or (code is not None and code in line.codes):
                return Verdict(kind, written, frame)
        if raw is None and self._lines["done"].has_words(said):
            return Verdict("done", written, frame)
        return Verdict("never" if self._lines["never"].has_words(said) else "later", written, frame)


def accepted(verdict: Verdict, *kinds: Kind) -> Verdict:
    """``verdict`` where it is one of ``kinds``; else raises what it means. Nothing of the portal's words is repeated:
    they may quote the dossier.
    """
    if verdict.kind in kinds:
        return verdict
    code = f"error_code {verdict.code}" if verdict.code else "no error_code"
    if verdict.kind in {"account", "session"}:
        raise DestinationGone(REFUSED, 200)
    if verdict.kind == "never":
        raise PermanentFailure(
            f"Cổng DVCQG không nhận dữ liệu này ({code}): đơn vị gửi cần kiểm tra hồ sơ theo hướng dẫn của Cổng - the"
            f" portal does not take these data ({code}): the sender must check the dossier",
            200,
        )
    raise TransientFailure(f"the portal says no ({code}, {verdict.kind})", 200)


def _number(value: Any) -> int | None:
    """A code as a number: 0, "0" and "00" are one; None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if value == int(value) else None
    try:
        return int(value.strip()) if isinstance(value, str) and len(value) < 10 else None
    except ValueError:
        return None


def _said(frame: Mapping[str, Any]) -> str:
    message = name_in(frame, "message")
    return _folded(message) if isinstance(message, str) else ""


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
