"""One item of the portal's client side becomes one message of the bus, or a sentence for its sender."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from adapters.onestop.codes import province_of
from adapters.onestop.files import Fetch, Fetched
from adapters.onestop.meaning import Meaning, Senseless, Telling, meanings_of, since_of, status_of
from adapters.onestop.mending import FILES, left_out, mend
from adapters.onestop.wire import Wire
from gateway.core.dossiers.again import is_restated, origin_again
from gateway.core.dossiers.code import check_own
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.order import AHEAD
from gateway.core.faults import Text
from gateway.core.forms import read_moment, write_moment
from gateway.core.handover import Collected, CollectedFile
from gateway.core.moments import VIET_NAM, format_moment
from gateway.core.rule import copied
from gateway.core.wire_record import canonical_bytes, name_in, tidied

Service = Literal["DongBoHoSoMC", "CapNhatTienDoHoSoMC"]

_VIET_NAM: Final = timedelta(hours=7)
_MOST_EXT: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Terms:
    """How items of one system are read: its name, the own province, what its messages are for and to whom they go."""

    system: str
    agency: str
    province: str
    purpose: str
    to: tuple[str, ...] = ()
    forces: bool = False


class _Tidy(NamedTuple):
    """An item as it is read, what no rule knows of it, and the words about it."""

    item: Mapping[str, Any]
    unknown: Mapping[str, Any]
    warnings: list[Text]


class Reader:
    """Reads the items of one system."""

    def __init__(
        self,
        terms: Terms,
        wire: Wire,
        fetch: Fetch,
        known: Callable[[str], Awaitable[Dossier | None]],
        now: Callable[[], float],
    ) -> None:
        """``fetch`` gets files by their addresses, ``known`` says what is known of a dossier."""
        self._terms = terms
        self._wire = wire
        self._fetch = fetch
        self._known = known
        self._now = now

    async def read(self, raw: Any, service: Service, *, is_updating: bool, agency: str = "") -> tuple[Collected, ...]:
        """The messages that an item makes, one or more; ``agency`` is the code under which the call was made.

        Raises Senseless with a sentence for its sender. The same item makes the same ids and the same origins, however
        its members are ordered, cased or typed; but that of an item without a moment of its own is another one where
        the dossier went on meanwhile: then it says that the dossier came back.
        """
        if not isinstance(raw, Mapping):
            raise Senseless(_NO_OBJECT)
        shape = self._wire.item if service == "DongBoHoSoMC" else self._wire.step
        tidy = tidied(raw, shape)
        item = tidy.record
        code = item.get("MaHoSo", "")
        if (fault := check_own(code, self._is_ours)) is not None:
            raise Senseless(fault)
        if tidy.faults:
            raise Senseless(_joined(tidy.faults))
        origin = hashlib.sha256(canonical_bytes({"service": service, "item": item, "more": tidy.unknown})).hexdigest()
        warnings = [*tidy.warnings]
        mend(item, warnings)
        if service != "DongBoHoSoMC":
            status_of(item.get("TrangThai"))
            step = Meaning("step", "1.0", {"@told": item["TrangThai"]})
            return (await self._said(_Tidy(item, tidy.unknown, warnings), step, origin, agency),)
        # Only an update depends on what is known.
        known = await self._known(code) if is_updating else None
        told = {step.told.message.lower() for step in known.steps} if known is not None else set()
        telling = Telling(
            self._terms.agency,
            is_updating,
            self._terms.forces,
            restates=self._restates(item, known),
            is_here=lambda reference: self._id(_of_entry(origin, reference)) in told,
        )
        said = []
        for meaning in meanings_of(item, known, telling):
            own = origin
            if (entry := meaning.extra.get("@supplement")) is not None:
                own = _of_entry(origin, entry["HoSoBoSungId"])
            elif since_of(item, meaning) is None:
                own = origin_again(origin, known, self._terms.agency, self._id, heeds_others=True)
            said.append(await self._said(_Tidy(item, tidy.unknown, warnings), meaning, own, agency, known=known))
        return tuple(said)

    def _restates(self, item: Mapping[str, Any], known: Dossier | None) -> bool:
        """Whether an item says of a dossier that its agency answers for what a step cannot say."""
        if known is None or known.lead != self._terms.agency:
            return False
        told = {"@agency": self._terms.agency, "@told": item.get("TrangThaiHoSo", "")}
        said = self._wire.inward["registered"].apply(copied({**item, **told}))
        return is_restated(said, known, self._terms.agency)

    async def _said(
        self, tidy: _Tidy, meaning: Meaning, origin: str, agency: str, *, known: Dossier | None = None
    ) -> Collected:
        """The message of one meaning of an item, which stays as it is: another meaning may need it."""
        item, unknown, warnings = copied(dict(tidy.item)), tidy.unknown, tidy.warnings
        code = str(item["MaHoSo"])
        meaning = replace(meaning, extra=copied(dict(meaning.extra)))
        _require(item, meaning)
        extra = {**meaning.extra, "@agency": agency or self._terms.agency, "@at": self._at(item, meaning, known)}
        if unknown:
            extra["@ext"] = _kept(unknown, warnings)
        files = await self._fill(item, meaning, warnings)
        data = self._wire.inward[meaning.kind].apply({**item, **extra})
        kind = "progressed" if meaning.kind == "step" else meaning.kind
        return Collected(code, self._event(kind, meaning.version, code, data, origin), origin, files, tuple(warnings))

    def _is_ours(self, agency: str) -> bool:
        return bool(self._terms.province) and province_of(agency) == self._terms.province

    def _at(self, item: Mapping[str, Any], meaning: Meaning, known: Dossier | None) -> str:
        """Since when the status holds: as the item says; where it says nothing, since now, when it was told.

        That is after what is known, also where whoever said that has a clock a little ahead.
        """
        since = since_of(item, meaning)
        moment = None if since is None else read_moment(since, "compact-date-time", _VIET_NAM)
        if moment is not None:
            return write_moment(moment, "iso-date-time", _VIET_NAM)
        # To the millisecond: cut to the second it would lie before what came a moment ago.
        now = self._now()
        stands_since = None if known is None else known.status_at
        if stands_since is not None and now - 0.001 < stands_since < now + AHEAD:
            now = stands_since + 0.002
        return datetime.fromtimestamp(now, VIET_NAM).isoformat(timespec="milliseconds")

    async def _fill(self, item: dict[str, Any], meaning: Meaning, warnings: list[Text]) -> tuple[CollectedFile, ...]:
        """Fetch the files of those lists that the message carries; what cannot be had stays an address."""
        lists: list[tuple[str, list[dict[str, Any]]]] = []
        if meaning.kind == "registered":
            lists += [(name, item.get(name, [])) for name in ("TaiLieuNop", "DanhSachGiayToKetQua")]
            for entry in item.get("DanhSachHoSoBoSung", ()):
                lists.append(("DanhSachGiayToBoSung", entry.get("DanhSachGiayToBoSung", [])))
        elif meaning.kind == "result-issued":
            lists.append(("DanhSachGiayToKetQua", item.get("DanhSachGiayToKetQua", [])))
        elif "@supplement" in meaning.extra:
            lists.append(("DanhSachGiayToBoSung", meaning.extra["@supplement"].get("DanhSachGiayToBoSung", [])))
        wanted = [(entry, *FILES[name]) for name, entries in lists for entry in entries if FILES[name][1] in entry]
        # A deleted paper is named, not fetched.
        wanted = [each for each in wanted if str(each[0].get("IsDeleted", "")).lower() not in {"true", "1"}]
        found = await self._fetch.all([str(entry[address]) for entry, _, address in wanted])
        files: dict[str, CollectedFile] = {}
        for (entry, name, address), got in zip(wanted, found, strict=True):
            if isinstance(got, Fetched):
                content = got.content
                files[content.sha256] = CollectedFile(got.media_type, content)
                entry["@file"] = {
                    "name": entry[name][-500:], "mediaType": got.media_type, "size": content.size,
                    "sha256": content.sha256,
                }  # fmt: skip
                del entry[address]
            else:
                warnings.append(got)
        return tuple(files.values())

    def _id(self, origin: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:lgsp:onestop:{self._terms.system}:{origin}"))

    def _event(self, kind: str, version: str, code: str, data: Any, origin: str) -> dict[str, Any]:
        event = {
            "specversion": "1.0",
            "id": self._id(origin),
            "type": f"dossier.{kind}",
            "dataschema": f"urn:lgsp:contract:dossier.{kind}:{version}",
            "subject": code,
            "time": format_moment(self._now()),
            "datacontenttype": "application/json",
            "purpose": self._terms.purpose,
            "data": data,
        }
        return {**event, "to": " ".join(self._terms.to)} if self._terms.to else event


def _of_entry(origin: str, reference: str) -> str:
    """The origin of what an item says of one supplement: it may bring several."""
    return hashlib.sha256(f"{origin} {reference}".encode()).hexdigest()


def code_in(raw: Any) -> str:
    """The dossier code of an item as far as there is one, for the reply to its sender."""
    found = name_in(raw, "MaHoSo") if isinstance(raw, Mapping) else None
    return str(found)[:100] if isinstance(found, str | int) else ""


def _require(item: Mapping[str, Any], meaning: Meaning) -> None:
    needed = {
        "registered": ("MaTTHC", "ChuHoSo"),
        "step": ("ThoiDiemXuLy",),
    }.get(meaning.kind, ())
    missing = [name for name in needed if name not in item]
    if missing:
        named = ", ".join(missing)
        raise Senseless(
            Text(
                f"Thiếu {named}. Phần mềm một cửa cần điền rồi gửi lại.",
                f"{named} is absent. The one-stop software must fill it in and send again.",
            )
        )


def _kept(unknown: Mapping[str, Any], warnings: list[Text]) -> Mapping[str, Any]:
    if len(canonical_bytes(unknown)) <= _MOST_EXT:
        return unknown
    warnings.append(left_out("thành phần lạ", "quá lớn", "unknown members of this size are not carried"))
    return {}


def _joined(texts: tuple[Text, ...]) -> Text:
    return Text(". ".join(each.vi for each in texts), ". ".join(each.en for each in texts))


_NO_OBJECT: Final = Text(
    "Mục không phải một hồ sơ (đối tượng JSON). Phần mềm một cửa cần sửa rồi gửi lại.",
    "The item is no dossier (a JSON object). The one-stop software must mend it and send again.",
)
