"""What a far side's answer means, told by data: success predicate and error map. Pure.

Nearly all of them answer HTTP 200 whatever happened, each with a field of its own for it. A description says

    success   = [CONDITION, ...]                     all must hold
    errors    = [{CONDITION..., means = KIND}, ...]  looked at first, in their order
    otherwise = KIND                                 where neither holds; "again" unless it says so

    CONDITION: {at = POINTER, in = [VALUE, ...]} | {at, present = true|false} | {at, holds = [PHRASE, ...]} |
               {status = [HTTP STATUS, ...]}; several of these in one condition must all hold

Numbers written as text compare as numbers ("00" is "0" is 0); phrases compare in NFC without case, as a part of the
text. Meaning of the kinds: ``Kind``. ``Verdicts.parse`` once, ``verdict(status, value)`` for each answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from gateway.core.faults import Misconfigured, Text
from gateway.core.rule import ABSENT, Path, value_at
from gateway.core.rule_text import split_pointer

#: ``done``: it did, or found, what was asked. ``empty``: there is no such record. ``there``: it has that already.
#: ``again``: not now. ``never``: not this. ``unproven``: the session or token is over, prove it anew once. ``refused``:
#: the account has no right; an operator must act.
Kind = Literal["done", "empty", "there", "again", "never", "unproven", "refused"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")


@dataclass(frozen=True, slots=True)
class Sign:
    """One condition on an answer."""

    at: Path | None = None
    values: frozenset[str] | None = None
    is_present: bool | None = None
    phrases: tuple[str, ...] = ()
    statuses: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Sign:
        """One condition; raises Misconfigured naming ``where``."""
        try:
            at = split_pointer(raw["at"]) if "at" in raw else None
            made = cls(
                at,
                frozenset(plain(each) for each in raw["in"]) if "in" in raw else None,
                raw.get("present"),
                tuple(_folded(each) for each in raw.get("holds", ())),
                frozenset(int(each) for each in raw.get("status", ())),
            )
        except (ValueError, TypeError):
            made = cls()
        tells = made.values is not None or made.is_present is not None or made.phrases
        if bool(tells) != (made.at is not None) or not (tells or made.statuses):
            raise Misconfigured(
                where,
                Text("Điều kiện không đọc được", "The condition cannot be read"),
                Text(
                    'Ghi {at = "/con-tro", in = [...]}, present, holds hoặc status.',
                    'Write {at = "/pointer", in = [...]}, or present, holds or status.',
                ),
            )
        return made

    def holds(self, status: int, value: Any) -> bool:
        """Whether an answer of this HTTP status and value fulfils it."""
        if self.statuses and status not in self.statuses:
            return False
        if self.at is None:
            return True
        found = value_at(value, self.at)
        there = found is not ABSENT and found not in (None, "", [], {})
        if self.is_present is not None and there is not self.is_present:
            return False
        if self.values is not None and (found is ABSENT or plain(found) not in self.values):
            return False
        return not self.phrases or (isinstance(found, str) and any(each in _folded(found) for each in self.phrases))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What each answer of one service means."""

    success: tuple[Sign, ...]
    errors: tuple[tuple[Sign, Kind], ...] = ()
    otherwise: Kind = "again"

    @classmethod
    def parse(cls, raw: Mapping[str, Any], where: str) -> Verdicts:
        """``success``, ``errors`` and ``otherwise`` of a description; raises Misconfigured naming ``where``."""
        success = tuple(Sign.parse(each, f"{where}/success/{n}") for n, each in enumerate(raw.get("success", ())))
        errors = []
        for number, each in enumerate(raw.get("errors", ())):
            errors.append((Sign.parse(each, f"{where}/errors/{number}"), _kind(each, "means", where)))
        return cls(success, tuple(errors), _kind(raw, "otherwise", where) if "otherwise" in raw else "again")

    def verdict(self, status: int, value: Any) -> Kind:
        """What an answer means. A status that is no success never counts as done, whatever the body says."""
        for sign, kind in self.errors:
            if sign.holds(status, value) and (kind != "done" or 200 <= status < 300):
                return kind
        if not 200 <= status < 300:
            return _by_status(status)
        if all(sign.holds(status, value) for sign in self.success):
            return "done"
        return self.otherwise


def plain(value: Any) -> str:
    """A value as it is compared: whole numbers by what they count, words without outer blanks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int | float) else repr(type(value))
    return str(int(text)) if _WHOLE.match(text) and text.isascii() else text


def _kind(raw: Mapping[str, Any], member: str, where: str) -> Kind:
    kind = raw.get(member)
    for each in KINDS:
        if each == kind:
            return each
    raise Misconfigured(
        f"{where}/{member}",
        Text("Ý nghĩa của lỗi không có trong danh sách", "There is no such meaning"),
        Text(f"Chọn một trong: {', '.join(KINDS)}.", f"Choose one of: {', '.join(KINDS)}."),
    )


def _by_status(status: int) -> Kind:
    if status in {401, 403}:
        return "unproven"
    return "never" if status in {400, 405, 413, 415, 422} else "again"


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def signs_in(raw: Iterable[Mapping[str, Any]], where: str) -> tuple[Sign, ...]:
    """Several conditions."""
    return tuple(Sign.parse(each, f"{where}/{number}") for number, each in enumerate(raw))
