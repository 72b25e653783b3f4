"""A provincial document interface behind WSO2 API Manager, of the Quảng Nam kind: documents and statuses both ways.

When things are asked and sent is the exchange's (``gateway.calls.exchange``); how it is said stands in
``interface.py``.
"""

from __future__ import annotations

from typing import Final, Literal

from adapters.wso2_documents.interface import Interface
from gateway.calls.exchange import Exchange
from gateway.ports import AdapterContext

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True


class Wso2Documents(Exchange):
    """One unit at one interface."""


def open_adapter(context: AdapterContext) -> Wso2Documents:
    """The adapter of one system; raises Misconfigured where the address cannot be one."""
    # What was posted is compared byte for byte, so that a status or an update can be found, too.
    return Wso2Documents.opened(context, Interface, seeks="all")
