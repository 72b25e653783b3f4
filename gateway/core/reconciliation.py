"""Daily manifests: which messages the bus and a system each say that passed between them, and where they differ.

A day is a day in Viet Nam. What a system *sent* belongs to the day on which the bus accepted it, what it *received* to
the day on which the bus handed it over. The root of a manifest is a Merkle tree hash (RFC 9162) over its lines in
rising order of ids, so that two equal days are one comparison of 32 bytes, and any range of ids has its own root.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple, get_args

from gateway.core.faults import Text
from gateway.core.merkle import Tree
from gateway.core.moments import VIET_NAM

#: Seen from the system: what it handed to the bus, what the bus handed to it.
Direction = Literal["sent", "received"]
Side = Literal["bus", "system"]
#: What a line of a manifest holds: the id alone, or the id and the digest of the envelope.
Form = Literal["ids", "digests"]
#: ``lost``: handed over, no trace at the receiver. ``unknown``: at the receiver, never sent by the bus. ``unarrived``:
#: sent by the system, no trace at the bus. ``unsaid``: accepted by the bus, the system does not list it. ``altered``:
#: the same id with other bytes. ``unprocessed``: handed over, never dealt with within the contract's time.
#: ``unexplained``: the roots differ and the ids that were given do not say why.
Kind = Literal["lost", "unknown", "unarrived", "unsaid", "altered", "unprocessed", "unexplained"]

DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
FORMS: Final[tuple[Form, ...]] = get_args(Form)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: Parts into which a range of ids is cut, and ids of a part that is told whole.
PARTS: Final = 16
WHOLE_PART: Final = 64
#: Two clocks may disagree by this about which day it was (seconds).
EDGE: Final = 600.0
LONGEST_ID: Final = 200

_DIGEST: Final = re.compile(r"(?:sha-256:)?([0-9a-f]{64})\Z")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)

#: What each kind means, and who does what about it.
MEANINGS: Final[Mapping[Kind, Text]] = {
    "lost": Text(
        "đã chuyển, bên nhận không có: người vận hành gửi lại bằng replay-missing",
        "handed over, no trace at the receiver: the operator sends it again with replay-missing",
    ),
    "unknown": Text(
        "bên nhận có, trục chưa từng gửi: bên nhận kiểm tra nguồn của thông điệp này",
        "at the receiver, never sent by the bus: the receiver finds out where it came from",
    ),
    "unarrived": Text(
        "bên gửi đã gửi, trục không có: bên gửi gửi lại với đúng mã cũ",
        "sent, no trace at the bus: the sender sends it again under the same id",
    ),
    "unsaid": Text(
        "trục đã tiếp nhận, bên gửi không ghi là đã gửi: bên gửi kiểm tra nhật ký và khoá ký của mình",
        "accepted by the bus, not listed by its sender: the sender checks its log and its signing key",
    ),
    "altered": Text(
        "cùng mã nhưng nội dung khác nhau: hai bên so sánh bản đã ký",
        "the same id with other bytes: both sides compare the signed originals",
    ),
    "unprocessed": Text(
        "đã chuyển nhưng quá hạn chưa được xử lý: cơ quan nhận xử lý và phản hồi",
        "handed over but not dealt with in time: the receiving agency deals with it and answers",
    ),
    "unexplained": Text(
        "hai bản kê khác nhau, mã đã khai chưa đủ giải thích: hệ thống gửi danh sách mã đầy đủ",
        "the manifests differ and the ids given do not say why: the system gives all of its ids",
    ),
}


class Section(NamedTuple):
    """One manifest: a day, a system, a direction and a contract."""

    day: date
    system: str
    direction: Direction
    contract: str


class Line(NamedTuple):
    """One message of a manifest. ``digest``: hex SHA-256 of its envelope, empty where not known.

    ``delivery``: by which the bus handed it over; ``proven``: whether the receiver's own receipt came with it.
    """

    id: str
    digest: str = ""
    at: float = 0.0
    delivery: str = ""
    proven: bool = False

    def leaf(self, form: Form) -> bytes:
        """The bytes that the tree hashes: the id, and behind a line feed the digest."""
        return self.id.encode() if form == "ids" else f"{self.id}\n{self.digest}".encode()


@dataclass(frozen=True, slots=True)
class Part:
    """The ids from ``start`` on and before ``until`` (empty: no bound): how many, and their root in hex."""

    start: str
    until: str
    count: int
    root: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What one side says of a section. ``covers``: ranges of ids that it named one by one; ``("", "")`` is all."""

    section: Section
    side: Side
    form: Form
    count: int
    root: str
    said_at: float
    covers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A difference that was found. ``at``: when it passed, by the side that has it; ``operation``: sends it again."""

    section: Section
    kind: Kind
    id: str
    found_at: float
    at: float = 0.0
    delivery: str = ""
    ended_at: float | None = None
    operation: str | None = None


def summary_of(
    section: Section, side: Side, lines: Iterable[Line], *, form: Form = "digests", said_at: float = 0.0
) -> Summary:
    """The summary of lines in rising order of ids."""
    tree = Tree()
    for line in lines:
        tree.add(line.leaf(form))
    return Summary(section, side, form, tree.count, tree.root().hex(), said_at, (("", ""),))


@dataclass(slots=True)
class Parts:
    """Cuts a range into parts of ``size`` lines while they pass by in order; empty bounds are the range's own."""

    start: str
    until: str
    size: int
    form: Form
    done: list[Part]
    _tree: Tree
    _from: str

    @classmethod
    def of(cls, count: int, form: Form, start: str = "", until: str = "") -> Parts:
        """For a range of about ``count`` lines."""
        return cls(start, until, max(1, -(-count // PARTS)), form, [], Tree(), start)

    def add(self, line: Line) -> None:
        """The next line."""
        if self._tree.count >= self.size and len(self.done) < PARTS - 1:
            self.done.append(Part(self._from, line.id, self._tree.count, self._tree.root().hex()))
            self._tree, self._from = Tree(), line.id
        self._tree.add(line.leaf(self.form))

    def all(self) -> tuple[Part, ...]:
        """Every part, when the last line has passed; together they hold each id of the range once."""
        return (*self.done, Part(self._from, self.until, self._tree.count, self._tree.root().hex()))


def within(id_: str, start: str, until: str) -> bool:
    """Whether an id is in a range."""
    return start <= id_ and (not until or id_ < until)


def is_covered(id_: str, covers: Iterable[tuple[str, str]]) -> bool:
    """Whether an id lies in any of the ranges."""
    return any(within(id_, start, until) for start, until in covers)


def bounds_of(day: date) -> tuple[float, float]:
    """The moments at which a day in Viet Nam begins and ends (not included)."""
    start = datetime.combine(day, time(), VIET_NAM)
    return start.timestamp(), (start + timedelta(days=1)).timestamp()


def read_day(text: str) -> date | None:
    """``YYYY-MM-DD``; None where it is none."""
    try:
        return date.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        return None


def read_id(text: str) -> str | None:
    """An id as manifests have it: small letters, nothing around it; None where it is none."""
    found = text.strip().lower()
    return found if 0 < len(found) <= LONGEST_ID and found.isprintable() else None


def read_digest(text: str) -> str | None:
    """Hex SHA-256, with or without ``sha-256:``; empty where not given; None where it is none."""
    text = text.strip().lower()
    match = _DIGEST.match(text)
    return match[1] if match else (None if text else "")
