"""The one place where parts meet and choices are made: settings become a running gateway.

Names are imported when they are asked for: a command that only reads the registry needs no HTTP server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.compose.asked import (
        documents_on,
        dossiers_on,
        lookups_on,
        missing_on,
        operate_on,
        operations_on,
        proposals_on,
        reconcile_on,
        registers_on,
        requests_on,
    )
    from gateway.compose.choices import (
        agency_lists_of,
        copies_of,
        dossiers_of,
        failures_and_replays,
        known_steps,
        looking,
        open_ledger,
        open_spool,
        server_of,
        stand_in,
        stand_ins,
    )
    from gateway.compose.gateway import Gateway, running
    from gateway.compose.inspection import inspect_on
    from gateway.compose.lists import ListsInForce
    from gateway.compose.picture import Picture, built_in_catalog, picture_of

__all__ = [
    "Gateway",
    "ListsInForce",
    "Picture",
    "agency_lists_of",
    "built_in_catalog",
    "copies_of",
    "documents_on",
    "dossiers_of",
    "dossiers_on",
    "failures_and_replays",
    "inspect_on",
    "known_steps",
    "looking",
    "lookups_on",
    "missing_on",
    "open_ledger",
    "open_spool",
    "operate_on",
    "operations_on",
    "picture_of",
    "proposals_on",
    "reconcile_on",
    "registers_on",
    "requests_on",
    "running",
    "server_of",
    "stand_in",
    "stand_ins",
]

_HOME: Final = {
    **dict.fromkeys(
        (
            "documents_on",
            "dossiers_on",
            "lookups_on",
            "missing_on",
            "operate_on",
            "operations_on",
            "proposals_on",
            "reconcile_on",
            "registers_on",
            "requests_on",
        ),
        "asked",
    ),
    **dict.fromkeys(
        (
            "agency_lists_of",
            "copies_of",
            "dossiers_of",
            "failures_and_replays",
            "known_steps",
            "looking",
            "open_ledger",
            "open_spool",
            "server_of",
            "stand_in",
            "stand_ins",
        ),
        "choices",
    ),
    **dict.fromkeys(("Gateway", "running"), "gateway"),
    "inspect_on": "inspection",
    "ListsInForce": "lists",
    **dict.fromkeys(("Picture", "built_in_catalog", "picture_of"), "picture"),
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
