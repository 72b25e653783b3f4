"""What is told of each answer: counters, and one line in the log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from prometheus_client import Counter, Histogram

from gateway.telemetry import REQUEST_SECONDS, REQUESTS, log

#: Doors that are asked all the time and tell nothing new.
_QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
#: What a caller may call its method and be counted by: anything else is "any", so that nobody makes up counters.
_METHODS: Final = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@lru_cache(maxsize=1024)
def _counters(door: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(door, method, str(status)), REQUEST_SECONDS.labels(door)


def tell(
    door: str,
    method: str,
    status: int,
    *,
    seconds: float,
    address: str | None,
    trace: str,
    told: Mapping[str, Any],
) -> None:
    """An answer left: by which door, how, after how long (seconds), to whom; ``trace`` is the header traceparent."""
    counted, timed = _counters(door, method if door != "unknown" and method in _METHODS else "any", status)
    counted.inc()
    timed.observe(seconds)
    if door in _QUIET:
        return
    line = dict(told)
    if trace and (found := _TRACEPARENT.fullmatch(trace)) is not None:
        line["trace_id"] = found.group(1)
    log.info(
        "request.answered",
        method=method,
        door=door,
        status=status,
        ms=round(seconds * 1000, 1),
        address=address,
        **line,
    )
