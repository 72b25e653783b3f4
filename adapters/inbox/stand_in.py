"""The agency in small: a program that asks for a token, leases what waits for it over HTTP, and settles it."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.core.jws import Signer
from gateway.ports import Parcel

_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery on loan: settle it, or it comes again when the loan ends."""

    delivery: str
    attempt: int
    envelope: str


@dataclass(slots=True)
class InboxClient:
    """A recipient that fetches for itself, known by a secret or by a signed assertion."""

    base_url: str
    system: str
    secret: str | None = None
    signer: Signer | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    _token: str | None = None
    _session: aiohttp.ClientSession | None = None

    async def lease(self, *, max: int = 10, wait: float = 0, visibility: float = 30) -> list[Lease]:
        """What waits, at most ``max``, for ``visibility`` seconds; waits up to ``wait`` seconds for something."""
        answer = await self._post("/v1/inbox/lease", {"max": max, "wait": wait, "visibility": visibility})
        return [Lease(one["delivery"], one["attempt"], one["envelope"]) for one in answer["deliveries"]]

    async def settle(
        self,
        *,
        taken: Sequence[str | Mapping[str, Any]] = (),
        refused: Mapping[str, str] | None = None,
        later: Mapping[str, float] | None = None,
    ) -> Mapping[str, Any]:
        """Say what became of leased deliveries: taken, refused (with a reason), or to come later (in seconds)."""
        told = {
            "taken": list(taken),
            "refused": [{"delivery": one, "reason": reason} for one, reason in (refused or {}).items()],
            "later": [{"delivery": one, "seconds": seconds} for one, seconds in (later or {}).items()],
        }
        return await self._post("/v1/inbox/settle", told)

    async def take_all(self) -> list[Lease]:
        """Lease and take until nothing waits."""
        found: list[Lease] = []
        while leased := await self.lease(max=100):
            found += leased
            await self.settle(taken=[one.delivery for one in leased])
        return found

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def arrivals(self) -> list[str]:
        """Nothing ever arrives by itself."""
        return []

    async def go_down(self) -> None:
        """Being away makes no difference to what waits."""

    async def come_back(self) -> None:
        """As above."""

    def hopeless(self, parcel: Parcel) -> Parcel:
        """Nothing is pushed here, so nothing is refused here."""
        return parcel

    async def _post(self, path: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's JSON; a token that ended is renewed once. Raises aiohttp.ClientResponseError."""
        session = self._opened()
        for is_last in (False, True):
            token = await self._bearer()
            async with session.post(
                self.base_url + path, json=told, headers={"authorization": f"Bearer {token}"}
            ) as answer:
                if answer.status == 401 and not is_last:
                    self._token = None
                    continue
                answer.raise_for_status()
                read: dict[str, Any] = await answer.json()
                return read
        raise AssertionError("the second answer is returned or raised")

    async def _bearer(self) -> str:
        if self._token is None:
            form = {"grant_type": "client_credentials"}
            if self.signer is not None:
                form |= {"client_assertion_type": _ASSERTION, "client_assertion": self._assertion(self.signer)}
            else:
                form |= {"client_id": self.system, "client_secret": self.secret or ""}
            async with self._opened().post(f"{self.base_url}/oauth2/token", data=form) as answer:
                answer.raise_for_status()
                self._token = str((await answer.json())["access_token"])
        return self._token

    def _assertion(self, signer: Signer) -> str:
        now = int(time.time())
        claims = {
            "iss": self.system,
            "sub": self.system,
            "aud": f"{self.base_url}/oauth2/token",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 120,
        }
        return signer.sign("JWT", json.dumps(claims).encode()).decode()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90))
        return self._session


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[InboxClient]:  # noqa: ARG001 - the suite's shape
    """A client that is known to nobody yet: the adapter beside this file needs none."""
    client = InboxClient("http://127.0.0.1:8600", "H33.16/dms")
    try:
        yield client
    finally:
        await client.close()
