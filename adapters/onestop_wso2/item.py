"""One document, trace or monthly table of the older interface becomes one message, or a sentence for its sender."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.onestop_wso2.inline import marked, placed
from adapters.onestop_wso2.meaning import Marks, Meaning, Senseless, Telling, meanings_of, without_marks
from adapters.onestop_wso2.wire import Wire, beyond
from gateway.core.dossiers.again import is_restated, origin_again
from gateway.core.dossiers.code import check_own
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.order import AHEAD
from gateway.core.dossiers.statuses import ours
from gateway.core.faults import Text
from gateway.core.forms import read_moment, write_moment
from gateway.core.handover import Collected, CollectedFile
from gateway.core.moments import VIET_NAM, format_moment
from gateway.core.rule import copied
from gateway.core.wire_record import Shape, canonical_bytes, name_in, tidied

_VIET_NAM: Final = timedelta(hours=7)
_PROVINCE: Final = re.compile(r"(?:\d{3}\.\d{2}\.\d{2}\.)?([A-Y]\d{2})(?![A-Z0-9])", re.ASCII)
#: A moment as .NET writes it: without an offset it is Viet Nam's.
_LOCAL: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?\Z", re.ASCII)
_MOST_EXT: Final = 64 << 10
#: Lists of a document: what an entry must have to say anything.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "DocFees": ("FeeName", "Price"),
    "DocPapers": ("PaperName",),
    "Supplementaries": ("SupplementaryId", "SendComment", "SendDate"),
}
_PERCENTS: Final = ("SolvedInTimePercent", "SolvedLatePercent", "PendingPercent", "PendingLatePercent")


@dataclass(frozen=True, slots=True)
class Terms:
    """How items of one system are read: its name, the own province, what its messages are for and to whom they go."""

    system: str
    agency: str
    province: str
    purpose: str
    to: tuple[str, ...] = ()


def province_of(code: str) -> str:
    """The level-1 part of an agency's code in either form; empty where there is none."""
    match = _PROVINCE.match(code.strip().upper())
    return match.group(1) if match else ""


class Reader:
    """Reads what one system brings."""

    def __init__(
        self, terms: Terms, wire: Wire, known: Callable[[str], Awaitable[Dossier | None]], now: Callable[[], float]
    ) -> None:
        """``known`` says what is known of a dossier."""
        self._terms = terms
        self._wire = wire
        self._known = known
        self._now = now

    async def document(self, said: Mapping[str, Any], files: Mapping[int, CollectedFile]) -> tuple[Collected, ...]:
        """A MSyncDocument, which makes one message or more; ``files`` by the positions of their papers.

        Raises Senseless. The same document makes the same ids and the same origins; but where it has no moment of its
        own, others once its office told another step in between: then it says that the dossier came back.
        """
        more = beyond(said, self._wire.document)
        item, warnings = self._tidied(marked(said), self._wire.document)
        code = self._code(item)
        digests = placed(item, files)
        marks = Marks.of(said)
        origin = _origin({"document": item, "more": without_marks(more), "marks": marks.words, "files": digests})
        _mend(item, warnings)
        for name in ("DocTypeCode", "CitizenName"):
            if name not in item:
                raise Senseless(_missing(name))
        if not {"OrganInchargeIdLevel1", "OrganInchargeName"} & set(item):
            item["OrganInchargeIdLevel1"] = self._terms.agency
        known = await self._known(code)
        told = {step.told.message.lower() for step in known.steps} if known is not None else set()
        telling = Telling(
            self._terms.agency,
            restates=self._restates(item, known),
            is_here=lambda reference: self._id(_of_entry(origin, reference)) in told,
        )
        said_of = []
        for meaning in meanings_of(item, marks, known, telling):
            own = origin
            if (entry := meaning.extra.get("@supplement")) is not None:
                own = _of_entry(origin, str(entry["SupplementaryId"]))
            elif self._since(item, meaning) is None:
                # Waiting for payment is a word that this software does not have: others' waits are not its to end.
                own = origin_again(origin, known, self._terms.agency, self._id, heeds_others=False)
            beside = beyond(said, self._wire.registered) if meaning.kind == "registered" else more
            extra = {
                **meaning.extra, "@status": meaning.status, "@told": marks.told, "@at": self._at(item, meaning, known),
                **_ext(beside, warnings),
            }  # fmt: skip
            data = self._wire.rules[meaning.kind].apply(copied({**item, **extra}))
            event = self._event(f"dossier.{meaning.kind}", meaning.version, code, data, own)
            named = {file.sha256: file for file in files.values()} if meaning.kind == "registered" else {}
            said_of.append(Collected(code, event, own, tuple(named.values()), tuple(warnings)))
        return tuple(said_of)

    def _restates(self, item: Mapping[str, Any], known: Dossier | None) -> bool:
        """Whether a document says of a dossier that its agency answers for what a step cannot say."""
        if known is None or known.lead != self._terms.agency:
            return False
        return is_restated(self._wire.rules["registered"].apply(copied(dict(item))), known, self._terms.agency)

    async def trace(self, said: Mapping[str, Any]) -> Collected:
        """A MDocumentTraces; raises Senseless."""
        more = beyond(said, self._wire.trace)
        item, warnings = self._tidied(said, self._wire.trace)
        code = self._code(item)
        told = str(name_in(said, "Status") or "").strip()
        status = ours("wso2", told)
        if status is None:
            raise Senseless(_NO_STATUS)
        if "DateCreated" not in item:
            raise Senseless(_missing("DateCreated"))
        origin = _origin({"trace": item, "status": told, "more": without_marks(more)})
        extra = {"@status": status, "@told": told, **_ext(more, warnings)}
        data = self._wire.rules["trace"].apply({**item, **extra})
        return Collected(
            code, self._event("dossier.progressed", "1.0", code, data, origin), origin, (), tuple(warnings)
        )

    async def statistic(self, said: Mapping[str, Any]) -> Collected:
        """A MStatistic; raises Senseless."""
        more = beyond(said, self._wire.statistic)
        item, warnings = self._tidied(said, self._wire.statistic)
        for name in ("Month", "Year"):
            if name not in item:
                raise Senseless(_missing(name))
        origin = _origin({"statistic": item, "more": more})
        for name in _PERCENTS:
            if name in item:
                item[name] = _number(item[name], name)
        subject = f"{self._terms.agency}:{item['Year']}-{item['Month'].zfill(2)}"
        named = {} if "OrganizationInchargeName" in item else {"@agency": self._terms.agency}
        data = self._wire.rules["statistic"].apply({**item, **named, **_ext(more, warnings)})
        event = self._event("statistics.monthly", "1.0", subject[:256], data, origin)
        # Figures are nobody's personal data: they need no purpose, and may stand under an agreement of their own.
        del event["purpose"]
        return Collected(subject, event, origin, (), tuple(warnings))

    def _tidied(self, said: Mapping[str, Any], shape: Shape) -> tuple[dict[str, Any], list[Text]]:
        tidy = tidied(_localised(said) if self._wire.form == "iso-date-time" else said, shape)
        if tidy.faults:
            raise Senseless(
                Text(". ".join(each.vi for each in tidy.faults), ". ".join(each.en for each in tidy.faults))
            )
        return tidy.record, list(tidy.warnings)

    def _code(self, item: Mapping[str, Any]) -> str:
        code = str(item.get("DocCode", ""))
        fault = check_own(code, self._is_ours)
        if fault is not None:
            raise Senseless(fault)
        return code

    def _is_ours(self, agency: str) -> bool:
        return bool(self._terms.province) and province_of(agency) == self._terms.province

    def _since(self, item: Mapping[str, Any], meaning: Meaning) -> str | None:
        """Since when the status holds, where the item says a moment that can be read; to the second, with offset."""
        since = meaning.extra.get("@since") or next((item[name] for name in meaning.since if name in item), None)
        moment = None if since is None else read_moment(since, self._wire.form, _VIET_NAM)
        return None if moment is None else write_moment(moment, "iso-date-time", _VIET_NAM)

    def _at(self, item: Mapping[str, Any], meaning: Meaning, known: Dossier | None) -> str:
        """Since when the status holds: as the item says; where it says nothing, since now, when it was told.

        That is after what is known, also where whoever said that has a clock a little ahead.
        """
        if (since := self._since(item, meaning)) is not None:
            return since
        now = self._now()
        stands_since = None if known is None else known.status_at
        if stands_since is not None and now - 0.001 < stands_since < now + AHEAD:
            now = stands_since + 0.002
        return datetime.fromtimestamp(now, VIET_NAM).isoformat(timespec="milliseconds")

    def _id(self, origin: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:lgsp:onestop_wso2:{self._terms.system}:{origin}"))

    def _event(self, kind: str, version: str, subject: str, data: Any, origin: str) -> dict[str, Any]:
        event = {
            "specversion": "1.0",
            "id": self._id(origin),
            "type": kind,
            "dataschema": f"urn:lgsp:contract:{kind}:{version}",
            "subject": subject,
            "time": format_moment(self._now()),
            "datacontenttype": "application/json",
            "purpose": self._terms.purpose,
            "data": data,
        }
        return {**event, "to": " ".join(self._terms.to)} if self._terms.to else event


def _of_entry(origin: str, reference: str) -> str:
    """The origin of what a document says of one supplement: it may bring several."""
    return hashlib.sha256(f"{origin} {reference}".encode()).hexdigest()


def _origin(made_of: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_bytes(made_of)).hexdigest()


def _mend(item: dict[str, Any], warnings: list[Text]) -> None:
    """Entries that say nothing are left out, with a word."""
    for name, needed in _NEEDED.items():
        kept = [entry for entry in item.get(name, ()) if all(each in entry for each in needed)]
        if name in item and len(kept) < len(item[name]):
            told = ", ".join(needed)
            warnings.append(
                Text(f"{name}: đã bỏ mục thiếu {told}", f"{name}: an entry without all of {told} is left out")
            )
            item[name] = kept
        if not kept:
            item.pop(name, None)


def _ext(more: Mapping[str, Any], warnings: list[Text]) -> dict[str, Any]:
    # The mark itself is read, though by no rule.
    more = {name: value for name, value in more.items() if name.casefold() != "status"}
    if len(canonical_bytes(more)) > _MOST_EXT:
        warnings.append(Text("Thành phần lạ quá lớn: đã bỏ", "Unknown members of this size are left out"))
        return {}
    return {"@ext": more} if more else {}


def _localised(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _localised(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_localised(each) for each in value]
    match = _LOCAL.match(value) if isinstance(value, str) else None
    return f"{match.group(1)}+07:00" if match else value


def _number(text: str, name: str) -> int | float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1e6:
        raise Senseless(
            Text(
                f"{name} phải là số. Phần mềm một cửa cần sửa rồi gửi lại.",
                f"{name} must be a number. The one-stop software must mend it and send again.",
            )
        )
    return int(number) if number.is_integer() else number


def _missing(name: str) -> Text:
    return Text(
        f"Thiếu {name}. Phần mềm một cửa cần điền rồi gửi lại.",
        f"{name} is absent. The one-stop software must fill it in and send again.",
    )


_NO_STATUS: Final = Text(
    "Status phải là 1 (đang xử lý) hoặc 2 (đã phát hành). Phần mềm một cửa cần sửa rồi gửi lại.",
    "Status must be 1 (processing) or 2 (released). The one-stop software must mend it and send again.",
)
