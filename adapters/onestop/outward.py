"""What the bus has for a one-stop system, in the portal's words: an item of DongBoHoSoMC posted to its own address."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.onestop.wire import Wire
from gateway.core.dossiers.code import compared
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.seeing import parties_in
from gateway.core.faults import PermanentFailure
from gateway.core.fileref import is_file
from gateway.core.rule import copied

#: The only names that are known of what the portal calls at a one-stop system: a dossier, and a notice of what to pay.
_FILED: Final = "nhanhsdvcqg"
_TO_PAY: Final = "nhantbthuedvcqg"
_SUPPLEMENT: Final = "DanhSachHoSoBoSung"


@dataclass(frozen=True, slots=True)
class Way:
    """Where one kind of message is posted, and in which wrapper: ``data`` ({"data": [item]}), ``list``, ``item``."""

    path: str
    wrapper: str = "data"


#: What is posted where the settings say nothing else; other kinds are posted only where they name a way.
WAYS: Final[Mapping[str, Way]] = {
    "dossier.registered": Way(_FILED),
    "dossier.forwarded": Way(_FILED),
    "dossier.supplemented": Way(_FILED),
    "payment.notified": Way(_FILED),
    "payment.refunded": Way(_FILED),
    "charges": Way(_TO_PAY),
}
#: A step that says what there is to pay is a kind of its own.
CHARGES: Final = "charges"


def kind_of(event: Mapping[str, Any]) -> str:
    """The kind of a message as ways are named by."""
    kind = str(event.get("type"))
    data = event.get("data")
    return CHARGES if kind == "dossier.progressed" and isinstance(data, dict) and "charges" in data else kind


class Writer:
    """Writes messages as items."""

    def __init__(
        self,
        wire: Wire,
        *,
        link: Callable[[str, str], str],
        known: Callable[[str], Awaitable[Dossier | None]],
        agency: str,
    ) -> None:
        """``link`` gives a file an address; ``known`` has the record of a dossier; ``agency``: whose software it is."""
        self._wire = wire
        self._agency = agency
        self._link = link
        self._known = known

    async def write(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The item that says what the message says, on top of all that is known of the dossier.

        Raises PermanentFailure for what the portal's words cannot say.
        """
        kind = str(event.get("type"))
        name = kind.removeprefix("dossier.").replace(".", "-")
        if name not in self._wire.outward:
            raise PermanentFailure(f"a one-stop system of this kind has no words for {kind}")
        data = copied(event.get("data"))
        if not isinstance(data, dict):
            raise PermanentFailure("the message has no data")
        more = data.get("ext", {})
        self._address(data)
        if name == "registered":
            return _with_unknown(self._wire.outward[name].apply(data), more)
        if name == "forwarded":
            return self._forwarded(data, more)
        base = await self._base(str(data.get("dossierCode")))
        if name.startswith("payment-") and "TrangThaiHoSo" in base:
            # A payment moves only what waits for it: where the dossier stands is the register's to say.
            data.pop("status", None)
        if isinstance(data.get("supplement"), dict):
            base[_SUPPLEMENT] = self._supplements(base.get(_SUPPLEMENT, []), data)
            data["@supplements"] = base[_SUPPLEMENT]
        return _with_unknown({**base, **self._wire.outward[name].apply(data)}, more)

    def _forwarded(self, data: dict[str, Any], more: Any) -> dict[str, Any]:
        child = data.get("child")
        data["@code"] = child.get("dossierCode") if isinstance(child, dict) else data.get("dossierCode")
        # What is handed on was received where it comes from.
        data["@status"] = "2"
        return _with_unknown(self._wire.outward["forwarded"].apply(data), more)

    async def _base(self, code: str) -> dict[str, Any]:
        """The item of a dossier as it is known; with nothing but its code where no registration is.

        Nor where the agency is no party: to be told something about a stranger's dossier opens none of it.
        """
        known = await self._known(compared(code))
        is_theirs = known is not None and self._agency in parties_in(known)
        record = copied(dict(known.record)) if known is not None and is_theirs else {}
        self._address(record)
        made: dict[str, Any] = self._wire.outward["registered"].apply({"dossierCode": code, **record})
        return _with_unknown(made, record.get("ext", {}))

    def _supplements(self, entries: list[dict[str, Any]], data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The entries with this one told: what was known of it stays where the message says nothing."""
        supplement = {**{name: data[name] for name in ("papers", "fees") if name in data}, **data["supplement"]}
        told = self._wire.outward["supplement"].apply(supplement)
        before = next((each for each in entries if each.get("HoSoBoSungId") == told.get("HoSoBoSungId")), None)
        if before is None:
            return [*entries, told]
        return [{**each, **told} if each is before else each for each in entries]

    def _address(self, value: Any) -> None:
        """Give every file an address where whoever is told it can fetch it."""
        if isinstance(value, dict):
            file = value.get("file")
            if isinstance(file, dict) and is_file(file):
                value["@link"] = self._link(file["sha256"], str(file["name"]))
            elif isinstance(value.get("link"), str):
                value["@link"] = value["link"]
            for each in value.values():
                self._address(each)
        elif isinstance(value, list):
            for each in value:
                self._address(each)


def body_of(item: Mapping[str, Any], wrapper: str) -> bytes:
    """What is posted."""
    bodies: Mapping[str, Any] = {"data": {"data": [item]}, "list": [item], "item": item}
    return json.dumps(bodies[wrapper], ensure_ascii=False).encode("utf-8", "replace")


def _with_unknown(item: dict[str, Any], more: Any) -> dict[str, Any]:
    """The item with the members that no rule knew when they came, from software of this kind or from the portal."""
    told: dict[str, Any] = {}
    for name in ("dvcqg", "onestop"):
        if isinstance(more, dict) and isinstance(more.get(name), dict):
            told.update(more[name])
    return {**told, **item}
