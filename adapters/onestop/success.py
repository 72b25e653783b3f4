"""When an answer of the software means that it took what was posted: a predicate in the settings, not in code."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.wire_record import name_in

Verdict = Literal["taken", "there", "absent", "refused", "unclear"]


@dataclass(frozen=True, slots=True)
class Predicate:
    """``field`` with one of ``values`` (numbers compare as numbers: "00" is 0) is success; where there is no such
    field, one of ``phrases`` in the text is. ``already``: it has it. ``absent``: it does not know the dossier.
    ``never``: codes and phrases after which sending again is of no use.
    """

    field: str = "error_code"
    values: tuple[str, ...] = ("0",)
    text: str = "message"
    phrases: tuple[str, ...] = ("thành công",)
    already: tuple[str, ...] = ("đã tồn tại",)
    absent: tuple[str, ...] = ("không tồn tại", "không tìm thấy hồ sơ", "chưa có hồ sơ")
    never: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Predicate:
        """As the setting ``success`` says, its members by the names above."""
        made = cls()
        lists = {
            name: tuple(str(each) for each in settings.get(name, getattr(made, name)))
            for name in ("values", "phrases", "already", "absent", "never")
        }
        return cls(field=str(settings.get("field", made.field)), text=str(settings.get("text", made.text)), **lists)

    def judge(self, body: bytes) -> tuple[Verdict, str]:
        """What the answer means, and the code that it gave, where it is a short one: never its words."""
        try:
            value = parse_strict(body)
        except StrictJsonError:
            value = body.decode("utf-8", "replace")
        if isinstance(value, str):
            return self._by_words(value), ""
        if not isinstance(value, dict):
            return "unclear", ""
        code, words = name_in(value, self.field), name_in(value, self.text)
        told = str(words) if isinstance(words, str | int) else ""
        if isinstance(code, bool) or not isinstance(code, str | int):
            return self._by_words(told), ""
        shown = str(code) if len(str(code)) <= 10 and str(code).lstrip("-").isalnum() else ""
        if any(_same(code, each) for each in self.values):
            return "taken", shown
        if _says(told, self.already):
            return "there", shown
        if _says(told, self.absent):
            return "absent", shown
        if any(_same(code, each) for each in self.never) or _says(told, self.never):
            return "refused", shown
        return "unclear", shown

    def _by_words(self, words: str) -> Verdict:
        if _says(words, self.already):
            return "there"
        if _says(words, self.absent):
            return "absent"
        if _says(words, self.phrases) and not _says(words, ("không thành công",)):
            return "taken"
        return "refused" if _says(words, self.never) else "unclear"


def _same(given: str | int, wanted: str) -> bool:
    left, right = str(given).strip(), wanted.strip()
    if left.lstrip("-").isdigit() and right.lstrip("-").isdigit() and max(len(left), len(right)) <= 18:
        return int(left) == int(right)
    return left == right


def _says(words: str, phrases: Sequence[str]) -> bool:
    told = unicodedata.normalize("NFC", words).casefold()
    return any(unicodedata.normalize("NFC", each).casefold() in told for each in phrases)
