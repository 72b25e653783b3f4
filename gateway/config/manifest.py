"""A contract's ``contract.toml``: its titles, its owner, its kind, and the states of its versions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.documents import nearest
from gateway.core.contract import KINDS, ORDERINGS, STATES, Processed, is_contract_name
from gateway.core.faults import Misconfigured, Text

_LONGEST_WITHIN: Final = 250
_KEYS: Final = ("title", "owner", "kind", "ordering", "personal", "answer", "register", "states", "processed")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The file's values, checked one by one; ``mistake`` points at the line of a key."""

    values: Mapping[str, Any]
    text: str
    where: str

    @classmethod
    def read(cls, content: bytes, where: str) -> Manifest:
        """The manifest in ``content``; raises ``Misconfigured`` with ``where``, the line and the key."""
        try:
            text = content.decode("utf-8")
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
            found = re.search(r"line (\d+)", str(broken))
            raise Misconfigured(
                f"{where}:{found[1] if found else 1}",
                Text(f"Không đọc được TOML: {broken}", f"This is not TOML: {broken}"),
                Text("Cần TOML 1.0, bảng mã UTF-8", "TOML 1.0 in UTF-8 is needed"),
            ) from None
        manifest = cls(values, text, where)
        manifest._check()
        return manifest

    @property
    def title(self) -> Text:
        """The contract's name for people."""
        return Text(self.values["title"]["vi"], self.values["title"]["en"])

    @property
    def owner(self) -> str:
        """The agency that answers for the contract."""
        return str(self.values["owner"])

    @property
    def kind(self) -> str:
        """``message`` (default), ``query`` or ``answer``."""
        return str(self.values.get("kind", KINDS[0]))

    @property
    def ordering(self) -> str:
        """``subject`` (default) or ``none``."""
        return str(self.values.get("ordering", ORDERINGS[0]))

    @property
    def personal(self) -> bool:
        """Whether its data is personal, so that every envelope must name a purpose; default false."""
        return bool(self.values.get("personal", False))

    @property
    def answer(self) -> str | None:
        """Of a query: the contract of its answer."""
        return self.values.get("answer")

    @property
    def register(self) -> str | None:
        """Of what tells of a register's records: its code, or ``/MEMBER`` of the data that holds it."""
        return self.values.get("register")

    @property
    def processed(self) -> Processed | None:
        """By what a recipient shows that it dealt with such a message; None where nothing does."""
        given = self.values.get("processed")
        if given is None:
            return None
        by, codes, accepted = (tuple(given.get(name, ())) for name in ("by", "codes", "accepted"))
        return Processed(by, given["within"], codes, accepted)

    @property
    def states(self) -> Mapping[str, str]:
        """Version label -> state, of those that are not ``active``."""
        found: Mapping[str, str] = self.values.get("states", {})
        return found

    def mistake(self, key: str, vi: str, en: str, right: str) -> Misconfigured:
        """The fault for ``key``, with its line; ``right`` is what would be right, in signs of both languages."""
        rows = enumerate(self.text.splitlines(), 1)
        line = next((number for number, row in rows if re.match(rf"\s*\[?{re.escape(key)}\b", row)), 1)
        return Misconfigured(
            f"{self.where}:{line}: {key}",
            Text(f"Khoá {key}: {vi}", f"The key {key}: {en}"),
            Text(f"Cần: {right}", f"Needed: {right}"),
        )

    def _check(self) -> None:
        for key in self.values:
            if key not in _KEYS:
                known = nearest(key, _KEYS) or ", ".join(_KEYS)
                raise self.mistake(key, "không có khoá này", "there is no such key", known)
        title = self.values.get("title")
        if not isinstance(title, dict) or any(not _is_said(title.get(language)) for language in ("vi", "en")):
            right = 'title = { vi = "…", en = "…" }'
            raise self.mistake("title", "thiếu tên tiếng Việt hoặc tiếng Anh", "a title is missing", right)
        if not _is_said(self.values.get("owner")):
            raise self.mistake("owner", "thiếu cơ quan chủ quản", "the owning agency is missing", 'owner = "H33.14"')
        for key, choices in (("kind", KINDS), ("ordering", ORDERINGS)):
            if self.values.get(key, choices[0]) not in choices:
                raise self.mistake(key, "giá trị không hợp lệ", "the value is not known", " | ".join(choices))
        if not isinstance(self.values.get("personal", False), bool):
            raise self.mistake("personal", "phải là true hoặc false", "must be true or false", "personal = false")
        self._check_answer()
        self._check_register()
        self._check_processed()
        states = self.values.get("states", {})
        if not isinstance(states, dict) or any(state not in STATES for state in states.values()):
            raise self.mistake("states", "trạng thái không hợp lệ", "a state is not known", " | ".join(STATES))

    def _check_register(self) -> None:
        if "register" not in self.values:
            return
        right = 'register = "land-parcel" | register = "/register"'
        if self.kind != "message":
            raise self.mistake("register", "chỉ dùng cho kind = message", "is for messages alone", right)
        if not _is_register(self.values["register"]):
            raise self.mistake("register", "không phải mã sổ", "is no code of a register", right)

    def _check_answer(self) -> None:
        answer, right = self.values.get("answer"), 'answer = "citizen.found"'
        if (answer is not None) is not (self.kind == "query"):
            vi = "hợp đồng kind = query, và chỉ nó, nêu hợp đồng trả lời"
            raise self.mistake("answer", vi, "a contract of kind query, and only such, names its answer", right)
        if answer is not None and (not isinstance(answer, str) or not is_contract_name(answer)):
            raise self.mistake("answer", "phải là tên hợp đồng", "must be a contract's name", right)

    def _check_processed(self) -> None:
        given, right = self.values.get("processed"), 'processed = { by = ["document.status"], within = 3 }'
        if given is None:
            return
        if (
            self.kind != "message"
            or not isinstance(given, dict)
            or given.keys() - {"by", "within", "codes", "accepted"}
        ):
            vi = "chỉ của kind = message, gồm by, within, codes, accepted"
            raise self.mistake("processed", vi, "of kind message alone: by, within, codes, accepted", right)
        by, within = given.get("by"), given.get("within")
        if not _are_texts(by) or not by or not all(is_contract_name(name) for name in by):
            raise self.mistake("processed", "by phải là các hợp đồng", "by must name contracts", right)
        if not isinstance(within, int) or isinstance(within, bool) or not 1 <= within <= _LONGEST_WITHIN:
            vi = "within là số ngày làm việc, từ 1 đến 250"
            raise self.mistake("processed", vi, "within is a number of working days, 1 to 250", right)
        if not all(_are_texts(given.get(name, [])) for name in ("codes", "accepted")):
            raise self.mistake("processed", "mã phải là chuỗi", "codes must be texts", right)


def _is_register(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"/?[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value) is not None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(_is_said(each) for each in value)


def _is_said(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
