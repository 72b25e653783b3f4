"""The platform's answers read: success is said in several ways, errors by code, by words, or with status 200."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.calls.account import succeeded
from gateway.calls.caller import Answer
from gateway.core.content import Content, NewSink
from gateway.core.documents.axis_error import SUCCESS, failure_of
from gateway.core.faults import TimedOut, TransientFailure
from gateway.core.lifting import from_base64, lift
from gateway.core.strictjson import StrictJsonError

_GOOD: Final = frozenset({"OK", "SUCCESS"})
_FINE: Final = frozenset({"200", "0"})
_UNCLEAR: Final = "the answer does not say whether it was taken"


def frame_of(answer: Answer, now: float, *, attempt: int = 1) -> dict[str, Any]:
    """The object in an answer that is not a refusal; raises what the refusal means."""
    succeeded(answer, now)
    return checked(answer.json(), answer.status, attempt=attempt)


def checked(value: Any, status: int, *, attempt: int = 1) -> dict[str, Any]:
    """``value`` where it is an object and no refusal; raises what the refusal means."""
    if not isinstance(value, dict):
        raise TransientFailure("the answer is no object", status)
    data = value.get("data")
    inner = data if isinstance(data, dict) else {}
    code = str(inner.get("errorCode") or value.get("errorCode") or SUCCESS)
    if code != SUCCESS:
        raise failure_of(code, attempt=attempt, status=status)
    state = str(inner.get("status") or "OK").upper()
    says_no = value.get("success") is False or state not in _GOOD or bool(value.get("errorDetail"))
    if says_no or str(value.get("code", "200")) not in _FINE:
        raise TransientFailure("the platform says no without a code", status)
    return value


def taken(answer: Answer, now: float, *, attempt: int) -> str | None:
    """The id of what was posted, where the answer names it.

    Raises TimedOut where success is not said at all: it may have been taken.
    """
    value = frame_of(answer, now, attempt=attempt)
    data = value.get("data")
    inner = data if isinstance(data, dict) else {}
    if value.get("success") is not True and "status" not in inner:
        raise TimedOut(_UNCLEAR, answer.status)
    found = inner.get("docId") or value.get("docId")
    return found if isinstance(found, str) else None


def rows_of(answer: Answer, now: float) -> list[Mapping[str, Any]]:
    """The list in an answer; an empty one may be left out where the count says so."""
    value = frame_of(answer, now)
    data = value.get("data")
    if data is None and value.get("count") == 0:
        return []
    if not isinstance(data, list):
        raise TransientFailure("the answer has no list", answer.status)
    return [row for row in data if isinstance(row, dict)]


def content_of(answer: Answer, now: float, new_sink: NewSink) -> tuple[Content, str] | None:
    """The .edxml file in an answer to ``getEdoc`` and the document's code; None where there is no file in it.

    The file stands there as text; some platforms write base64 instead.
    """
    succeeded(answer, now)
    try:
        lifted = lift(answer.content, new_sink)
    except StrictJsonError:
        raise TransientFailure(f"the answer ({answer.status}) is no JSON", answer.status) from None
    value = checked(lifted.value, answer.status)
    text = lifted.text("data", "edxml")
    if text is None or text.size == 0:
        return None
    with text.open() as file:
        is_xml = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    if not is_xml:
        # Where it is neither, whoever reads it says so.
        with contextlib.suppress(ValueError):
            text = from_base64(text, new_sink)
    return text, str(value["data"].get("edocCode") or "")


def page_of(answer: Answer, now: float) -> tuple[list[Mapping[str, Any]], int]:
    """The agencies on one page of the list, and how many pages there are."""
    data = frame_of(answer, now).get("data")
    content = data.get("content") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(content, list):
        raise TransientFailure("the answer has no list of agencies", answer.status)
    pages = data.get("totalPages")
    return [row for row in content if isinstance(row, dict)], pages if isinstance(pages, int) else 1


def agencies_of(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The listed agencies in the bus' words; a parent is told by its code, not by the platform's id of it."""
    codes = {its_id: row.get("code") for its_id, row in rows.items()}
    for row in rows.values():
        code = row.get("code")
        if not isinstance(code, str) or not code.strip():
            continue
        old = row.get("oldCode")
        has_old = isinstance(old, str) and old.strip() and old.strip() != code.strip()
        yield {
            "code": code.strip(),
            "name": str(row.get("name") or "").strip(),
            "parent": codes.get(str(row.get("parentId") or "")),
            "aliases": [str(old).strip()] if has_old else [],
            "level": row.get("level"),
        }
