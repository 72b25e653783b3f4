"""A far side that a file describes, spoken to: told, read, asked, and answered when it calls.

How one call is written and read is its *way* (HTTP alone, or SOAP over it); all else is the same for every way. Nothing
of what passes stands in an error, and nothing of it is kept but tokens.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest
from typing import Any, Final, TypeVar

from gateway.calls.address import check_url
from gateway.calls.asking import Place, Said, accepted
from gateway.calls.caller import Caller
from gateway.calls.described.given import Given, Questioned, Take
from gateway.calls.described.incoming import Counter
from gateway.calls.described.item import mark_of, message, named
from gateway.calls.described.listing import Listing
from gateway.calls.described.parts import Ask, Parts, Send
from gateway.calls.described.way import Way
from gateway.calls.gate import Gate
from gateway.calls.notes import Notes
from gateway.calls.profiles import Profile, open_profile
from gateway.core.brought import Bringer
from gateway.core.contract import parse_dataschema
from gateway.core.faults import DeliveryFailure, PermanentFailure, Text, TransientFailure
from gateway.core.handover import Collected, HandedOver, Parcel, Uncollectable
from gateway.core.operation import Operation, Reading
from gateway.core.rule import value_at
from gateway.core.visit import Call, Reply

_CODE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}\Z")
#: Notes of what is done with are kept so long (seconds).
_KEPT: Final = 400 * 86400.0
P = TypeVar("P", Send, Ask)


class FarSide:
    """One account at one far side."""

    def __init__(self, context: Given, tongue: str, parts: Parts, way: Way) -> None:
        """``context.settings`` have passed the adapter's schema; raises Misconfigured."""
        settings = context.settings
        where = f"{context.system.name}: settings"
        self.context = context
        self.parts = parts
        self.bringer = Bringer.of(tongue, context.system.name, settings)
        self._place = Place(
            self._caller(check_url(str(settings["url"]), f"{where}.url")),
            self._profile(where),
            context.now,
            parts.fields,
        )
        every = float(settings.get("poll_seconds", 300))
        self._listings = {part.thing.name: Listing(part, every) for part in parts.collects}
        name = re.sub(r"[^A-Za-z0-9.-]", "_", context.system.name)
        self._notes = Notes(context.folder / str(settings.get("notes", f"var/{tongue}")) / f"{name}.jsonl")
        seek = Gate.of if parts.answers else Gate.if_set
        self.gate = seek(settings, context.read_secret, where)
        self._counter = Counter(way, parts.answers, self.bringer, self.gate)

    def _profile(self, where: str) -> Profile:
        account = self.context.settings.get("account", {"profile": "none"})
        return open_profile(
            account, read_secret=self.context.read_secret, now=self.context.now, where=f"{where}.account",
            caller_of=lambda url: self._caller(check_url(url, f"{where}.account.url")),
        )  # fmt: skip

    def _caller(self, base: str) -> Caller:
        context = self.context
        return Caller(
            base,
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(context.settings.get("private", True)),
            timeout=float(context.settings.get("timeout", 15)),
        )

    # -------------------------------------------------------------------------------------------------- out

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Tell it; after a lost answer only where the far side, asked, does not know it (``seek``)."""
        send = self.send_of(parcel.event)
        record = self.outward(parcel.event, parcel.delivery)
        if parcel.may_have_arrived and send.seek is not None:
            found = await self._said(self._place, send.seek, record)
            if found.reading.kind in {"done", "there"}:
                return HandedOver(found.status, reference=_reference(found.reading, send) or "found there")
            if found.reading.kind != "empty":
                accepted(found, "empty")
        place = self._place
        if send.idempotency:
            place = replace(place, fields={**place.fields, send.idempotency: parcel.delivery})
        said = await self._said(place, send.call, record, delivery=parcel.delivery)
        reading = accepted(said, "done", "there", "empty")
        return HandedOver(said.status, reference=_reference(reading, send))

    async def ask(self, query: Questioned) -> Mapping[str, Any] | None:
        """The data of the answer contract; None where there is no such record."""
        part = self.ask_of(query.event)
        data = query.event.get("data")
        officer = data.get("officer") if isinstance(data, Mapping) else None
        account = officer.get("account") if isinstance(officer, Mapping) else None
        said = await self._said(
            self._place, part.call, self.questioning(query.event), officer=str(account or ""), within=query.within
        )
        reading = accepted(said, "done", "empty")
        return reading.data if reading.kind == "done" else None

    def send_of(self, event: Mapping[str, Any]) -> Send:
        """How a message is sent; raises PermanentFailure where the description does not say it."""
        found = _suited(self.parts.sends, event)
        if found is None:
            raise PermanentFailure(f"the description does not say how {_kind(event)} is sent")
        return found

    def ask_of(self, event: Mapping[str, Any]) -> Ask:
        """How a query is asked; raises PermanentFailure where the description does not say it."""
        found = _suited(self.parts.asks, event)
        if found is None:
            raise PermanentFailure(f"the description does not say how {_kind(event)} is asked")
        return found

    def outward(self, event: Mapping[str, Any], delivery: str) -> dict[str, Any]:
        """What the rules of a request read: {data, event, delivery, values}."""
        data = event.get("data")
        told = {name: event[name] for name in ("id", "type", "source", "subject", "time", "to") if name in event}
        return {
            "data": data if isinstance(data, dict) else {}, "event": told, "delivery": delivery,
            "values": self.parts.values,
        }  # fmt: skip

    def questioning(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """What the rules of a question read: {data, query, values}."""
        data = event.get("data")
        asked = {"id": event.get("id"), "contract": event.get("type"), "purpose": event.get("purpose")}
        return {"data": data if isinstance(data, dict) else {}, "query": asked, "values": self.parts.values}

    # --------------------------------------------------------------------------------------------------- in

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """Items that are not done with, oldest of each list first; raises what a list raises once nothing waits."""
        if not self._listings:
            return []
        now = self.context.now()
        trouble: DeliveryFailure | None = None
        done = await self._blocking(self._notes.done)
        for name, listing in self._listings.items():
            for token in [token for token in listing.waiting if mark_of(token) in done]:
                listing.forget(token)
            try:
                await self._look(name, listing, done, now)
            except TransientFailure as failure:
                trouble = failure
        rows = (listing.waiting.values() for listing in self._listings.values())
        found = [each for each in chain.from_iterable(zip_longest(*rows)) if each is not None]
        if not found and trouble is not None:
            raise trouble
        return [
            message(self._listings[each.token.partition(":")[0]].part.thing, each, self.bringer, now)
            for each in islice(found, limit)
        ]

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Tell the far side where the description says how; note it where it cannot be told. Other tokens: nobody's."""
        name = named(token)
        listing = None if name is None else self._listings.get(name.part)
        if name is None or listing is None:
            return
        part = listing.part
        call = part.taken if refusal is None else part.refused
        if call is not None and name.identity is not None:
            record: dict[str, Any] = {"identity": name.identity, "values": self.parts.values}
            if refusal is not None:
                reason, words = refusal
                record["refusal"] = {
                    "reason": reason, "vi": words.vi, "en": words.en, "text": f"[{reason}] {words.vi} / {words.en}",
                }  # fmt: skip
            accepted(await self._said(self._place, call, record), "done", "there", "empty")
        if call is None or name.identity is None or part.by != "queue":
            await self._blocking(lambda: self._notes.settle(mark_of(token), self.context.now(), refusal))
        listing.forget(token)

    async def answer(self, call: Call, take: Take) -> Reply:
        """Answer one call in the caller's words; raises Rejected for who does not prove itself."""
        return await self._counter.answer(call, take, self.context.now())

    async def close(self) -> None:
        """Close the kept connections."""
        await self._place.caller.close()
        await self._place.profile.close()

    async def _look(self, name: str, listing: Listing, done: frozenset[str], now: float) -> None:
        if listing.pending is not None and not listing.waiting:
            pending, listing.pending = listing.pending, None
            await self._blocking(lambda: self._notes.advance(name, pending, now))
            await self._blocking(lambda: self._notes.thin(now - _KEPT))
        if not listing.is_due(now):
            return
        mark = await self._blocking(lambda: self._notes.mark(name))
        if mark is None and listing.part.by == "window":
            # The first window must not wander on with the clock while nothing of it is settled.
            mark = now - listing.part.first
            await self._blocking(lambda: self._notes.advance(name, mark, now))
        await listing.look(
            lambda record: self._said(self._place, listing.part.call, {**record, "values": self.parts.values}),
            mark, done, now,
        )  # fmt: skip

    async def _said(
        self,
        place: Place,
        call: Operation,
        record: Mapping[str, Any],
        *,
        officer: str = "",
        delivery: str = "",
        within: float | None = None,
    ) -> Said:
        return await place.said(call, record, officer=officer, delivery=delivery, within=within)

    async def _blocking(self, work: Any) -> Any:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TransientFailure(f"the notes cannot be read or written: {reason}") from None


def _suited(parts: Iterable[P], event: Mapping[str, Any]) -> P | None:
    """The part for an event: of its contract and version, else of its contract and major."""
    schema = parse_dataschema(str(event.get("dataschema", "")))
    contract, label = schema or (str(event.get("type")), "")
    ours = [part for part in parts if part.contract == contract]
    for part in ours:
        if part.version == label:
            return part
    return next((part for part in ours if part.version.partition(".")[0] == label.partition(".")[0]), None)


def _kind(event: Mapping[str, Any]) -> str:
    schema = parse_dataschema(str(event.get("dataschema", "")))
    return " ".join(schema) if schema else "such a message"


def _reference(reading: Reading, send: Send) -> str | None:
    """The far side's own name for it, where it is a plain code."""
    found = value_at(reading.payload, send.reference) if send.reference is not None else None
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if _CODE.match(text) else None
