"""A recipient that reads another major gets a translation: made once, signed by the gateway, kept.

The derived envelope names the original (``originsource``, ``originid``, ``origindigest``) and the rules that
made it (``rulesdigest``); the original bytes stay the evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.core import jws
from gateway.core.agreement import Format, Subscription
from gateway.core.contract import Catalog
from gateway.core.envelope import digest_of, seal
from gateway.core.faults import PermanentFailure
from gateway.core.jws import Signer
from gateway.core.unread import Unread
from gateway.ports import Claim, Derived, Ledger, Record
from gateway.relay.accept import derived_uuid

#: What a derived envelope copies from the original.
_COPIED: Final = ("subject", "time", "correlationid", "purpose", "priority")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is handed over: the envelope's bytes, the event in it, and whether the bus translated the data."""

    envelope: bytes
    event: Unread
    is_translated: bool

    def body(self, form: Format) -> bytes:
        """The bytes handed over: the envelope, or under ``cloudevents`` the bare event in it."""
        return self.event.payload if form == "cloudevents" else self.envelope


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What went out to a recipient: the ids it may be known by, and its digest where it is not the original."""

    ids: tuple[str, ...]
    #: ``sha-256:HEX`` of the body; None where the original envelope went out as it is.
    digest: str | None

    @classmethod
    async def of(cls, record: Record, wish: Subscription | None, ledger: Ledger) -> HandedOut:
        """What ``wish`` made of a message; without a wish, and before any translation, the original."""
        if wish is None:
            return cls((record.id,), None)
        is_translated = wish.version.partition(".")[0] != record.version.partition(".")[0]
        kept = await ledger.derived(record.key, f"{record.type}/{wish.major}") if is_translated else None
        if kept is None and wish.format == "jws":
            return cls((record.id,), None)
        ids = (record.id,) if kept is None else (record.id, kept.key)
        envelope = await ledger.envelope(record.key) if kept is None else kept.envelope
        if envelope is None:
            return cls(ids, None)
        return cls(ids, digest_of(jws.split(envelope).payload if wish.format == "cloudevents" else envelope))


@dataclass(frozen=True, slots=True)
class Translate:
    """The step: rules from the catalog, results in the ledger."""

    ledger: Ledger
    catalog: Callable[[], Catalog]
    signer: Signer
    gateway: str

    async def render(self, claim: Claim, wanted: str) -> Rendered:
        """The message as ``wanted`` (MAJOR.MINOR) reads it; raises PermanentFailure where no rules lead there."""
        event = Unread(claim.envelope)
        if wanted.partition(".")[0] == claim.version.partition(".")[0]:
            return Rendered(claim.envelope, event, is_translated=False)
        target = f"{claim.type}/{wanted.partition('.')[0]}"
        kept = await self.ledger.derived(claim.delivery.message, target)
        if kept is None:
            made = await asyncio.to_thread(self._translate, claim, event, wanted, target)
            kept = await self.ledger.keep_derived(made)
        return Rendered(kept.envelope, Unread(kept.envelope), is_translated=True)

    def _translate(self, claim: Claim, event: Mapping[str, Any], wanted: str, target: str) -> Derived:
        chain = self.catalog().translation(
            claim.type, int(claim.version.partition(".")[0]), int(wanted.partition(".")[0])
        )
        if chain is None:
            raise PermanentFailure(f"no rules lead from {claim.type}/{claim.version} to {target}")
        data = chain.apply(event["data"])
        version = self.catalog().find(claim.type, chain.target)
        if version is None or version.check(data):
            raise PermanentFailure(f"the rules from {claim.type}/{claim.version} to {target} give invalid data")
        key = derived_uuid("derived", claim.delivery.message, target, chain.digest)
        members: dict[str, Any] = {
            "specversion": "1.0",
            "id": key,
            "source": self.gateway,
            "type": claim.type,
            "dataschema": f"urn:lgsp:contract:{claim.type}:{chain.target}",
            "datacontenttype": "application/json",
            **{name: event[name] for name in _COPIED if event.get(name) is not None},
            "originsource": event["source"],
            "originid": claim.id,
            "origindigest": digest_of(claim.envelope),
            "rulesdigest": chain.digest,
            "data": data,
        }
        return Derived(key, claim.delivery.message, target, seal(members, self.signer))
