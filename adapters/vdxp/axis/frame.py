"""Judges the frame of a request as the axis does: signed header fields, their order, their HMAC, the form of each."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

PREFIX: Final = "xroadvnpt-"
#: The envelope of the signature itself; ``version`` is added by the kit after signing.
_UNSIGNED: Final = frozenset({"sign-header", "sign-header-key", "hash-header", "version"})
_VERSION: Final = "3.0.201608"
_STAMP: Final = re.compile(r"(\d{8}T\d{6})\+(\d{4})\Z", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")
#: What a servlet container takes in one header field (bytes).
_LONGEST_FIELD: Final = 8190


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the kit: how it is made and which parameters it takes; those in ``any_of`` stand for one."""

    method: str
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    any_of: frozenset[str] = frozenset()
    content_type: str = "application/json"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATIONS: Final[dict[str, Operation]] = {
    "sendEdoc": Operation(
        "POST",
        _words("from servicetype messagetype hash-file"),
        _words("to"),
        content_type="application/octet-stream",
    ),
    "getReceivedEdocList": Operation(
        "POST", _words("servicetype messagetype"), _words("fromDate toDate pageSize pageIndex")
    ),
    "getEdoc": Operation("POST", _words("docId")),
    "downloadEdoc": Operation("GET", _words("docId")),
    "getSentEdocList": Operation("POST", _words("servicetype messagetype"), _words("docId")),
    "updateStatus": Operation("POST", _words("status"), any_of=_words("docId docid")),
    "countReceiveEdoc": Operation("GET"),
    "countReceiveStatus": Operation("GET"),
    "getAgenciesList": Operation("POST"),
    "getAgenciesListQD20": Operation("POST", _words("level")),
    "getSynchronizeUnit": Operation("POST"),
    "registerAgency": Operation("POST"),
    "deleteAgency": Operation("POST", _words("AgencyCode")),
}


class BadFrame(Exception):
    """The request is not framed as the kit frames it; the text says how."""


class BadCredentials(Exception):
    """No such system, or its signature does not fit."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A request that passed: who calls, and its parameters by their bare names as the kit writes them."""

    system: str
    parameters: Mapping[str, str]


def judged(
    name: str, method: str, fields: Mapping[str, str], secrets: Mapping[str, str], extra: frozenset[str]
) -> Frame:
    """The frame of a call of operation ``name``; ``fields`` are header fields by lower-case name.

    ``secrets``: system id -> secret. ``extra``: parameters that are taken beyond the kit's own. Raises BadFrame,
    BadCredentials.
    """
    operation = OPERATIONS[name]
    if method != operation.method:
        raise BadFrame(f"{name} is called with {operation.method}")
    for field, value in fields.items():
        if not value.isascii() or not value.isprintable():
            raise BadFrame(f"{field} holds other than printable ASCII")
        if len(value) > _LONGEST_FIELD:
            raise BadFrame(f"{field} is too long")
    if fields.get("user-agent") != "JAVASDKAgent/1.0.0 XRoad/VPCP":
        raise BadFrame("not the kit's User-Agent")
    if fields.get(f"{PREFIX}version") != _VERSION:
        raise BadFrame("version is missing or unknown")
    signed = _signed(fields)
    secret = secrets.get(signed["systemid"])
    expected = hmac.new(
        (secret or "").encode("utf-8"), fields[f"{PREFIX}sign-header"].encode("utf-8"), hashlib.sha256
    ).hexdigest()
    if secret is None or not hmac.compare_digest(expected, fields[f"{PREFIX}hash-header"]):
        raise BadCredentials
    _stamp(signed["timestamp"])
    if not (fields.get("content-type") == signed["Content-Type"] == operation.content_type):
        raise BadFrame(f"Content-Type of {name} is {operation.content_type}, plain and as a parameter")
    own = {key: value for key, value in signed.items() if key not in {"systemid", "timestamp", "Content-Type"}}
    _check_names(name, operation, own, extra)
    return Frame(signed["systemid"], own)


def _signed(fields: Mapping[str, str]) -> dict[str, str]:
    """The pairs of sign-header by bare name, each of them also a header field of its own, and no other beside them."""
    for name in ("sign-header", "sign-header-key", "hash-header"):
        if f"{PREFIX}{name}" not in fields:
            raise BadFrame(f"{name} is missing")
    if not _HASH.match(fields[f"{PREFIX}hash-header"]):
        raise BadFrame("hash-header is no SHA-256 in lower-case hex")
    pairs = _pairs(fields[f"{PREFIX}sign-header"])
    bare = [key.removeprefix("XroadVnpt-") for key, _ in pairs]
    if fields[f"{PREFIX}sign-header-key"] != ";".join(bare):
        raise BadFrame("sign-header-key does not name what sign-header holds, in its order")
    for key, value in pairs:
        if fields.get(key.lower()) != value:
            raise BadFrame(f"{key} is not as signed")
    sent = {key.removeprefix(PREFIX) for key in fields if key.startswith(PREFIX)} - _UNSIGNED
    if unsigned := sent - {name.lower() for name in bare}:
        raise BadFrame(f"not signed: {', '.join(sorted(unsigned))}")
    if missing := {"systemid", "timestamp", "Content-Type"} - set(bare):
        raise BadFrame(f"missing: {', '.join(sorted(missing))}")
    return dict(zip(bare, (value for _, value in pairs), strict=True))


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        raise BadFrame("sign-header is no JSON") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) and isinstance(pair[1], str) for pair in pairs):
        raise BadFrame("sign-header is no JSON object of texts")
    names = [key for key, _ in pairs]
    if not all(key.startswith("XroadVnpt-") for key in names):
        raise BadFrame("sign-header names what is no XroadVnpt field")
    if len(set(names)) != len(names):
        raise BadFrame("sign-header names a field twice")
    return pairs


def _stamp(text: str) -> None:
    match = _STAMP.match(text)
    if match is None or int(match[2]) > 999:
        raise BadFrame("timestamp is not ddMMyyyyTHHmmss+SSSS")
    try:
        datetime.strptime(match[1], "%d%m%YT%H%M%S")  # noqa: DTZ007 - the kit writes no zone
    except ValueError:
        raise BadFrame("timestamp is no moment") from None


def _check_names(name: str, operation: Operation, own: Mapping[str, str], extra: frozenset[str]) -> None:
    if missing := operation.needs - own.keys():
        raise BadFrame(f"{name} lacks {', '.join(sorted(missing))}")
    if unknown := own.keys() - operation.needs - operation.takes - operation.any_of - extra:
        raise BadFrame(f"{name} does not know {', '.join(sorted(unknown))}")
    if operation.any_of and len(own.keys() & operation.any_of) != 1:
        raise BadFrame(f"{name} needs one of {', '.join(sorted(operation.any_of))}")


def odd_hash(content: bytes) -> str:
    """SHA-256 as the kit writes it into hash-file: each byte in hex without a leading zero, so mostly under 64 long."""
    return "".join(f"{byte:x}" for byte in hashlib.sha256(content).digest())
