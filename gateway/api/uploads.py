"""/v1/uploads: resumable uploads by tus 1.0: core, creation (with a piece, too), checksum, termination, expiration."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientPayloadError, hdrs, web

from gateway.api.body import INTAKE, media_type
from gateway.api.doors import DOORS
from gateway.api.identity import system_of
from gateway.api.language import language_of
from gateway.api.problems import bad_request, unsupported, unsupported_protocol
from gateway.core.directory import System
from gateway.core.faults import Text, Violation
from gateway.ports import Upload
from gateway.relay.piece import ALGORITHMS, GATHERED, BrokenOff, Checksum

VERSION: Final = "1.0.0"
EXTENSIONS: Final = ("creation", "creation-with-upload", "checksum", "termination", "expiration")
PIECE: Final = "application/offset+octet-stream"
COLLECTION: Final = "/v1/uploads"
ITEM: Final = "/v1/uploads/{id}"

_OFFSET: Final = "Upload-Offset"
_LENGTH: Final = "Upload-Length"
_METADATA: Final = "Upload-Metadata"
_CHECKSUM: Final = "Upload-Checksum"
_OVERRIDE: Final = "X-HTTP-Method-Override"
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}\Z")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}\Z", re.ASCII)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z", re.ASCII)
_LONGEST_NAME: Final = 255

_Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def speak_tus(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer of these doors names the protocol's version."""
    if request.path.startswith(COLLECTION):
        response.headers.setdefault("Tus-Resumable", VERSION)


async def collection(request: web.Request) -> web.StreamResponse:
    """POST begins an upload, OPTIONS tells what the protocol may use here."""
    return await _act(request, {hdrs.METH_POST: _begin, hdrs.METH_OPTIONS: _options})


async def item(request: web.Request) -> web.StreamResponse:
    """HEAD asks where an upload stands, PATCH adds a piece, DELETE gives it up."""
    acts = {
        hdrs.METH_HEAD: _head,
        hdrs.METH_PATCH: _patch,
        hdrs.METH_DELETE: _delete,
        hdrs.METH_OPTIONS: _options,
    }
    return await _act(request, acts)


async def _act(request: web.Request, acts: Mapping[str, _Act]) -> web.StreamResponse:
    """Do what is asked; for clients that have no PATCH or DELETE a header says what is meant."""
    method = request.headers.get(_OVERRIDE, request.method).strip().upper()
    act = acts.get(method)
    if act is None:
        raise web.HTTPMethodNotAllowed(method, acts)
    if method != hdrs.METH_OPTIONS and request.headers.get("Tus-Resumable", "").strip() != VERSION:
        return unsupported_protocol("Tus-Version", VERSION, language_of(request))
    return await act(request)


async def _options(request: web.Request) -> web.Response:
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Tus-Max-Size": str(request.app[DOORS].uploads.limits.size),
    }
    return web.Response(status=204, headers=headers)


async def _begin(request: web.Request) -> web.Response:
    system = system_of(request)
    has_piece = media_type(request) == PIECE
    if request.body_exists and not has_piece and request.content_length != 0:
        raise unsupported((PIECE,))
    size = _number(request, _LENGTH)
    words = request.headers.get(_METADATA, "")
    told = _metadata(words)
    uploads = request.app[DOORS].uploads
    upload = await uploads.begin(
        system, size, sha256=_digest(told), media_type=_type(told), metadata=words if told else ""
    )
    headers: dict[str, str] = {hdrs.LOCATION: f"{_here(request)}{COLLECTION}/{upload.id}"}
    if has_piece:
        upload = await _take(request, system, upload.id, 0)
        headers[_OFFSET] = str(upload.offset)
    return web.Response(status=201, headers={**headers, **_expiry(request, upload)})


def _here(request: web.Request) -> str:
    """The gateway as its caller reaches it: some clients take whole addresses only, some come by their own line."""
    public_url = request.app[DOORS].public_url
    host = request.headers.get(hdrs.HOST, "")
    is_told = _HOST.match(host) is not None and host.lower() != urlsplit(public_url).netloc.lower()
    return f"{request.scheme}://{host}" if is_told else public_url


async def _head(request: web.Request) -> web.Response:
    upload = await request.app[DOORS].uploads.find(system_of(request), request.match_info["id"])
    headers: dict[str, str] = {
        _OFFSET: str(upload.offset),
        _LENGTH: str(upload.size),
        hdrs.CACHE_CONTROL: "no-store",
        **_expiry(request, upload),
    }
    if upload.metadata:
        headers[_METADATA] = upload.metadata
    return web.Response(status=200, headers=headers)


async def _patch(request: web.Request) -> web.Response:
    system = system_of(request)
    if media_type(request) != PIECE:
        raise unsupported((PIECE,))
    upload = await _take(request, system, request.match_info["id"], _number(request, _OFFSET))
    return web.Response(status=204, headers={_OFFSET: str(upload.offset), **_expiry(request, upload)})


async def _delete(request: web.Request) -> web.Response:
    await request.app[DOORS].uploads.drop(system_of(request), request.match_info["id"])
    return web.Response(status=204)


async def _take(request: web.Request, system: System, id: str, offset: int) -> Upload:
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() != "identity":
        raise unsupported((PIECE,))
    checksum = _checksum(request)
    with request.app[INTAKE].share() as share:
        share.take(2 * GATHERED)  # one piece at work never holds more
        return await request.app[DOORS].uploads.take(
            system, id, offset, _chunks(request), length=request.content_length, checksum=checksum
        )


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it comes; raises BrokenOff where it ends before its end."""
    try:
        while chunk := await request.content.readany():
            yield chunk
    except (ClientPayloadError, ConnectionError, web.RequestPayloadError) as error:
        raise BrokenOff from error


def _expiry(request: web.Request, upload: Upload) -> dict[str, str]:
    """When an upload that is not whole ends (tus, expiration)."""
    if upload.is_kept:
        return {}
    return {"Upload-Expires": formatdate(request.app[DOORS].uploads.expires(upload), usegmt=True)}


def _number(request: web.Request, name: str) -> int:
    written = request.headers.get(name, "").strip()
    if not (written.isascii() and written.isdigit() and len(written) <= 18):
        raise _wrong(name, "format", "phải là số byte, không âm", "must be a number of bytes")
    return int(written)


def _checksum(request: web.Request) -> Checksum | None:
    written = request.headers.get(_CHECKSUM)
    if written is None:
        return None
    found = Checksum.read(written)
    if found is None:
        listed = ", ".join(ALGORITHMS)
        raise _wrong(
            _CHECKSUM,
            "format",
            f"phải là tên thuật toán ({listed}), một dấu cách và giá trị base64",
            f"must be an algorithm ({listed}), one space and the sum in base64",
        )
    return found


def _metadata(words: str) -> dict[str, str]:
    """Upload-Metadata read: key and base64 value, pairs with commas between; raises Rejected ``bad-request``."""
    told: dict[str, str] = {}
    if not words.strip():
        return told
    for pair in words.split(","):
        key, _, encoded = pair.strip().partition(" ")
        try:
            value = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            value = "\0"
        if not key.isascii() or not key or key in told or "\0" in value:
            raise _wrong(
                _METADATA,
                "format",
                "phải là các cặp khoá và giá trị base64 (UTF-8), ngăn bằng dấu phẩy, mỗi khoá một lần",
                "must be pairs of key and base64 value (UTF-8) with commas between, each key once",
            )
        told[key] = value
    if len(told.get("filename", "")) > _LONGEST_NAME:
        raise _wrong(
            _METADATA, "maxLength", f"filename dài quá {_LONGEST_NAME} ký tự", f"filename is over {_LONGEST_NAME} long"
        )
    return told


def _digest(told: Mapping[str, str]) -> str | None:
    sha256 = told.get("sha256")
    if sha256 is not None and not _SHA256.match(sha256):
        raise _wrong(_METADATA, "pattern", "sha256 phải là 64 chữ số hệ 16", "sha256 must be 64 hexadecimal digits")
    return None if sha256 is None else sha256.lower()


def _type(told: Mapping[str, str]) -> str:
    """What the client calls the file's type, by our name or by that of browsers' clients."""
    said = told.get("mediatype") or told.get("filetype") or ""
    return said if _MEDIA_TYPE.match(said) else "application/octet-stream"


def _wrong(header: str, rule: str, vi: str, en: str) -> Exception:
    return bad_request(Violation("", rule, Text(f"{header}: {vi}.", f"{header}: {en}.")))
