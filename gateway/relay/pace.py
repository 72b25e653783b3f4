"""How fast each system may send, where its registration sets a pace; none by default.

Each process grants by itself, at once. Where several are at work on one ledger they tell it each second what they
granted, and take over what the others did: a sender that finds another process has one more burst at most, and pays
for it afterwards, so that in the long run it is never faster than registered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.faults import Busy, Text
from gateway.core.judgement import Judged
from gateway.core.rate import Rate
from gateway.ports.peers import Peers


@dataclass(slots=True)
class Paces:
    """The paces of one process's senders: one number per system, forgotten at a restart."""

    _reached: dict[str, float] = field(default_factory=dict)
    #: What was granted since it was told; None where there is nobody to tell.
    _granted: dict[str, tuple[Rate, int]] | None = None

    def begin_sharing(self) -> None:
        """Remember from now on what is granted, for :meth:`share`."""
        self._granted = {}

    async def share(self, peers: Peers, now: float) -> None:
        """Tell what was granted since the last time, and go on from what all granted together."""
        granted = self._granted or {}
        for name, (rate, count) in list(granted.items()):
            reached = await peers.spend(name, rate, count, now=now)
            _, since = granted.pop(name)
            if since > count:
                granted[name] = rate, since - count
            self._reached[name] = rate.spent(reached, now, since - count)

    def kept(self, one: Judged, now: float) -> Judged:
        """The same judgement, or where it is beyond its sender's pace the fault ``rate-limited`` instead."""
        source = one.source
        if source is None or source.rate is None:
            return one
        self._reached[source.name], wait = source.rate.take(self._reached.get(source.name, 0.0), now)
        if wait <= 0:
            if self._granted is not None:
                _, count = self._granted.get(source.name, (source.rate, 0))
                self._granted[source.name] = source.rate, count + 1
            return one
        fault = Busy(
            "rate-limited",
            Text(
                f"{source.name} gửi nhanh hơn mức đã đăng ký ({source.rate.per_minute:g} thông điệp mỗi phút)."
                " Bên gửi chờ hết thời gian Retry-After rồi gửi lại.",
                f"{source.name} sends faster than registered ({source.rate.per_minute:g} messages a minute)."
                " The sender must wait for Retry-After and send again.",
            ),
            retry_after=wait,
        )
        return one._replace(event=None, fault=fault)
