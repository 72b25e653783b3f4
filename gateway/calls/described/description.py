"""The file that describes a far side: found in the province folder, read, and judged before anything is made of it.

TOML or JSON. What is wrong is told with the file's name and the key, all of it at once.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, Final

from gateway.core.faults import Misconfigured, Text
from gateway.core.rule_text import join_pointer
from gateway.core.schema import Schema
from gateway.core.strictjson import StrictJsonError, parse_strict

#: No description that people write comes near this.
_MOST_BYTES: Final = 1 << 20
_MOST_TOLD: Final = 20
_SCHEMA: Final = Path(__file__).with_name("description.schema.json")
_SEE: Final = Text("Xem docs/adapters-as-data.md.", "See docs/adapters-as-data.md.")


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says, judged. ``shown``: its name for people; ``folder``: where the files that it names lie."""

    raw: Mapping[str, Any]
    shown: str
    folder: Path

    @property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """Code tables by name."""
        return dict(self.raw.get("tables", {}))

    def where(self, *path: str | int) -> str:
        """``FILE: sends[1].reply`` for a place in it."""
        return place(self.shown, path)


def read_description(folder: Path, name: str, way: Mapping[str, Any]) -> Description:
    """The description ``name`` inside ``folder``; ``way``: JSON Schema of how one call is told ($defs/way).

    Raises Misconfigured with every mistake of its form.
    """
    path = inside(folder, name, name)
    raw = _parsed(bounded(path, name, _MOST_BYTES), name, is_toml=path.suffix == ".toml")
    document = json.loads(_SCHEMA.read_text("utf-8"))
    document["$defs"]["way"] = dict(way)
    mistakes = list(islice(_mistakes(document, raw, name), _MOST_TOLD))
    raise_all(mistakes)
    return Description(raw, name, path.parent)


def inside(folder: Path, name: str, where: str) -> Path:
    """The file ``name`` of a folder; raises Misconfigured naming ``where`` for one that lies outside."""
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise Misconfigured(
            where,
            Text(f"Tệp {name} nằm ngoài thư mục cho phép", f"{name} lies outside its folder"),
            Text("Đặt tệp trong thư mục tỉnh.", "Put the file into the province folder."),
        )
    return path


def bounded(path: Path, shown: str, most: int) -> bytes:
    """The bytes of a file; raises Misconfigured where it cannot be read or is over ``most`` bytes."""
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Misconfigured(
            shown,
            Text(f"Không đọc được tệp ({reason})", f"The file cannot be read ({reason})"),
            Text("Kiểm tra tên tệp và quyền đọc.", "Look at its name, and at who may read it."),
        ) from None
    if len(raw) > most:
        raise Misconfigured(
            shown,
            Text(f"Tệp lớn hơn {most} byte", f"The file is over {most} bytes"),
            Text("Tách thành nhiều tệp.", "Split it."),
        )
    return raw


def raise_all(mistakes: list[Misconfigured]) -> None:
    """Raise the first with the others beside it."""
    if mistakes:
        first, *rest = mistakes
        raise Misconfigured(first.where, first.wrong, first.right, (*first.also, *rest))


def place(shown: str, path: tuple[str | int, ...]) -> str:
    """A place in a file as people say it: entries are counted from one."""
    said = ""
    for step in path:
        said += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if said else step
    return f"{shown}: {said}" if said else shown


def _parsed(raw: bytes, shown: str, *, is_toml: bool) -> Mapping[str, Any]:
    try:
        value = _plain(tomllib.loads(raw.decode("utf-8"))) if is_toml else parse_strict(raw)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, StrictJsonError, RecursionError) as error:
        raise Misconfigured(
            shown,
            Text(f"Không đọc được nội dung: {error}", f"It cannot be read: {error}"),
            Text("Tệp .toml theo TOML 1.0, tệp .json theo RFC 8259, UTF-8.", "TOML 1.0 or JSON (RFC 8259), UTF-8."),
        ) from None
    if not isinstance(value, dict):
        raise Misconfigured(shown, Text("Tệp phải là một đối tượng", "It must be one object"), _SEE)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _mistakes(document: Mapping[str, Any], raw: Mapping[str, Any], shown: str) -> Iterator[Misconfigured]:
    schema = Schema.compiled(document, shown)
    told = {(each.pointer, each.rule): each.message for each in schema.violations(raw)}
    for error in schema.validator.iter_errors(raw):
        path = tuple(error.instance_path)
        message = told.get((join_pointer(path), error.kind.name))
        for name in getattr(error.kind, "unexpected", None) or ("",):
            where = place(shown, (*path, *([str(name)] if name else [])))
            if name:
                yield Misconfigured(where, Text(f"Không có mục {name} ở đây", f"There is no {name} here"), _SEE)
            else:
                yield Misconfigured(where, message or Text("Sai quy cách", "Not as described"), _SEE)
