"""One exchange of an operation told by data: asked with a proof of who asks, read, and its meaning told as failures.

    place = Place(caller, profile, now)
    reading = await place.said(operation, record, officer="mau.nv", within=8.0)
    reading = accepted(reading, "done", "empty")

``Operation`` is ``gateway.core.operation``, the profile ``gateway.calls.profiles``. Nothing of what was answered stands
in any failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.calls.account import REFUSED
from gateway.calls.caller import Caller
from gateway.calls.profiles import Profile, Proof
from gateway.core.faults import DestinationGone, PermanentFailure, TransientFailure
from gateway.core.operation import Operation, Reading, encoded
from gateway.core.verdict import Kind


@dataclass(frozen=True, slots=True)
class Said:
    """A reading with its HTTP status and the far side's wish when to come again."""

    reading: Reading
    status: int
    retry_after: float | None

    @property
    def is_unproven(self) -> bool:
        """Whether another proof is wanted."""
        return self.reading.kind == "unproven"


@dataclass(frozen=True, slots=True)
class Place:
    """Where operations of one service are asked. ``fields``: header fields of every call, such as dstcode."""

    caller: Caller
    profile: Profile
    now: Callable[[], float]
    fields: Mapping[str, str]

    async def said(
        self,
        operation: Operation,
        record: Mapping[str, Any],
        *,
        officer: str = "",
        delivery: str = "",
        within: float | None = None,
        most: int = 8 << 20,
    ) -> Said:
        """What it answers to a record {data, query, values}.

        Raises what the caller and the profile raise, and PermanentFailure where the record cannot be asked.
        """
        asked = operation.request(record)
        body = operation.body(asked.value)

        async def ask(proof: Proof) -> Said:
            raw, kind, params = encoded(asked.format, proof.body(body))
            told = {"lgsp-delivery": delivery} if delivery else {}
            typed = {"Content-Type": kind} if kind else {}
            answer = await self.caller.ask(
                asked.verb,
                asked.path,
                params={**(params or {}), **proof.params} or None,
                fields={**typed, **self.fields, **asked.fields, **proof.fields, **told},
                body=raw,
                within=within,
                most=most,
            )
            reading = await asyncio.to_thread(operation.read, answer.status, answer.body(), record)
            return Said(reading, answer.status, answer.retry_after(self.now()))

        return await self.profile.proven(ask, officer)


def accepted(said: Said, *kinds: Kind) -> Reading:
    """The reading where it is one of ``kinds``; else the failure that its meaning is, without a word of the answer."""
    kind = said.reading.kind
    if kind in kinds:
        return said.reading
    if kind in {"refused", "unproven"}:
        raise DestinationGone(REFUSED, said.status)
    if kind == "again":
        raise TransientFailure("the service does not answer this now", said.status, said.retry_after)
    raise PermanentFailure(f"the service will not answer this ({kind})", said.status)
