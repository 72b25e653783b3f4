"""A provincial platform with a REST interface of the Lạng Sơn kind: documents and statuses both ways, its agencies.

When things are asked and sent is the exchange's (``gateway.calls.exchange``); how it is said stands in ``platform.py``,
what comes back means what ``answer.py`` says.
"""

from __future__ import annotations

from typing import Final, Literal

from adapters.lgsp_rest.platform import Platform
from gateway.calls.exchange import Exchange
from gateway.ports import AdapterContext

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True


class LgspRest(Exchange):
    """One account at one platform."""


def open_adapter(context: AdapterContext) -> LgspRest:
    """The adapter of one system; raises Misconfigured where the address cannot be one."""
    return LgspRest.opened(context, Platform)
