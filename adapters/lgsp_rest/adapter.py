"""A provincial platform with a REST interface of the Lạng Sơn kind: documents and statuses both ways, its agencies.

When things are asked and sent is the exchange's (``gateway.calls.exchange``); how it is said stands in ``platform.py``,
what comes back means what ``answer.py`` says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal

from adapters.lgsp_rest.platform import Platform
from gateway.calls.address import check_url
from gateway.calls.exchange import Exchange, Terms
from gateway.core.documents.item import Sender
from gateway.core.documents.outgoing import Outgoing
from gateway.core.edxml.parse import Limits
from gateway.ports import AdapterContext

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
_MEBIBYTE: Final = 1 << 20


class LgspRest(Exchange):
    """One account at one platform."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file."""
        settings = context.settings
        limits = Limits(size=int(settings.get("max_mebibytes", 64)) * _MEBIBYTE)
        terms = Terms(
            Sender(context.system.name, settings.get("confidentiality") == "none", limits),
            context.system.agency,
            receivers=tuple(settings.get("receivers", ())),
            every=float(settings.get("poll_seconds", 300)),
            tells=bool(settings.get("tell_refusals", True)),
        )
        self._platform = Platform(context, limits.size)
        outgoing = Outgoing(context.open_file, limits, context.new_sink)
        super().__init__(self._platform, terms, outgoing, context.now, context.new_sink)

    def fetch_agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        """The agencies that the platform lists: ``code``, ``name``, ``parent`` (a code), ``aliases``, ``level``.

        Raises as ``deliver`` does.
        """
        return self._platform.agencies()


def open_adapter(context: AdapterContext) -> LgspRest:
    """The adapter of one system; raises Misconfigured where the address cannot be one."""
    check_url(str(context.settings["url"]), f"{context.system.name}: settings.url")
    return LgspRest(context)
