"""A link to a file: whoever has it may fetch the file for a while, without proving anything else.

For software that takes addresses of files instead of files. The link is the gateway's word, signed by the key of its
receipts under a ``typ`` of its own: it is good on every process and after any restart, and neither is it ever taken for
a receipt, an envelope or a token, nor one of those for a link.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from gateway.core.directory import Certificate
from gateway.core.jws import Compact, NotAJws, Signer, b64url, b64url_decode, fits, split, verify
from gateway.core.strictjson import StrictJsonError, parse_strict

TYP: Final = "file-link+jws"
_DAY: Final = 86400
_LONGEST: Final = 2048
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
#: What the last part of an address holds at most (characters of the name): software keeps addresses in short columns.
_LONGEST_NAME: Final = 100
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f/\\?#%]+")


def file_link(public_url: str, signer: Signer, sha256: str, name: str, *, now: float, days: int) -> str:
    """The address of the file of this digest (hex) for ``days`` days from now, its name at the end for people.

    It ends with a day (UTC), so that links that are made on one day for one file are one, where the key allows it.
    """
    if not _SHA256.match(sha256):
        raise ValueError("a file is named by its SHA-256 in lower-case hex")
    until = (int(now) // _DAY + days + 1) * _DAY
    said = {"sha256": b64url(bytes.fromhex(sha256)), "exp": until}
    token = signer.sign(TYP, json.dumps(said, separators=(",", ":")).encode()).decode("ascii")
    return f"{public_url}/files/{token}/{quote(_fit(name), safe='')}"


def linked_file(token: str, certificates: Iterable[Certificate], now: float) -> str | None:
    """The digest (hex) of the file that a link is for; None where it is not ours, or over."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        jws = split(token.encode("ascii"))
        if jws.header.typ != TYP or not _is_ours(jws, certificates):
            return None
        said = parse_strict(jws.payload)
        digest = b64url_decode(str(said["sha256"]).encode("ascii")).hex()
        return digest if now < float(said["exp"]) and _SHA256.match(digest) else None
    except (NotAJws, StrictJsonError, KeyError, TypeError, ValueError):
        return None


def _is_ours(jws: Compact, certificates: Iterable[Certificate]) -> bool:
    """Whether one of the gateway's keys, of today or before, signed it."""
    for each in certificates:
        if each.thumbprint == jws.header.thumbprint:
            return fits(jws.header.alg, each.key) and verify(each.key, jws)
    return False


def _fit(name: str) -> str:
    """The name as the last part of an address: no separators, not too long, its ending kept."""
    fit = _UNFIT.sub("-", name).strip(". ") or "file"
    if len(fit) <= _LONGEST_NAME:
        return fit
    stem, dot, ending = fit.rpartition(".")
    return f"{stem[: _LONGEST_NAME - len(ending) - 1]}.{ending}" if dot and len(ending) <= 10 else fit[:_LONGEST_NAME]
