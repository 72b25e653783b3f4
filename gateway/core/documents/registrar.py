"""The line that a message gets in the register of documents: read from its data by today's directory. Pure.

Data is read as the contracts document.issued and document.status have it, versions 1.x and 2.x; a message of any other
contract, or of a major that is not known here, gets no line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.core.directory import Directory
from gateway.core.documents.entry import DocumentEntry, EntryKind, Obligation
from gateway.core.documents.inward import DOCUMENT, STATUS_REPORT
from gateway.core.documents.key import Canonical, document_key, issuer_in, made_key, plain_text
from gateway.core.edxml.codelist import REPORTED_BY_SENDER
from gateway.core.envelope import Event
from gateway.core.moments import day_of, parse_moment
from gateway.core.routing import Route

#: What the recipients of a document owe, by the rules that are in force: (the line, the event, now) -> obligations.
Obligations = Callable[[DocumentEntry, Event, float], tuple[Obligation, ...]]

_KINDS: Final[tuple[EntryKind, ...]] = ("new", "recall", "update", "replace")
_NOTHING: Final[Mapping[str, Any]] = {}


def no_obligations(_: DocumentEntry, __: Event, ___: float) -> tuple[Obligation, ...]:
    """Nobody owes anything."""
    return ()


@dataclass(frozen=True, slots=True)
class Registrar:
    """Writes lines. ``obligations`` is asked for each line that is no status."""

    obligations: Obligations = no_obligations

    def line(self, event: Event, routes: Sequence[Route], directory: Directory, now: float) -> DocumentEntry | None:
        """The line of an accepted event; None where it does not speak of a document.

        ``routes`` say to whom it goes where ``to`` does not.
        """
        if event.type == DOCUMENT:
            entry = _document(event, _recipients(event, routes, directory, now), directory, now)
            # What nobody vouches for binds nobody.
            owed = self.obligations(entry, event, now) if entry is not None and entry.is_vouched else ()
            return replace(entry, obligations=owed) if entry is not None and owed else entry
        if event.type == STATUS_REPORT:
            return _status(event, _recipients(event, routes, directory, now), directory, now)
        return None


def canonical_by(directory: Directory) -> Canonical:
    """Canonical codes by this directory; a code in small letters means the one in capitals where only that is known."""

    def canonical(code: str) -> str:
        agency = directory.agency(code) or directory.agency(code.upper())
        return code if agency is None else agency.code

    return canonical


def agency_of(name: str, directory: Directory, now: float) -> str:
    """The code of the agency that a name in ``to`` means today: of a closed code, its successor's.

    What the directory does not know stands as written.
    """
    return _living(name.partition("/")[0], directory, now)


def may_speak_for(source: str, speaker: str, directory: Directory, now: float) -> bool:
    """Whether what system ``source`` tells of agency ``speaker`` is to be believed: data may name anybody.

    Its own system may, that of an agency above it, the one that carries for it, and every line to a wider network
    (``Directory.lines``): what comes there is of agencies that no directory may know, or of our own by a second way.
    """
    code = source.partition("/")[0]
    if code == speaker:
        return True
    own, living = _living(code, directory, now), _living(speaker, directory, now)
    if own == living or own in directory.naming.above(living, day_of(now)):
        return True
    system = directory.system(source)
    if system is None or system.name in directory.lines:
        return system is not None
    if system.name not in directory.carriers:
        return False
    agencies = directory.agency(speaker), directory.agency(living)
    return any(agency is not None and directory.carrier(agency) is system for agency in agencies)


def _living(code: str, directory: Directory, now: float) -> str:
    agency = directory.agency(code)
    if agency is None:
        return code
    if agency.closed is None:
        return agency.code
    heir = directory.recipient(code, day_of(now))
    return agency.code if heir is None else heir.code


def _recipients(event: Event, routes: Sequence[Route], directory: Directory, now: float) -> tuple[str, ...]:
    """The agencies addressed, each once: those named, whoever carries it to them; else those it goes to."""
    if event.to is None:
        return tuple(dict.fromkeys([route.system.agency for route in routes]))
    return tuple(dict.fromkeys([agency_of(name, directory, now) for name in event.to]))


def _issuer(organ: str, written: str, directory: Directory, now: float) -> str:
    """Whose document it is: the agency that its id names, where ``organ`` stands in that one's place by now.

    So what a closed agency issued stays one document when its successor changes it, or is answered for it.
    """
    canonical = canonical_by(directory)
    code = canonical(organ)
    if written.startswith(f"{organ},"):  # as nearly always
        return code
    named = issuer_in(written)
    first = code if named is None else canonical(named)
    return first if first != code and _living(first, directory, now) == _living(code, directory, now) else code


def _document(event: Event, recipients: tuple[str, ...], directory: Directory, now: float) -> DocumentEntry | None:
    canonical = canonical_by(directory)
    data: Mapping[str, Any] = event.data
    if event.version.startswith("2."):
        business: Mapping[str, Any] = data["business"]
        kind: EntryKind = business["type"]
        organ, day = data["from"]["organId"], data.get("promulgation", _NOTHING).get("date")
        about = [business.get("documentId"), *(each.get("documentId") for each in business.get("replaces", ()))]
        reason = business.get("reason", "")
        digests = [each["file"]["sha256"] for each in data.get("attachments", ())]
    elif event.version.startswith("1."):
        kind = _KINDS[int(data.get("businessType", 0))]
        organ, day = data["issuingOrganId"], data.get("issuedOn")
        about, reason = [data.get("concerns")], data.get("reason", "")
        digests = [each["sha256"] for each in data.get("files", ())]
    else:
        return None
    written = data["documentId"]
    issuer = _issuer(organ, written, directory, now)
    key = document_key(written, canonical)
    concerned: tuple[str, ...] = ()
    if kind != "new":
        concerned = tuple(dict.fromkeys([document_key(one, canonical) for one in about if one])) or (key,)
    return DocumentEntry(
        kind=kind,
        key=key,
        issuer=issuer,
        reporter=issuer,
        recipients=recipients,
        concerned=concerned,
        issued_on=day,
        fingerprint=_fingerprint([issuer, key, kind, *concerned], [data["subject"], reason], digests),
        document=written,
        is_vouched=may_speak_for(event.source, issuer, directory, now),
    )


def _fingerprint(names: Sequence[str], texts: Iterable[str], digests: Iterable[str]) -> str:
    """What makes it the same document on every way: not the file that carries it, which each hop writes anew.

    Texts are part of it because a correction may change nothing else.
    """
    parts = [*names, *[plain_text(text) for text in texts], *sorted(digests)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _status(event: Event, recipients: tuple[str, ...], directory: Directory, now: float) -> DocumentEntry | None:
    canonical = canonical_by(directory)
    data: Mapping[str, Any] = event.data
    if event.version.startswith("2."):
        status: Mapping[str, Any] = data["status"]
        code, timestamp = status["code"], status["timestamp"]
        earlier = tuple([(one["code"], parse_moment(one["timestamp"])) for one in data.get("history", ())])
    elif event.version.startswith("1."):
        code, timestamp, earlier = data["statusCode"], data["timestamp"], ()
    else:
        return None
    about: Mapping[str, Any] = data["responseFor"]
    written = about.get("documentId") or ""
    teller = canonical(data["from"]["organId"])
    organ = about.get("organId") or issuer_in(written)
    issuer = _issuer(organ, written, directory, now) if organ else next(iter(recipients), "")
    reporter = _living(teller, directory, now)
    if code in REPORTED_BY_SENDER:  # the other way round: the issuer tells a receiver
        issuer = reporter = _issuer(teller, written, directory, now)
    elif teller == issuer:
        reporter = issuer
    day, number = about.get("promulgationDate"), about.get("code")
    return DocumentEntry(
        kind="status",
        key=document_key(written, canonical) if written else made_key(issuer, day, number, canonical),
        issuer=issuer,
        # Whose code was closed reports as its successor, to which documents go by now.
        reporter=reporter,
        recipients=recipients,
        code=code,
        said_at=parse_moment(timestamp),
        issued_on=day,
        document=written or (number or ""),
        earlier=earlier,
        is_vouched=may_speak_for(event.source, reporter, directory, now),
        stands_for=directory.naming.selves(teller, day_of(now)),
    )
