"""The texts of notices as data: a TOML file a contract, said anew for a status where that needs other words. Pure.

    audience = "applicant"            # or "office": told to fixed mailboxes alone
    [default]
    subject = { vi = "Hồ sơ {code}: {status}", en = "Dossier {code}: {status}" }
    body = { vi = "...", en = "..." }
    [status.9]
    body = { vi = "...", en = "..." }     # what it leaves out is the default's
    [again]                           # where it is said of a dossier that was registered before, at any status
    body = { vi = "...", en = "..." }

A line whose placeholders are all empty is left out, so that a text need not know what is known. Other braces than
those around a placeholder are a mistake, found when the file is read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gateway.core.faults import Misconfigured, Text
from gateway.core.notices.notice import Notice

Audience = Literal["applicant", "office"]

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_LONGEST: Final = 64 * 1024
_STATUSES: Final = frozenset(str(number) for number in range(1, 11))


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one contract: ``default``, those of single statuses, and those of what was said before with other
    words (``again``); each part name -> both languages.
    """

    audience: Audience
    default: Mapping[str, Text]
    of_status: Mapping[int, Mapping[str, Text]]
    again: Mapping[str, Text] = field(default_factory=dict)

    def said(self, part: str, notice: Notice, more: Mapping[str, Text]) -> Text:
        """The ``part`` in both languages, filled with what is known; ``more`` is known beside the notice."""
        own = self.again if notice.is_again else self.of_status.get(notice.status or 0, {})
        text = own.get(part) or self.default[part]
        values = {**more, **notice.values}
        return Text(
            filled(text.vi, {name: value.vi for name, value in values.items()}),
            filled(text.en, {name: value.en for name, value in values.items()}),
        )


def filled(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its placeholders filled, without lines whose placeholders all are empty, no two empty in a row."""
    lines: list[str] = []
    for line in text.splitlines():
        names = _PLACEHOLDER.findall(line)
        if names and not any(values.get(name) for name in names):
            continue
        made = _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), line).rstrip()
        if made or (lines and lines[-1]):
            lines.append(made)
    return "\n".join(lines).strip()


def read_wordings(
    files: Mapping[str, bytes], *, parts: frozenset[str], names: frozenset[str], where: str
) -> dict[str, Wording]:
    """Contract -> its texts, from files named after contracts; each has all ``parts`` and may use ``names`` in braces.

    Raises Misconfigured naming ``where`` and the file.
    """
    return {contract: _wording(raw, parts, names, f"{where}/{contract}.toml") for contract, raw in files.items()}


def _wording(raw: bytes, parts: frozenset[str], names: frozenset[str], where: str) -> Wording:
    try:
        content = tomllib.loads(raw.decode("utf-8")) if len(raw) <= _LONGEST else None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        content = None
    if content is None:
        raise _wrong(where, Text("Không đọc được tệp lời văn", "The texts cannot be read"), "TOML, UTF-8, ≤ 64 KiB")
    audience = content.get("audience", "applicant")
    of_status = content.get("status", {})
    if audience not in ("applicant", "office") or not set(content) <= {"audience", "default", "status", "again"}:
        raise _wrong(where, Text("Có thành phần lạ", "There is an unknown member"), "audience, default, status, again")
    if not isinstance(of_status, dict) or not set(of_status) <= _STATUSES:
        raise _wrong(where, Text("Trạng thái phải từ 1 đến 10", "A status is 1 to 10"), "[status.1] … [status.10]")
    default = _parts(content.get("default"), parts, names, f"{where}: default")
    if set(default) != parts:
        raise _wrong(f"{where}: default", Text("Thiếu lời văn", "Texts are missing"), ", ".join(sorted(parts)))
    each = {int(n): _parts(texts, parts, names, f"{where}: status.{n}") for n, texts in of_status.items()}
    return Wording(audience, default, each, _parts(content.get("again", {}), parts, names, f"{where}: again"))


def _parts(content: Any, parts: frozenset[str], names: frozenset[str], where: str) -> dict[str, Text]:
    if not isinstance(content, dict) or not set(content) <= parts:
        raise _wrong(
            where, Text("Thiếu hoặc lạ phần lời văn", "A part is missing or unknown"), ", ".join(sorted(parts))
        )
    return {part: _text(content[part], names, f"{where}.{part}") for part in content}


def _text(content: Any, names: frozenset[str], where: str) -> Text:
    if not isinstance(content, dict) or set(content) != {"vi", "en"} or not all(_is_text(t) for t in content.values()):
        raise _wrong(where, Text("Cần cả hai ngôn ngữ", "Both languages are needed"), '{ vi = "…", en = "…" }')
    for text in content.values():
        if unknown := [name for name in _PLACEHOLDER.findall(text) if name not in names]:
            wrong = Text(f"Không có chỗ điền {unknown[0]}", f"There is no placeholder {unknown[0]}")
            raise _wrong(where, wrong, ", ".join(sorted(names)))
        if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
            raise _wrong(where, Text("Dấu ngoặc nhọn đặt sai", "There is a stray brace"), "{code}")
    return Text(content["vi"], content["en"])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _wrong(where: str, wrong: Text, right: str) -> Misconfigured:
    return Misconfigured(where, wrong, Text(f"Cần: {right}", f"Needed: {right}"))
