"""What an agency says of the messages it was given: taken, refused, or later; kept where it comes late."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from aio_pika.abc import AbstractMessage

from gateway.core.faults import PermanentFailure, TransientFailure
from gateway.ports import HandedOver

Verdict = Literal["taken", "refused", "later"]
#: Header fields of a settlement.
REASON: Final = "lgsp-reason"
RETRY_AFTER: Final = "lgsp-retry-after"

#: What was taken while nobody waited for the word: the next attempt finds it.
_KEPT: Final = 1000
_LARGEST_RECEIPT: Final = 16 * 1024
_LONGEST_REASON: Final = 200
_LONGEST_WAIT: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Settlement:
    """One word of an agency about one delivery; ``receipt`` is its own (compact JWS) where it gave one."""

    verdict: Verdict
    receipt: bytes | None = None
    reason: str = ""
    retry_after: float | None = None

    def judged(self) -> HandedOver:
        """What the port makes of it; raises PermanentFailure or TransientFailure unless it was taken."""
        if self.verdict == "taken":
            return HandedOver(receipt=self.receipt)
        said = f": {self.reason}" if self.reason else ""
        if self.verdict == "refused":
            raise PermanentFailure(f"the recipient refused the message{said}")
        raise TransientFailure(f"the recipient asks for it later{said}", retry_after=self.retry_after)


def read_settlement(message: AbstractMessage) -> tuple[str, Settlement] | None:
    """The delivery that a message speaks of, and what it says; None where it is no settlement."""
    delivery, verdict = message.correlation_id, message.type
    if not isinstance(delivery, str) or verdict not in get_args(Verdict):
        return None
    body, headers = message.body, message.headers
    receipt = body if verdict == "taken" and len(body) <= _LARGEST_RECEIPT and body.count(b".") == 2 else None
    return delivery, Settlement(
        cast("Verdict", verdict), receipt, _reason(headers.get(REASON)), _seconds(headers.get(RETRY_AFTER))
    )


def _reason(value: Any) -> str:
    """The agency's own words on one line, cut short."""
    text = value if isinstance(value, str) else ""
    return "".join(each if each.isprintable() else " " for each in text[:_LONGEST_REASON]).strip()


def _seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(float(value), _LONGEST_WAIT) if is_number and value >= 0 else None


@dataclass(slots=True)
class Settlements:
    """What one system has said, and who waits for its word."""

    _waiting: dict[str, asyncio.Future[Settlement]] = field(default_factory=dict)
    _kept: OrderedDict[str, Settlement] = field(default_factory=OrderedDict)

    def said(self, delivery: str) -> Settlement | None:
        """What was said of a delivery while nobody waited; it is told once."""
        return self._kept.pop(delivery, None)

    def expect(self, delivery: str) -> asyncio.Future[Settlement]:
        """A word about this delivery, to be awaited; :meth:`forget` it in the end."""
        return self._waiting.setdefault(delivery, asyncio.get_running_loop().create_future())

    def forget(self, delivery: str) -> None:
        """Nobody waits for this one any more."""
        waiting = self._waiting.pop(delivery, None)
        if waiting is not None:
            waiting.cancel()

    def hear(self, message: AbstractMessage) -> None:
        """A message has come; what is no settlement is passed over."""
        found = read_settlement(message)
        if found is None:
            return
        delivery, settlement = found
        waiting = self._waiting.get(delivery)
        if waiting is not None and not waiting.done():
            waiting.set_result(settlement)
            return
        if settlement.verdict != "taken":
            # Asked again, e.g. after a replay, the recipient may say otherwise; only what it took stays taken.
            return
        self._kept[delivery] = settlement
        self._kept.move_to_end(delivery)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
