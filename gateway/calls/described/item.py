"""An item in a far side's words, told apart and turned into a message: the same item is always the same message."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.calls.described.parts import Thing
from gateway.calls.wire import without_nulls
from gateway.core.brought import Bringer
from gateway.core.faults import Text
from gateway.core.handover import Collected, Uncollectable
from gateway.core.rule import ABSENT, Path, value_at
from gateway.core.verdict import plain
from gateway.core.wire_record import canonical_bytes, tidied

#: What one item may hold (bytes of JSON), and one value of its identity (characters).
MOST_BYTES: Final = 1 << 20
_LONGEST: Final = 200
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{1,100}):(?:\.([0-9a-f]{64})|([A-Za-z0-9_=-]{2,4000}))\Z")
#: What is kept of what no rule reads (bytes of JSON).
_MOST_UNREAD: Final = 64 * 1024
_REASON: Final = "unreadable-item"


class Waiting(NamedTuple):
    """An item that waits. ``weight``: its bytes; ``item`` is None of what is no object, or too large to be kept."""

    token: str
    item: Mapping[str, Any] | None
    weight: int


def mark_of(token: str) -> str:
    """How a token is noted: what makes an item itself may be about a person, and no note says it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Named(NamedTuple):
    """What a token names: the part, and the identity where the item has one."""

    part: str
    identity: Mapping[str, str] | None


def waiting(thing: Thing, item: Any) -> Waiting:
    """An item as it came."""
    whole = canonical_bytes(item if isinstance(item, dict) else {"": item})
    digest = f"{thing.name}:.{hashlib.sha256(whole).hexdigest()}"
    if not isinstance(item, dict) or len(whole) > MOST_BYTES:
        return Waiting(digest, None, 0)
    identity = _identity(thing, item)
    return Waiting(_token(thing.name, identity) if identity else digest, item, len(whole))


def named(token: str) -> Named | None:
    """What a token names; None for what is no token of ours."""
    found = _TOKEN.match(token)
    if found is None:
        return None
    if found[2] is not None:
        return Named(found[1], None)
    try:
        value = json.loads(base64.urlsafe_b64decode(found[3]))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        return None
    return Named(found[1], value) if _token(found[1], value) == token else None


def message(thing: Thing, each: Waiting, bringer: Bringer, now: float) -> Collected | Uncollectable:
    """The message of an item, or why it can never be one. ``now``: seconds since 1970."""
    if each.item is None:
        return Uncollectable(each.token, _REASON, _NO_ITEM)
    tidy = tidied(each.item, thing.item.shape)
    if tidy.faults:
        return Uncollectable(each.token, _REASON, tidy.faults[0])
    reading = thing.item.heard_as(each.item, {})
    identity = _identity(thing, each.item)
    lacks = [name for name in thing.identity if name not in identity]
    if lacks:
        return Uncollectable(each.token, _REASON, _lacking([_said(thing.identity[name]) for name in lacks]))
    if reading.kind != "done" or reading.data is None:
        needs = thing.item.reply_needs
        if reading.data is not None:
            needs = tuple(need for need in needs if value_at(reading.data, need) in (ABSENT, None, "", []))
        return Uncollectable(each.token, _REASON, _lacking([_said(need) for need in needs]))
    subject = value_at(reading.data, thing.subject)
    if not isinstance(subject, str | int) or isinstance(subject, bool) or not str(subject).strip():
        return Uncollectable(each.token, _REASON, _lacking([_said(thing.subject)]))
    data = {**reading.data, **_unread(thing, tidy.unknown, reading.data)}
    marks = [f"{name}={identity[name]}" for name in sorted(identity)] or [each.token]
    return bringer.message(
        thing.contract, thing.version, data, subject=str(subject), identity=[thing.name, *marks], now=now,
        token=each.token, warnings=tidy.warnings,
    )  # fmt: skip


def _unread(thing: Thing, unknown: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """``ext`` with what no rule read, where the description wants it and there is room for it."""
    said = without_nulls(unknown)
    if not thing.unread or not said or len(canonical_bytes(said)) > _MOST_UNREAD:
        return {}
    ext = data.get("ext")
    return {"ext": {**(ext if isinstance(ext, dict) else {}), thing.unread: said}}


def _identity(thing: Thing, item: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, path in thing.identity.items():
        value = value_at(item, path)
        if value is ABSENT or isinstance(value, dict | list) or value is None:
            continue
        text = plain(value)
        if 0 < len(text) <= _LONGEST and text.isprintable():
            found[name] = text
    return found if len(found) == len(thing.identity) else {}


def _token(part: str, identity: Mapping[str, str]) -> str:
    written = json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()
    return f"{part}:{base64.urlsafe_b64encode(written).decode('ascii')}"


def _said(path: Path) -> str:
    return "/" + "/".join(path)


def _lacking(names: list[str]) -> Text:
    said = ", ".join(names) or "?"
    return Text(
        f"Mục này thiếu hoặc ghi sai {said}. Phần mềm của bên gửi cần sửa rồi gửi lại; nếu mô tả sai thì"
        " đơn vị vận hành trục sửa mô tả.",
        f"This item lacks {said}, or has it wrong. The sending software must mend it and send again; where the"
        " description is wrong, the operator of the bus must mend that.",
    )


_NO_ITEM: Final = Text(
    f"Mục này không phải là một đối tượng, hoặc lớn hơn {MOST_BYTES} byte. Bên gửi cần sửa rồi gửi lại.",
    f"This item is no object, or is over {MOST_BYTES} bytes. The sending software must mend it and send again.",
)
