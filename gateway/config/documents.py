"""A TOML file of the province folder as plain JSON values, each of which knows the line it stands on."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

from gateway.core.faults import Misconfigured, Text

#: No file of a province folder that people write by hand comes near this.
MAX_BYTES: Final = 1024 * 1024
Step = str | int
_BARE: Final = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_DOTTED: Final = rf"{_BARE}(?:\s*\.\s*{_BARE})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY: Final = re.compile(rf"\s*({_DOTTED})\s*=")
_NAME: Final = re.compile(_BARE)
_FENCE: Final = re.compile(r"\"\"\"|'''")


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its name as people see it, its values (dates as ISO text), and where each key stands."""

    shown: str
    values: Mapping[str, Any]
    lines: Mapping[tuple[Step, ...], int] = field(default_factory=dict)

    def where(self, *path: Step) -> str:
        """``FILE:LINE: key`` for the value at ``path``; the line of the nearest key above where it has none."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        place = self.shown if line is None else f"{self.shown}:{line}"
        return f"{place}: {dotted(path)}" if path else place

    def mistake(self, path: Sequence[Step], wrong: Text, right: Text) -> Misconfigured:
        """The fault for the value at ``path``."""
        return Misconfigured(self.where(*path), wrong, right)


def dotted(path: Iterable[Step]) -> str:
    """``("systems", 0, "name")`` -> ``systems[1].name``: counted from one, as people count."""
    said = ""
    for step in path:
        said += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if said else step
    return said


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` was most likely meant to be, or None."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def raise_all(mistakes: Sequence[Misconfigured]) -> None:
    """Raise the first mistake with the others beside it; nothing happens where there are none."""
    if mistakes:
        first, *rest = mistakes
        raise Misconfigured(first.where, first.wrong, first.right, (*first.also, *rest))


def each(fault: Misconfigured) -> list[Misconfigured]:
    """A fault and all those found with it, one by one."""
    return [Misconfigured(fault.where, fault.wrong, fault.right), *(one for more in fault.also for one in each(more))]


def read_text(path: Path, shown: str) -> str:
    """The UTF-8 text of a file of the province folder; raises Misconfigured where it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Misconfigured(
            shown,
            Text(f"Không đọc được tệp ({reason})", f"The file cannot be read ({reason})"),
            Text(
                "Quản trị viên hãy kiểm tra tệp có ở đó và cấp quyền đọc cho người chạy lgsp.",
                "The administrator makes sure that it is there and readable for whoever runs lgsp.",
            ),
        ) from None
    if len(raw) > MAX_BYTES:
        raise Misconfigured(
            shown,
            Text("Tệp lớn hơn 1 MiB", "The file is over 1 MiB"),
            Text("Hãy tách thành nhiều tệp nhỏ hơn.", "Split it into smaller files."),
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Misconfigured(
            f"{shown}:{line}",
            Text("Tệp không phải văn bản UTF-8", "The file is not UTF-8 text"),
            Text("Hãy lưu lại tệp với bảng mã UTF-8.", "Save the file again in UTF-8."),
        ) from None


def read_document(path: Path, shown: str) -> Document:
    """The TOML file at ``path``; raises Misconfigured with the line where it is not TOML."""
    text = read_text(path, shown).removeprefix("\ufeff")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(text, shown, str(error)) from None
    except RecursionError:
        raise _not_toml(text, shown, "nested too deeply") from None
    lines = _lines(text)
    document = Document(shown, {}, lines)
    return Document(shown, {key: _as_json(value, (key,), document) for key, value in values.items()}, lines)


def _not_toml(text: str, shown: str, reason: str) -> Misconfigured:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", reason)
    line = text.count("\n") + 1 if found is None or found[1] is None else int(found[1])
    said = reason if found is None else reason[: found.start()]
    return Misconfigured(
        f"{shown}:{line}",
        Text(f"Dòng này sai cú pháp TOML ({said})", f"This line is not TOML ({said})"),
        Text(
            'Mỗi dòng là một khoá, ví dụ: listen = "127.0.0.1:8600"; chuỗi đặt trong dấu nháy kép.',
            'One key a line, for example: listen = "127.0.0.1:8600"; text stands in double quotes.',
        ),
    )


def _as_json(value: Any, path: tuple[Step, ...], document: Document) -> Any:
    """``value`` as JSON: dates and times as ISO text; a number that JSON cannot hold is a mistake."""
    if isinstance(value, Mapping):
        return {key: _as_json(inner, (*path, key), document) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner, (*path, n), document) for n, inner in enumerate(value)]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, str) and "\0" in value:
        raise document.mistake(
            path,
            Text("Giá trị chứa ký tự NUL", "The value holds a NUL character"),
            Text("Hãy xoá ký tự ẩn trong giá trị này.", "Take the hidden character out of this value."),
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise document.mistake(
            path,
            Text("Giá trị không phải là một số hữu hạn", "The value is not a finite number"),
            Text("Hãy ghi một số thông thường, ví dụ 2.", "Write an ordinary number, for example 2."),
        )
    return value


def _lines(text: str) -> dict[tuple[Step, ...], int]:
    """Path of each table and key -> its line, counted from 1. Reads TOML that is known to be well formed."""
    lines: dict[tuple[Step, ...], int] = {}
    last: dict[tuple[Step, ...], int] = {}
    table: tuple[Step, ...] = ()
    fence: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        was_inside, fence = fence is not None, _fence_after(line, fence)
        if was_inside:
            continue
        if header := _HEADER.match(line):
            names = _names(header[2])
            table = (*_resolved(names[:-1], last), names[-1])
            if header[1] == "[[":
                last[table] = last.get(table, -1) + 1
            if table in last:
                table = (*table, last[table])
            lines[table] = number
        elif key := _KEY.match(line):
            names = _names(key[1])
            for depth in range(1, len(names) + 1):
                lines.setdefault((*table, *names[:depth]), number)
    return lines


def _fence_after(line: str, fence: str | None) -> str | None:
    """Which multi-line string, if any, is still open after ``line``."""
    for mark in _FENCE.findall(line):
        fence = mark if fence is None else None if mark == fence else fence
    return fence


def _names(written: str) -> list[str]:
    return [name.strip("\"'") for name in _NAME.findall(written)]


def _resolved(names: Sequence[str], last: Mapping[tuple[Step, ...], int]) -> tuple[Step, ...]:
    """Names of tables with the number of the present entry put in wherever one is a list of tables."""
    path: tuple[Step, ...] = ()
    for name in names:
        path = (*path, name)
        if path in last:
            path = (*path, last[path])
    return path
