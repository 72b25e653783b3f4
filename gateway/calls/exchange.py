"""Documents exchanged with a place that keeps a list of what waits: each flavour of such a place says how, this when.

Out: a document that may have been sent already is looked for before it is sent again. In: the list is asked at a
polite pace, for documents and for statuses; each item is fetched, handed out, and handed out again until settled.
One item that cannot be fetched stops no other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Literal, Protocol, Self, TypeVar

from gateway.calls.address import check_url
from gateway.calls.caller import AnswerTooLarge
from gateway.calls.lasting import Lasting
from gateway.core.codes import form_of
from gateway.core.content import Content, InMemory, NewSink
from gateway.core.directory import System
from gateway.core.documents.item import Sender, collected
from gateway.core.documents.letter import Letter, MessageKind, letter_of
from gateway.core.documents.outgoing import Outgoing
from gateway.core.documents.rejection import Answered, answered, rejection
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, ResponseFor, Unreadable, Unwritable
from gateway.core.faults import DeliveryFailure, PermanentFailure, Text, TransientFailure
from gateway.core.handover import Collected, HandedOver, Parcel, Uncollectable
from gateway.core.moments import parse_moment

_KINDS: Final[tuple[MessageKind, MessageKind]] = ("edoc", "status")
#: A round of fetching ends after so many seconds, or bytes.
_ROUND_SECONDS: Final = 20.0
_ROUND_BYTES: Final = 64 << 20
#: Deliveries in doubt, items handed out and refusals told that are remembered.
_REMEMBERED: Final = 10_000
#: An item whose content cannot be taken out of the answer this often is given up.
_STRIKES: Final = 3
_LONGEST_ID: Final = 100

_MEBIBYTE: Final = 1 << 20

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Listed:
    """An item that waits: its id over there, for whom and from whom as the list says, empty where it does not."""

    kind: MessageKind
    id: str
    receiver: str = ""
    sender: str = ""

    @property
    def token(self) -> str:
        """The bus' name for it."""
        return f"{self.kind}|{self.id}|{self.receiver}|{self.sender}"

    @classmethod
    def of(cls, token: str) -> Listed | None:
        """The item behind a token; None for anything else."""
        kind, *rest = token.split("|")
        if kind not in _KINDS or len(rest) != 3 or not rest[0]:
            return None
        return cls("edoc" if kind == "edoc" else "status", *rest)


class Undecodable(Exception):
    """The far side answers, but what it gives as the item's content is none: absent, or no base64."""


class Place(Protocol):
    """How one flavour says it. Each raises what the adapters' port lets ``deliver`` raise."""

    async def send(self, letter: Letter, parcel: Parcel) -> str | None:
        """Post it; the far side's name for it, where it gave one."""

    async def find(self, letter: Letter, since: float) -> str | None:
        """The far side's name for what was sent since a moment; None: it is not there, or cannot be asked."""

    async def listed(self, kind: MessageKind) -> Sequence[Listed]:
        """What waits there, oldest first."""

    async def fetch(self, item: Listed) -> Content:
        """The .edxml file of an item; raises Undecodable."""

    async def report(self, raw: bytes, item: Listed) -> None:
        """Post a status about an item that is refused."""

    async def settle(self, item: Listed, *, is_taken: bool) -> None:
        """Tell that the item was taken, or never will be; safe to repeat."""

    def agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        """The agencies that are listed there, as ``Exchange.fetch_agencies`` gives them."""

    async def close(self) -> None:
        """Close the kept connections."""


class Given(Protocol):
    """What an exchange needs of all that an adapter is given."""

    @property
    def system(self) -> System:
        """Whose adapter it is."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """``url``, ``confidentiality``, ``receivers``, ``poll_seconds``, ``tell_refusals``, ``max_mebibytes``."""

    @property
    def open_file(self) -> Callable[[str], BinaryIO]:
        """A file that a message names."""

    @property
    def now(self) -> Callable[[], float]:
        """Seconds since 1970."""

    @property
    def new_sink(self) -> NewSink:
        """Where what is fetched goes."""


_Hands = TypeVar("_Hands", bound=Given)


@dataclass(frozen=True, slots=True)
class Terms:
    """How an exchange goes.

    ``sender``: whose channel, its declaration and limits. ``agency``: the agency whose system it is. ``receivers``:
    codes that the account receives for where the list does not say it. ``every``: seconds between two looks at the
    list. ``seeks``: whether statuses are looked for, too, before they are sent again (only where the place compares
    content). ``tells``: whether a refusal goes back to the document's sender as status 02.
    """

    sender: Sender
    agency: str
    receivers: tuple[str, ...] = ()
    every: float = 300.0
    tells: bool = True
    seeks: Literal["new", "all"] = "new"


class Exchange:
    """One account at one place."""

    def __init__(
        self, place: Place, terms: Terms, outgoing: Outgoing, now: Callable[[], float], new_sink: NewSink
    ) -> None:
        """``now`` is seconds since 1970."""
        self._place = place
        self._terms = terms
        self._outgoing = outgoing
        self._now = now
        self._new_sink = new_sink
        self._lasting = Lasting()
        self._doubts: OrderedDict[str, float] = OrderedDict()
        self._queue: deque[Listed] = deque()
        self._next_look = 0.0
        self._strikes: OrderedDict[str, int] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._trouble: DeliveryFailure | None = None

    @classmethod
    def opened(
        cls, hands: _Hands, place: Callable[[_Hands, int], Place], *, seeks: Literal["new", "all"] = "new"
    ) -> Self:
        """The exchange that a system's settings describe; ``place`` is told how many bytes a file may have.

        Raises Misconfigured where the address cannot be one.
        """
        system, settings = hands.system, hands.settings
        check_url(str(settings["url"]), f"{system.name}: settings.url")
        limits = Limits(size=int(settings.get("max_mebibytes", 64)) * _MEBIBYTE)
        terms = Terms(
            Sender(system.name, settings.get("confidentiality") == "none", limits),
            system.agency,
            receivers=tuple(settings.get("receivers", ())),
            every=float(settings.get("poll_seconds", 300)),
            tells=bool(settings.get("tell_refusals", True)),
            seeks=seeks,
        )
        outgoing = Outgoing(hands.open_file, limits, hands.new_sink)
        return cls(place(hands, limits.size), terms, outgoing, hands.now, hands.new_sink)

    def fetch_agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        """The agencies that the place lists: ``code``, ``name``, ``parent`` (a code), ``aliases``, ``level``.

        Raises as ``deliver`` does.
        """
        return self._place.agencies()

    # -------------------------------------------------------------------------------------------------- out

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Post one message, unless an attempt whose answer was lost did so already, or it came from this place."""
        if parcel.event.get("source") == parcel.recipient.name:
            if parcel.carried:
                raise PermanentFailure("what came from there is not sent back there: the directory must be mended")
            return HandedOver(reference="it came from there")
        return await self._lasting.of(parcel.delivery, lambda: self._deliver(parcel))

    async def _deliver(self, parcel: Parcel) -> HandedOver:
        letter = await asyncio.to_thread(letter_of, parcel, self._outgoing, self._terms.sender.limits, self._new_sink)
        since = self._in_doubt_since(parcel)
        if since is not None and (letter.is_new or self._terms.seeks == "all"):
            # An update, a recall and a status bear the id of another message: where only ids can be compared,
            # finding one would prove nothing. Such a message is sent again, which does no harm.
            found = await self._place.find(letter, since)
            if found is not None:
                self._doubts.pop(parcel.delivery, None)
                return HandedOver(200, reference=f"{found} (found there)")
        # Before it is sent: who is stopped in the middle does not know either.
        _remember(self._doubts, parcel.delivery, self._doubts.get(parcel.delivery, self._now()))
        try:
            reference = await self._place.send(letter, parcel)
        except PermanentFailure:
            self._doubts.pop(parcel.delivery, None)
            raise
        self._doubts.pop(parcel.delivery, None)
        known = None if reference is None else reference[:_LONGEST_ID]
        return HandedOver(200, reference=known, content=letter.content)

    def _in_doubt_since(self, parcel: Parcel) -> float | None:
        """Since when this delivery may have been sent; the message's own time where another process knew better."""
        known = self._doubts.get(parcel.delivery)
        if known is not None or not parcel.may_have_arrived:
            return known
        return parse_moment(str(parcel.event.get("time"))) or 0.0

    # --------------------------------------------------------------------------------------------------- in

    async def collect(self, limit: int) -> list[Collected | Uncollectable]:
        """Items that wait, oldest first; raises what the list raises. Between two looks there are none."""
        if not self._queue:
            self._complain()
            if self._now() < self._next_look:
                return []
            self._queue = await self._look()
            self._next_look = self._now() + self._terms.every
        found: list[Collected | Uncollectable] = []
        loop = asyncio.get_running_loop()
        end, taken = loop.time() + _ROUND_SECONDS, 0
        while self._queue and len(found) < limit and loop.time() < end and taken < _ROUND_BYTES:
            item = self._queue.popleft()
            try:
                one = await self._one(item)
            except DeliveryFailure as failure:
                self._trouble = failure
                continue
            except Exception as error:  # noqa: BLE001 - what was fetched before it must not be lost with it
                self._trouble = TransientFailure(f"item {item.id}: unforeseen {type(error).__name__}")
                continue
            if one is not None:
                found.append(one)
                taken += sum(file.size for file in one.files) if isinstance(one, Collected) else 0
        if not found and not self._queue:
            self._complain()
        return found

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Tell the place; a refused document goes back to its sender as a status first. Other tokens are nobody's."""
        item = Listed.of(token)
        if item is None:
            return
        if refusal is not None and self._terms.tells and item.kind == "edoc" and token not in self._told:
            await self._tell(item, *refusal)
            _remember(self._told, token, None)
        await self._place.settle(item, is_taken=refusal is None)
        self._strikes.pop(token, None)

    async def close(self) -> None:
        """Stop what is under way and close the kept connections."""
        await self._lasting.close()
        await self._place.close()

    def _complain(self) -> None:
        """What could not be fetched is told once the rest was handed out."""
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble

    async def _look(self) -> deque[Listed]:
        """Both lists; an item that is listed twice counts once."""
        items: list[Listed] = []
        troubles: list[DeliveryFailure] = []
        for kind in _KINDS:
            try:
                items += await self._place.listed(kind)
            except DeliveryFailure as failure:
                # One list that is broken must not hold up the other.
                troubles.append(failure)
        if len(troubles) == len(_KINDS):
            raise troubles[0]
        self._trouble = troubles[0] if troubles else None
        return deque({item.token: item for item in items if _is_sound(item)}.values())

    async def _one(self, item: Listed) -> Collected | Uncollectable | None:
        try:
            raw = await self._place.fetch(item)
        except AnswerTooLarge:
            return Uncollectable(item.token, "too-large", _TOO_LARGE)
        except Undecodable as error:
            strikes = self._strikes.get(item.token, 0) + 1
            _remember(self._strikes, item.token, strikes)
            if strikes < _STRIKES:
                raise TransientFailure(f"the content of item {item.id} cannot be read: {error}") from None
            return Uncollectable(item.token, "undecodable-content", _UNDECODABLE)
        return await asyncio.to_thread(self._read, item, raw)

    def _read(self, item: Listed, raw: Content) -> Collected | Uncollectable:
        to = self._receivers(item, raw)
        identity = f"{item.id}:{item.receiver}"
        return collected(
            raw, name=f"{item.id}.edxml", token=item.token, sender=self._terms.sender, now=self._now(),
            to=to if item.kind == "edoc" else None, identity=identity, new_sink=self._new_sink,
        )  # fmt: skip

    def _receivers(self, item: Listed, raw: Content) -> tuple[str, ...] | None:
        """For whom the item is: as listed, unless that is a connection centre; else ours among those it names.

        None where several are ours and it names none of them as we write them: then whoever it names.
        """
        if item.receiver and form_of(item.receiver) != "centre" and not item.receiver.endswith("W00"):
            return (item.receiver,)
        ours = self._terms.receivers or (self._terms.agency,)
        try:
            message = read(raw, self._terms.sender.limits, self._new_sink)
        except Unreadable:
            return ours[:1]
        named = [each.organ_id for each in message.recipients] if isinstance(message, DocumentMessage) else []
        return tuple(code for code in ours if code in named) or (ours if len(ours) == 1 else None)

    async def _tell(self, item: Listed, reason: str, detail: Text) -> None:
        about = await self._about(item)
        try:
            raw = rejection(about, reason, detail, self._now())
        except Unwritable:
            raw = rejection(about, reason, _NO_WORDS, self._now())
        await self._place.report(raw, item)

    async def _about(self, item: Listed) -> Answered:
        """What a refusal is about: the document, or as much of it as the list says."""
        receiver = item.receiver or (self._terms.receivers or (self._terms.agency,))[0]
        try:
            raw = await self._place.fetch(item)
        except (DeliveryFailure, Undecodable):
            raw = InMemory(b"")
        limits = self._terms.sender.limits
        found = await asyncio.to_thread(answered, raw, receiver, limits, self._new_sink)
        return found or Answered(receiver, ResponseFor(item.sender or receiver, None, item.id))


def _is_sound(item: Listed) -> bool:
    """Whether the list's words can be names at all."""
    return bool(item.id) and not any(
        len(each) > _LONGEST_ID or "|" in each or not each.isprintable()
        for each in (item.id, item.receiver, item.sender)
    )


def _remember(where: OrderedDict[str, _Value], key: str, value: _Value) -> None:
    where[key] = value
    where.move_to_end(key)
    if len(where) > _REMEMBERED:
        where.popitem(last=False)


_UNDECODABLE: Final = Text(
    "Trục liên thông bên kia liệt kê văn bản này nhưng nhiều lần không trả được nội dung giải mã được. Nơi gửi cần gửi"
    " lại, hoặc đơn vị vận hành bên đó kiểm tra tệp.",
    "The other platform lists this item but again and again gives no content that can be decoded. Its sender must send"
    " it anew, or the operator over there look at the file.",
)
_TOO_LARGE: Final = Text(
    "Văn bản lớn hơn mức trục nhận qua kênh này. Nơi gửi cần giảm dung lượng tệp đính kèm, hoặc đề nghị đơn vị vận hành"
    " trục nâng max_mebibytes.",
    "The document is larger than the bus takes by this channel. The sender must make its attachments smaller, or ask"
    " the operator of the bus to raise max_mebibytes.",
)
_NO_WORDS: Final = Text("Không ghi được lý do.", "The reason cannot be written.")
