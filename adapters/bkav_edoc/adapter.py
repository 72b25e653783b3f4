"""A provincial document service of the Bkav eDoc kind: documents and statuses both ways.

When things are asked and sent is the exchange's (``gateway.calls.exchange``); how it is said stands in ``service.py``.
"""

from __future__ import annotations

from typing import Final, Literal

from adapters.bkav_edoc.service import Service
from gateway.calls.exchange import Exchange
from gateway.ports import AdapterContext

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True


class BkavEdoc(Exchange):
    """One organ at one service."""


def open_adapter(context: AdapterContext) -> BkavEdoc:
    """The adapter of one system; raises Misconfigured where the address cannot be one."""
    return BkavEdoc.opened(context, Service)
