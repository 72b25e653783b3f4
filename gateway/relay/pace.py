"""How fast each system may send, where its registration sets a pace; none by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gateway.core.faults import Busy, Text
from gateway.core.judgement import Judged


@dataclass(slots=True)
class Paces:
    """The paces of one gateway's senders: one number per system, forgotten at a restart."""

    _reached: dict[str, float] = field(default_factory=dict)

    def kept(self, judged: Sequence[Judged], now: float) -> list[Judged]:
        """The same judgements, those beyond their sender's pace with the fault ``rate-limited`` instead."""
        return [self._paced(one, now) for one in judged]

    def _paced(self, one: Judged, now: float) -> Judged:
        source = one.source
        if source is None or source.rate is None:
            return one
        self._reached[source.name], wait = source.rate.take(self._reached.get(source.name, 0.0), now)
        if wait <= 0:
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
        return replace(one, event=None, fault=fault)
