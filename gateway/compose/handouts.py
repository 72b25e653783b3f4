"""What an adapter gets from whoever opens it: a gateway that works, or somebody who looks from outside any."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import gateway
from gateway.config.settings import Settings
from gateway.core.content import NewSink
from gateway.core.directory import System
from gateway.core.dossiers.dossier import Dossier
from gateway.core.file_link import file_link
from gateway.ports import AdapterContext
from gateway.relay.reception import door_of
from gateway.store.scratch import Scratch
from gateway.tongues import Tongues
from gateway.trust.keyring import Keyring

#: Looks up a dossier by its code as anybody writes it.
LookUp = Callable[[str], Awaitable[Dossier | None]]


def handed_out(
    system: System,
    settings: Settings,
    keyring: Keyring,
    *,
    now: Callable[[], float],
    open_file: Callable[[str], BinaryIO],
    new_sink: NewSink,
    port: int = 0,
    dossier: LookUp | None = None,
    course: LookUp | None = None,
    agency_name: Callable[[str], str] = str,
) -> AdapterContext:
    """What one system's adapter may use; ``port``: where the gateway listens, where the settings leave it open.

    ``dossier`` looks up what this adapter may know of a dossier, ``course`` the same without its record; without them
    none is known. ``agency_name`` tells what an agency is called, by its code.
    """
    folder = settings.folder
    known = {name: look for name, look in (("dossier", dossier), ("course", course)) if look is not None}
    return AdapterContext(
        system=system,
        settings=system.settings,
        folder=folder,
        user_agent=f"lgsp/{gateway.__version__}",
        webhook_signer=keyring.webhook,
        read_secret=lambda path: (folder / path).read_bytes(),
        open_file=open_file,
        own_addresses=own_addresses(settings, port),
        now=now,
        broker_url=settings.broker_whereabouts,
        new_sink=new_sink,
        link=lambda sha256, name: file_link(
            settings.public_url, keyring.signer, sha256, name, now=now(), days=settings.link_days
        ),
        door=door_of(system, settings.public_url),
        agency_name=agency_name,
        **known,
    )


@asynccontextmanager
async def tongues_for_looking(settings: Settings, keyring: Keyring) -> AsyncIterator[Tongues]:
    """Adapters of one's own for the length of a ``with`` block, beside a gateway or without one.

    They hold no file of the bus, and what they fetch lies outside the gateway's folders and is removed at the end.
    """

    def nothing(sha256: str) -> BinaryIO:
        raise FileNotFoundError(sha256)

    with tempfile.TemporaryDirectory(prefix="lgsp-") as folder:
        sink = Scratch(Path(folder)).sink

        def context(system: System) -> AdapterContext:
            return handed_out(system, settings, keyring, now=time.time, open_file=nothing, new_sink=sink)

        tongues = Tongues(settings.adapter_folders, context)
        try:
            yield tongues
        finally:
            await tongues.close()


def own_addresses(settings: Settings, port: int = 0) -> frozenset[tuple[str, int]]:
    """Where the gateway listens, as (host, port): nothing calls there; ``port`` where the settings leave it open."""
    return frozenset({(_as_address(settings.host), port or settings.port)})


def _as_address(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host or "0.0.0.0"  # noqa: S104 - names what was bound
