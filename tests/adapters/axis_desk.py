"""The axis in small facing the adapter, with one clock for both: what the tests of the adapter stand at."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adapters.vdxp import adapter as tongue
from adapters.vdxp.axis.faults import Fault, Faults
from adapters.vdxp.stand_in import Axis, agency
from gateway.core.content import NewSink
from gateway.ports import AdapterContext, Collected, Parcel, Uncollectable
from tests.adapters.fitting import Hands, a_parcel, an_event

#: The moment at which messages of the tests are made, and some minutes later.
MADE = 1795395600.0
LATER = MADE + 600


@dataclass(slots=True)
class Desk:
    """The axis, what the adapter is given, the adapter."""

    axis: Axis
    hands: Hands
    context: AdapterContext
    adapter: tongue.Vdxp
    opened: list[tongue.Vdxp] = field(default_factory=list)

    @property
    def faults(self) -> Faults:
        """The switches of the axis."""
        return self.axis.faults

    def anew(self, new_sink: NewSink | None = None, **settings: Any) -> tongue.Vdxp:
        """The adapter of a process that started just now."""
        context = self.hands.context("vdxp", {**self.axis.settings, **settings})
        made = tongue.open_adapter(context if new_sink is None else replace(context, new_sink=new_sink))
        self.opened.append(made)
        return made

    def parcel(self, name: str | int = 1, *, to: tuple[str, ...] = ("G22",), **override: Any) -> Parcel:
        """A letter of H33.05 that the axis carries to ``to``."""
        return a_parcel(self.context, name, carried=to, **override)

    def calls(self, operation: str) -> list[dict[str, str]]:
        """The parameters of each call of an operation."""
        return [parameters for name, parameters in self.axis.doors.calls if name == operation]

    async def good(self, adapter: tongue.Vdxp | None = None, limit: int = 50) -> list[Collected]:
        """The items collected, each of which must be good."""
        items = await (adapter or self.adapter).collect(limit)
        assert [item for item in items if isinstance(item, Uncollectable)] == []
        return [item for item in items if isinstance(item, Collected)]

    async def bad(self) -> Uncollectable:
        """The one item collected, which must be bad."""
        (item,) = await self.adapter.collect(50)
        assert isinstance(item, Uncollectable)
        return item


@contextlib.asynccontextmanager
async def a_desk(folder: Path) -> AsyncIterator[Desk]:
    """A desk whose axis found every request framed as the kit frames it."""
    async with agency(folder) as axis:
        hands = Hands(folder, LATER)
        axis.now = lambda: hands.moment
        context = hands.context("vdxp", axis.settings)
        desk = Desk(axis, hands, context, tongue.open_adapter(context))
        try:
            yield desk
        finally:
            for adapter in (desk.adapter, *desk.opened):
                await adapter.close()
        assert axis.doors.violations == []


def issued(*, label: str = "2.0", **data: Any) -> dict[str, Any]:
    """The event of a document of H33.05 with these data besides the least."""
    number = data.pop("number", "12")
    least = {
        "documentId": f"H33.05,2026/11/23,{number}/STC-VP",
        "code": {"number": number, "notation": "STC-VP"},
        "from": {"organId": "H33.05"},
        "to": [{"organId": "G22"}],
        "promulgation": {"date": "2026-11-23"},
        "documentType": {"name": "Công văn"},
        "subject": "V/v thử nghiệm",
        "confidentiality": "none",
        "business": {"type": "new"},
    }
    return an_event(
        dataschema=f"urn:lgsp:contract:document.issued:{label}", data={**least, **data}, subject=least["documentId"]
    )


def reported(code: str, at: str = "2026-11-23T08:05:00+07:00", **data: Any) -> dict[str, Any]:
    """The event of a status of H33.05 on a document of G22."""
    least: Mapping[str, Any] = {
        "from": {"organId": "H33.05"},
        "responseFor": {
            "organId": "G22",
            "code": "100/VPCP-TTĐT",
            "documentId": "G22,2026/11/23,100/VPCP-TTĐT",
            "promulgationDate": "2026-11-23",
        },
        "statusCode": code,
        "timestamp": at,
    }
    return an_event(
        type="document.status",
        dataschema="urn:lgsp:contract:document.status:1.0",
        subject="G22,2026/11/23,100/VPCP-TTĐT",
        to="G22",
        data={**least, **data},
    )


__all__ = ["LATER", "MADE", "Desk", "Fault", "a_desk", "issued", "reported"]
