"""The services of the national axis: asked about people, enterprises and dossiers, told dossiers, read by windows.

What a service is stands in ``services/NAME.toml``; here is only who is asked what. Nothing of an answer is kept,
logged, or stands in an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from adapters.ngsp.description import BUILT_IN, descriptions
from adapters.ngsp.pulling import Pulling
from adapters.ngsp.service import Service, judged, offers_for
from adapters.ngsp.trial import Trial
from gateway.calls.address import check_url
from gateway.calls.asking import accepted
from gateway.core.brought import Bringer
from gateway.core.faults import Misconfigured, PermanentFailure, Text
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Trying, Uncollectable
from gateway.ports.queries import Query

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
#: Queries of other systems are answered by ``ask``.
ASKED: Final = True
_TONGUE: Final = "ngsp"


class Ngsp:
    """One account of the province at the national axis."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file; raises Misconfigured."""
        settings = context.settings
        known = _described(settings, context.folder, f"{context.system.name}: settings")
        self._services = [Service(name, said, context) for name, said in known.items()]
        self._asks = offers_for(self._services, "ask")
        self._pushes = offers_for(self._services, "push")
        bringer = Bringer.of(_TONGUE, context.system.name, settings)
        self._pulls = Pulling(context, bringer, offers_for(self._services, "pull"))

    def trial(self) -> Trial:
        """The same services for samples."""
        return Trial([*self._asks, *self._pushes, *offers_for(self._services, "pull")])

    async def ask(self, query: Query) -> Mapping[str, Any] | None:
        """The data of the answer contract; None where there is no such record."""
        data = query.event.get("data")
        if not isinstance(data, Mapping):
            raise PermanentFailure("the query brings no data")
        officer = data.get("officer")
        account = officer.get("account") if isinstance(officer, Mapping) else None
        for service, offer in self._asks:
            if not offer.suits(query.contract, data):
                continue
            if offer.is_personal and not (account and data.get("dossierCode")):
                raise PermanentFailure("a question about a person needs a dossier code and an officer")
            asked = {"id": query.id, "contract": query.contract, "purpose": query.event.get("purpose")}
            said = await service.said(
                offer, {"data": data, "query": asked}, officer=str(account or ""), within=query.within
            )
            reading = accepted(said, "done", "empty")
            return reading.data if reading.kind == "done" else None
        raise PermanentFailure("no service that is set up here answers such a query")

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Tell the first service that takes such a message; what it has already is told."""
        data = parcel.event.get("data")
        for service, offer in self._pushes:
            if not isinstance(data, Mapping) or not offer.suits(str(parcel.event.get("type")), data):
                continue
            said = await service.said(offer, {"data": data, "query": {}}, delivery=parcel.delivery)
            accepted(said, "done", "there")
            return HandedOver(said.status, reference=service.name)
        raise PermanentFailure(
            "no national service that is set up here takes such a message: what its interface wants to hear is not"
            " known wholly, or the message lacks it"
        )

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """What the windows of all pulled services brought, oldest first, the same again until settled."""
        return await self._pulls.collect(limit)

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Note that an item is done with: the services themselves take no word of it."""
        await self._pulls.settle(token, refusal)

    async def close(self) -> None:
        """Let go."""
        await asyncio.gather(*(service.close() for service in self._services))


def check(settings: Mapping[str, Any], folder: Path) -> None:
    """Whether settings and descriptions can work together; raises Misconfigured naming file and key, or the setting."""
    for name, said in _described(settings, folder, "settings").items():
        judged(name, said, settings, "settings")


def dry(context: AdapterContext) -> Trying:
    """The services in use, tried on samples: nothing is sent, no secret read. Raises Misconfigured."""
    return Ngsp(context).trial()


def _described(settings: Mapping[str, Any], folder: Path, where: str) -> dict[str, Mapping[str, Any]]:
    """The descriptions of the services in use; raises Misconfigured."""
    check_url(str(settings["url"]), f"{where}.url")
    own = settings.get("services_folder")
    known = descriptions([BUILT_IN] if own is None else [BUILT_IN, folder / str(own)])
    for name in settings["services"]:
        if name not in known:
            raise Misconfigured(
                f"{where}.services.{name}",
                Text(f"Không có mô tả dịch vụ {name}", f"There is no description of a service {name}"),
                Text(
                    f"Thêm tệp {name}.toml vào services_folder, hoặc chọn trong: {', '.join(sorted(known))}.",
                    f"Add a file {name}.toml to services_folder, or choose among: {', '.join(sorted(known))}.",
                ),
            )
    return {name: known[name] for name in settings["services"]}


def open_adapter(context: AdapterContext) -> Ngsp:
    """The adapter of one system; raises Misconfigured where its settings or a description cannot work."""
    return Ngsp(context)
