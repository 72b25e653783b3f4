"""POST /oauth2/token: an access token for a system, by its key (RFC 7523) or, for old software, by its secret."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import hdrs, web

from gateway.api.access import LIFE, by_certificate, by_secret
from gateway.api.assertion import NotProven, check
from gateway.api.body import json_answer, media_type, read_body
from gateway.api.doors import DOORS
from gateway.api.identity import CALLER, TOKENS
from gateway.api.problems import REALM
from gateway.core.directory import System
from gateway.core.faults import Busy, Text

PATH: Final = "/oauth2/token"
FORM: Final = "application/x-www-form-urlencoded"
JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: scrypt as the registry keeps it: 16 MiB and some 50 ms a try, so few at a time.
_SCRYPT: Final = {"n": 2**14, "r": 8, "p": 1}
_AT_A_TIME: Final = 2
_WAITING: Final = 64
_STRANGER: Final = f"{'00' * 16}${'00' * 64}"
_NO_STORE: Final[dict[str, str]] = {hdrs.CACHE_CONTROL: "no-store", hdrs.PRAGMA: "no-cache"}


class Slowly:
    """Lets few secrets be tried at once, and turns away those who would wait too long."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._waiting = 0

    async def is_secret(self, secret: str, kept: str) -> bool:
        """Whether ``secret`` is the one behind ``SALT$HASH``; compared in constant time, in a worker thread."""
        if self._waiting >= _WAITING:
            raise Busy(
                "overloaded",
                Text(
                    "Quá nhiều yêu cầu cấp thẻ cùng lúc. Bên gọi hãy thử lại sau ít giây.",
                    "Too many token requests at once. The caller may try again in a few seconds.",
                ),
                retry_after=5,
            )
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(_is_secret, secret, kept)
        finally:
            self._waiting -= 1


SLOWLY: Final = web.AppKey("SLOWLY", Slowly)


@dataclass(eq=False)
class Refused(Exception):
    """An error of RFC 6749, 5.2: its code, and a description in ASCII for the developer."""

    error: str
    description: str
    status: int = 400


async def token(request: web.Request) -> web.Response:
    """Answer with an access token, or with the error that RFC 6749 names."""
    try:
        system, earned_by = await _authenticated(request)
    except Refused as refused:
        response = json_answer(
            {"error": refused.error, "error_description": refused.description}, status=refused.status, headers=_NO_STORE
        )
        if refused.status == 401:
            response.headers[hdrs.WWW_AUTHENTICATE] = f'Basic {REALM}, charset="UTF-8"'
        return response
    doors = request.app[DOORS]
    request[CALLER] = ("agency", system.name)
    made = request.app[TOKENS].make(system, earned_by, gateway=doors.directory().gateway, now=doors.clock.now())
    return json_answer({"access_token": made, "token_type": "Bearer", "expires_in": LIFE}, headers=_NO_STORE)


async def _authenticated(request: web.Request) -> tuple[System, str]:
    """The system that proved itself, and what its token is earned by; raises Refused."""
    form = await _form(request)
    grant = form.get("grant_type")
    if grant is None:
        raise Refused("invalid_request", "grant_type is missing")
    if grant != "client_credentials":
        raise Refused("unsupported_grant_type", "only client_credentials is supported")
    basic = _basic(request)
    by_key = "client_assertion" in form or "client_assertion_type" in form
    if by_key + (basic is not None) + ("client_secret" in form) > 1:
        raise Refused("invalid_request", "more than one way of authenticating the client")
    if by_key:
        return await _by_assertion(request, form)
    if basic is None and not ("client_id" in form and "client_secret" in form):
        raise Refused("invalid_client", "no client authentication: send client_assertion, or id and secret", 401)
    name, secret = basic or (form["client_id"], form["client_secret"])
    if basic is not None and form.get("client_id", name) != name:
        raise Refused("invalid_request", "client_id differs from the one in the Authorization header")
    return await _by_secret(request, name, secret)


async def _form(request: web.Request) -> dict[str, str]:
    limits = request.app[DOORS].limits
    body = await read_body(request, limits.form, limits.body_seconds)
    if media_type(request) != FORM:
        raise Refused("invalid_request", f"the body must be {FORM}")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=50
        )
    except ValueError:
        raise Refused("invalid_request", "the body is not a form in UTF-8") from None
    if any(count > 1 for count in Counter(name for name, _ in pairs).values()):
        raise Refused("invalid_request", "a parameter stands twice")
    return {name: value for name, value in pairs if value}  # without a value counts as absent (RFC 6749, 3.2)


def _basic(request: web.Request) -> tuple[str, str] | None:
    """Id and secret from HTTP Basic, each form-encoded as RFC 6749, 2.3.1 wants."""
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, colon, secret = "", "", ""
    if not colon:
        raise Refused("invalid_client", "the Authorization header is not HTTP Basic", 401)
    return unquote_plus(name), unquote_plus(secret)


async def _by_assertion(request: web.Request, form: dict[str, str]) -> tuple[System, str]:
    if form.get("client_assertion_type") != JWT_BEARER:
        raise Refused("invalid_request", f"client_assertion_type must be {JWT_BEARER}")
    doors = request.app[DOORS]
    now = doors.clock.now()
    directory = doors.directory()
    try:
        assertion = form.get("client_assertion", "").encode("ascii")
        proven = check(assertion, directory, audience=doors.public_url + PATH, now=now)
    except UnicodeEncodeError:
        raise Refused("invalid_client", "the assertion is not a JWT", 401) from None
    except NotProven as why:
        raise Refused("invalid_client", str(why), 401) from None
    if "client_id" in form and directory.system(form["client_id"]) is not proven.system:
        raise Refused("invalid_client", "client_id is another than the assertion's system", 401)
    once = hashlib.sha256(f"{proven.system.name}\n{proven.jti}".encode()).hexdigest()
    if not await doors.ledger.use_once(f"assertion:{once}", until=proven.until, now=now):
        raise Refused("invalid_client", "this jti was used before", 401)
    return proven.system, by_certificate(proven.certificate.thumbprint)


async def _by_secret(request: web.Request, name: str, secret: str) -> tuple[System, str]:
    system = request.app[DOORS].directory().system(name)
    kept = None if system is None else system.secret_hash
    # A stranger costs as much time as a client whose secret is wrong.
    is_right = await request.app[SLOWLY].is_secret(secret, kept or _STRANGER)
    if system is None or kept is None or not is_right:
        raise Refused("invalid_client", "unknown client, or wrong secret", 401)
    return system, by_secret(kept)


def _is_secret(secret: str, kept: str) -> bool:
    salt, _, digest = kept.partition("$")
    expected = bytes.fromhex(digest)
    found = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), dklen=len(expected), **_SCRYPT)
    return hmac.compare_digest(found, expected)
