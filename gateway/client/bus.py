"""The doors of the bus as an agency's system uses them: send, ask, token, lease, settle, look up."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from gateway.client.message import assertion
from gateway.core.faults import Misconfigured, Text
from gateway.core.jws import Signer

SEALED: Final = "application/jose"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIMIT: Final = 90.0
_MAX_ANSWER: Final = 16 * 2**20


@dataclass(eq=False)
class Refused(Exception):
    """The bus said no: the status and the problem object (RFC 9457) it answered."""

    status: int
    problem: Mapping[str, Any]
    #: How long to wait before trying again (seconds), where the bus said so.
    retry_after: float | None = None

    @property
    def name(self) -> str:
        """The problem's name, ``no-agreement``; of the token door its ``error``."""
        return str(self.problem.get("type", "")).rpartition(":")[2] or str(self.problem.get("error", self.status))

    def __str__(self) -> str:
        return f"{self.status} {self.name}"


@dataclass(frozen=True, slots=True)
class Bus:
    """One gateway, as seen by one system. ``public_url``: what it calls itself, where it is reached by another way."""

    url: str
    session: aiohttp.ClientSession
    public_url: str = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def reach(
        cls, url: str, *, language: str = "vi", public_url: str = "", within: float = _LIMIT
    ) -> AsyncIterator[Bus]:
        """The bus at ``url`` for the length of a ``with`` block; it speaks to people in ``language``.

        ``within``: how long one request may take (seconds).
        """
        timeout = aiohttp.ClientTimeout(total=within, connect=10)
        headers = {"Accept-Language": language}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            yield cls(url.rstrip("/"), session, public_url.rstrip("/"))

    async def send(self, envelope: bytes) -> dict[str, Any]:
        """Publish one envelope: the 202 body with the receipt. Raises Refused."""
        return await self._ask("POST", "/v1/messages", data=envelope, headers={"Content-Type": SEALED})

    async def query(self, token: str, envelope: bytes, *, within: float = 10.0) -> bytes:
        """Ask one question: the answer's envelope as it came. ``within``: seconds to wait for it. Raises Refused.

        Who answered and that it answers this very question is for the caller to see from the envelope.
        """
        status, fields, body = await self._fetch(
            "POST", "/v1/queries", params={"timeout": f"{within:g}"}, data=envelope,
            headers={"Content-Type": SEALED, **_bearer(token)},
        )  # fmt: skip
        if status != 200:
            raise Refused(status, _members(body), _seconds(fields.get("Retry-After")))
        return body

    async def token(self, signer: Signer, system: str) -> str:
        """An access token for ``system``, asked for with its key. Raises Refused."""
        audience = f"{self.public_url or self.url}/oauth2/token"
        proof = assertion(signer, system, audience, now=time.time(), once=secrets.token_urlsafe(16))
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION,
            "client_assertion": proof,
        }
        answer = await self._ask("POST", "/oauth2/token", data=form)
        return str(answer.get("access_token"))

    async def lease(self, token: str, *, most: int, wait: float, visibility: float) -> list[dict[str, Any]]:
        """Lease due deliveries: ``{"delivery", "attempt", "envelope"}`` each. Raises Refused."""
        asked = {"max": most, "wait": wait, "visibility": visibility}
        answer = await self._ask("POST", "/v1/inbox/lease", json=asked, headers=_bearer(token))
        deliveries: list[dict[str, Any]] = answer.get("deliveries", [])
        return deliveries

    async def settle(
        self, token: str, *, taken: Sequence[str] = (), refused: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Say of leased deliveries: taken, or refused for good with a reason. Raises Refused."""
        said = {
            "taken": list(taken),
            "refused": [{"delivery": each, "reason": reason} for each, reason in (refused or {}).items()],
        }
        return await self._ask("POST", "/v1/inbox/settle", json=said, headers=_bearer(token))

    async def message(self, token: str, id: str) -> dict[str, Any]:
        """What became of a message. Raises Refused."""
        return await self._ask("GET", f"/v1/messages/{id}", headers=_bearer(token))

    async def document(self, token: str, issuer: str, document: str) -> dict[str, Any]:
        """A document as the caller's agency may see it. Raises Refused."""
        asked = {"issuer": issuer, "document": document}
        return await self._ask("GET", "/v1/documents", params=asked, headers=_bearer(token))

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        status, fields, body = await self._fetch(method, path, **request)
        members = _members(body)
        if not 200 <= status < 300:
            raise Refused(status, members, _seconds(fields.get("Retry-After")))
        return members

    async def _fetch(self, method: str, path: str, **request: Any) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with self.session.request(method, self.url + path, allow_redirects=False, **request) as answer:
                return answer.status, answer.headers, await _body(answer)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unreachable(self.url, error) from None


def _members(body: bytes) -> dict[str, Any]:
    """An answer's JSON object; an empty one where it is none."""
    try:
        members = json.loads(body) if body else {}
    except ValueError:
        members = {}
    return members if isinstance(members, dict) else {}


def _seconds(written: str | None) -> float | None:
    return float(written) if written is not None and written.isascii() and written.isdigit() else None


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise ValueError("the answer is over 16 MiB")
    return bytes(body)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _unreachable(url: str, error: Exception) -> Misconfigured:
    reason = type(error).__name__
    return Misconfigured(
        url,
        Text(f"Không kết nối được tới trục ({reason})", f"The bus cannot be reached ({reason})"),
        Text(
            "Hãy kiểm tra trục đang chạy (lgsp serve) và public_url trong lgsp.toml, hoặc chỉ rõ bằng --url.",
            "Make sure that it runs (lgsp serve) and that public_url in lgsp.toml is right, or name it with --url.",
        ),
    )
