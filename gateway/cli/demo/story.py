"""The demo's story: real documents relayed or refused, a recipient down, a translation, a commune, receipts, counts."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.cli.demo.telling import PATIENCE, Telling
from gateway.client.bus import Bus, Refused
from gateway.client.identity import read_signer
from gateway.client.message import make_event, new_id
from gateway.compose import Gateway
from gateway.core import jws
from gateway.core.delivery import State
from gateway.core.envelope import digest_of, seal
from gateway.core.strictjson import parse_strict

ALL_STATES: Final = tuple(state.value for state in State)


@dataclass(slots=True)
class Story(Telling):
    """The telling of documents: who takes part, and what was seen."""

    dropped: int = 0
    relayed: int = 0
    refused: int = 0
    sent: int = 0
    delivered: int = 0
    receipts: int = 0
    identical: int = 0
    wakes: list[str] = field(default_factory=list)
    reports_before: int = 0
    gateway: Gateway = field(init=False)
    bus: Bus = field(init=False)
    office: Any = field(init=False)
    district: Any = field(init=False)
    neighbour: Any = field(init=False)
    axis: Any = field(init=False)
    finance: Any = field(init=False)
    health: Any = field(init=False)
    commune: Any = field(init=False)
    receiver: Any = field(init=False)

    def counts(self) -> dict[str, Any]:
        """The figures at the end."""
        return {
            "files": self.dropped,
            "relayed": self.relayed,
            "refused": self.refused,
            "sent": self.sent,
            "delivered": self.delivered,
            "receipts_verified": self.receipts,
            "identical_bytes": self.identical,
            "lost": self.lost,
            "failures": self.failures,
        }

    async def send(self, subject: str, to: str, data: dict[str, Any], version: str = "2.0") -> dict[str, Any]:
        """One document from H33.05/app, signed by itself; answers the 202 body after checking its receipt."""
        now = time.time()
        event = make_event(
            id=new_id(now, os.urandom(10)),
            source="H33.05/app",
            contract="document.issued",
            version=version,
            subject=subject,
            now=now,
            data=data,
            extensions={"to": to},
        )
        envelope = seal(event, self.signer("H33.05-app"))
        answer = await self.bus.send(envelope)
        await self.verify(answer["receipt"], digest_of(envelope))
        return answer

    async def view(self, issuer: str, document: str) -> dict[str, Any]:
        """A document as its sender sees it now; empty of recipients where the bus does not know it yet."""
        token = await self.bus.token(self.signer("H33.05-app"), "H33.05/app")
        try:
            return await self.bus.document(token, issuer, document)
        except Refused:
            return {"recipients": []}

    async def until_view(self, issuer: str, document: str, ready: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Wait until the sender's view of a document says so; in vain is a failure of the story."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if ready(await self.view(issuer, document)):
                return
            await asyncio.sleep(0.1)
        self.failures.append(f"waited in vain for {what}")

    def signer(self, stem: str) -> jws.Signer:
        """The key of a system of the example."""
        keys = self.folder / "keys"
        return read_signer(keys / f"{stem}.pem", keys / f"{stem}.crt")

    async def verify(self, receipt: str, digest: str) -> None:
        """Check a receipt as an agency would: against the published keys, and that it speaks of these bytes."""
        async with self.bus.session.get(f"{self.bus.url}/.well-known/jwks.json") as answer:
            keys = {key["kid"]: key for key in (await answer.json())["keys"]}
        taken = jws.split(receipt.encode())
        raw = base64.urlsafe_b64decode(keys[taken.header.kid or ""]["x"] + "==")
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        holds = jws.verify(Ed25519PublicKey.from_public_bytes(raw), taken)
        if holds and taken.header.typ == "receipt+jws" and parse_strict(taken.payload)["digest"] == digest:
            self.receipts += 1
        else:
            self.failures.append("a receipt does not verify")


async def settled(story: Story) -> None:
    """Wait until nothing is under way but what recipients fetch for themselves."""
    open_states = ("queued", "leased", "blocked")
    pulled = {"H33.07.03/dms", "H33.05/app"}
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        under_way = await story.gateway.ledger.deliveries(states=open_states, limit=1000)
        if not [each for each in under_way if each.recipient not in pulled]:
            return
        await asyncio.sleep(0.05)
    story.failures.append("deliveries are still under way")


def a_document(identity: str, subject: str) -> dict[str, Any]:
    """The data of a new document of the home office."""
    return {
        "documentId": identity,
        "from": {"organId": "H33.05", "organName": "Sở Nội vụ"},
        "subject": subject,
        "confidentiality": "none",
        "business": {"type": "new"},
    }


def event_in(envelope: bytes) -> dict[str, Any]:
    """What an envelope says."""
    event: dict[str, Any] = parse_strict(jws.split(envelope).payload)
    return event
