"""Who answers queries, asked: at an address of its own in the bus's words, or by its adapter in its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.calls.caller import Answer, Caller
from gateway.core.content import MemorySink
from gateway.core.directory import System
from gateway.core.faults import PermanentFailure, TransientFailure
from gateway.core.query import Question
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.ports import Adapter
from gateway.ports.queries import Query
from gateway.relay.query import Reply

SEALED: Final = "application/jose"
#: What an answer may hold (bytes): an envelope's most, and a little.
_MOST: Final = 1 << 20
_CALLERS: Final = 200
_NO_RECORD: Final = 404


@dataclass(slots=True)
class Providers:
    """The step's way out; ``own``: where this gateway listens, never called."""

    adapter_of: Callable[[System], Adapter]
    user_agent: str
    own: Callable[[], frozenset[tuple[str, int]]]
    _callers: OrderedDict[str, Caller] = field(default_factory=OrderedDict)

    async def ask(self, question: Question, envelope: bytes, seconds: float) -> Reply:
        """What the provider says. Raises as an adapter's ``ask`` does."""
        system, provision = question.provider
        if not provision.url:
            return await self._by_adapter(question, system, seconds)
        caller = await self._caller(provision.url)
        answer = await caller.ask(
            "POST", "", body=envelope, within=seconds, most=_MOST,
            fields={"Content-Type": SEALED, "Accept": f"{SEALED}, application/json"},
        )  # fmt: skip
        return _reply(answer)

    async def close(self) -> None:
        """Close the kept connections."""
        for caller in self._callers.values():
            await caller.close()
        self._callers.clear()

    async def _by_adapter(self, question: Question, system: System, seconds: float) -> Reply:
        adapter: Any = self.adapter_of(system)
        if not hasattr(adapter, "ask"):
            raise PermanentFailure("the system's adapter answers no queries")
        event = question.event
        asked = Query(event.id, event.type, event.version, event.members, system, seconds)
        return Reply(data=await adapter.ask(asked))

    async def _caller(self, url: str) -> Caller:
        caller = self._callers.get(url)
        if caller is None:
            caller = self._callers[url] = Caller(
                url, user_agent=self.user_agent, own=self.own(), new_sink=MemorySink, timeout=60.0
            )
            if len(self._callers) > _CALLERS:
                await self._callers.popitem(last=False)[1].close()
        self._callers.move_to_end(url)
        return caller


def _reply(answer: Answer) -> Reply:
    """An answer by HTTP: 200 with an envelope or bare data, 404 for no such record."""
    if answer.status == _NO_RECORD:
        return Reply()
    if answer.status != 200:
        raise TransientFailure(f"the provider answered with status {answer.status}", answer.status)
    kind = answer.fields.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == SEALED:
        return Reply(envelope=answer.body().rstrip(b"\r\n"))
    try:
        data = parse_strict(answer.body())
    except StrictJsonError:
        raise TransientFailure("the provider's answer is no JSON", answer.status) from None
    if not isinstance(data, dict):
        raise PermanentFailure("the provider's answer is no JSON object", answer.status)
    return Reply(data=data)
