"""E-mail by SMTP: each message about a dossier becomes one notice to its applicant, or to fixed mailboxes.

What is told is what ``gateway.core.notices`` lets out of a message; the words are the files in ``texts/``, which a
province may replace one by one. Without a mailbox there is nobody to tell: the message counts as taken, and says so.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from adapters.mail_notice.letter import Letter, address_in
from adapters.mail_notice.post import Account, Post
from gateway.calls.account import secret_in
from gateway.calls.address import is_disguised
from gateway.calls.texts import wordings_in
from gateway.core.faults import Misconfigured, PermanentFailure, Text, TransientFailure
from gateway.core.notices.notice import PLACEHOLDERS, Notice, dossier_code, notice_of
from gateway.core.notices.wording import Wording
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = False
#: It writes to the applicant, whose address stands in a registration that was sent to others.
READS: Final = "all"

_TEXTS: Final = Path(__file__).resolve().parent / "texts"
_PARTS: Final = frozenset({"subject", "body"})
#: What the texts may name beside what a message says: the setting ``contact`` and the setting ``lookup``.
_NAMES: Final = PLACEHOLDERS | {"contact", "link"}
#: Deliveries of which some mailboxes are done and others not yet.
_REMEMBERED: Final = 1000


class MailNotice:
    """One mail server and one account there."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file. Raises Misconfigured."""
        settings = context.settings
        self._context = context
        self._wordings = _wordings(context)
        self._sender = str(settings["from"])
        self._fixed = tuple(str(each) for each in settings.get("to", ()))
        contact = settings.get("contact", {})
        link = str(settings.get("lookup", ""))
        self._more = {"contact": Text(contact.get("vi", ""), contact.get("en", "")), "link": Text(link, link)}
        self._post = Post(_account(context))
        #: Delivery -> mailboxes that need it no more.
        self._done: OrderedDict[str, set[str]] = OrderedDict()

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Post one notice; raises as the port says."""
        wording = self._wordings.get(str(parcel.event.get("type")))
        if wording is None:
            raise PermanentFailure(f"there are no words for {str(parcel.event.get('type'))[:100]}")
        code = dossier_code(parcel.event)
        dossier = await self._context.dossier(code) if code else None
        notice = notice_of(parcel.event, dossier, parcel.message, called=self._context.agency_name)
        if not notice.is_news:
            return HandedOver(reference="not told: it came out of order or says nothing new")
        wanted = self._recipients(wording, notice)
        if not wanted:
            return HandedOver(reference="no address")
        done = self._done.get(parcel.delivery, set())
        return await self._posted(parcel, self._letter(parcel, wording, notice, [a for a in wanted if a not in done]))

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: mail is not read here."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """End what is under way."""
        await self._post.close()

    def _recipients(self, wording: Wording, notice: Notice) -> tuple[str, ...]:
        if self._fixed or wording.audience == "office":
            return self._fixed
        address = address_in(notice.email)
        return () if address is None else (address,)

    def _letter(self, parcel: Parcel, wording: Wording, notice: Notice, recipients: Sequence[str]) -> Letter:
        settings = self._context.settings
        return Letter(
            delivery=parcel.delivery,
            sender=self._sender,
            sender_name=str(settings.get("from_name", "")),
            recipients=recipients,
            subject=wording.said("subject", notice, self._more),
            body=wording.said("body", notice, self._more),
            sent_at=self._context.now(),
            reply_to=settings.get("reply_to"),
        )

    async def _posted(self, parcel: Parcel, letter: Letter) -> HandedOver:
        try:
            posted = await self._post.send(letter)
        except PermanentFailure as failure:
            if self._done.pop(parcel.delivery, None) is None:
                raise
            return HandedOver(failure.status, reference="some mailboxes have it, the others refused it")
        for_good = [each for each in posted.refused.values() if not isinstance(each, TransientFailure)]
        later = [each for each in posted.refused.values() if isinstance(each, TransientFailure)]
        if later:
            # Who has it already gets it no second time.
            done = self._done.setdefault(parcel.delivery, set())
            done |= {a for a in letter.recipients if not isinstance(posted.refused.get(a), TransientFailure)}
            if len(self._done) > _REMEMBERED:
                self._done.popitem(last=False)
            raise later[0]
        self._done.pop(parcel.delivery, None)
        if for_good:
            refused = f"{len(for_good)} of {len(letter.recipients)} mailboxes refused it ({for_good[0].status})"
            return HandedOver(posted.code, reference=refused)
        return HandedOver(posted.code, reference=letter.id)


def _wordings(context: AdapterContext) -> dict[str, Wording]:
    """The texts beside this file, each replaced by the province's where it has one."""
    own = context.settings.get("texts")
    folders = [_TEXTS] if own is None else [_TEXTS, context.folder / str(own)]
    return wordings_in(folders, parts=_PARTS, names=_NAMES, where=f"{context.system.name}: settings.texts")


def _account(context: AdapterContext) -> Account:
    settings, where = context.settings, f"{context.system.name}: settings"
    host, tls = str(settings["host"]), settings.get("tls", "starttls")
    if is_disguised(host):
        raise Misconfigured(
            f"{where}.host",
            Text("Địa chỉ IP viết khác thường", "The IP address is written in an unusual form"),
            Text("Ghi đủ bốn số thập phân, ví dụ 10.0.0.5", "Write four decimal numbers, such as 10.0.0.5"),
        )
    file = settings.get("password_file")
    if tls == "none" and "username" in settings and not _is_here(host):
        raise Misconfigured(
            f"{where}.tls",
            Text("Không gửi mật khẩu khi kênh không mã hoá", "A password is not sent without TLS"),
            Text("Đặt tls = starttls hoặc implicit, hoặc bỏ username.", "Set tls to starttls or implicit, or leave"
                 " username out."),
        )  # fmt: skip
    sender = str(settings["from"])
    return Account(
        host=host,
        port=int(settings.get("port", {"starttls": 587, "implicit": 465, "none": 25}[tls])),
        tls=tls,
        hello=str(settings.get("hello", sender.rpartition("@")[2])),
        timeout=float(settings.get("timeout", 15)),
        username=settings.get("username"),
        password=lambda: secret_in(str(file), context.read_secret),
        own=context.own_addresses,
        private_allowed=bool(settings.get("private", True)),
        trusted=_trusted(context, f"{where}.ca_file"),
    )


def _trusted(context: AdapterContext, where: str) -> ssl.SSLContext:
    """Who may vouch for the server: the machine's authorities, or the one in ``ca_file`` alone."""
    file = context.settings.get("ca_file")
    try:
        return ssl.create_default_context(cafile=None if file is None else str(context.folder / str(file)))
    except (OSError, ssl.SSLError):
        raise Misconfigured(
            where,
            Text("Không đọc được chứng thư gốc của máy chủ thư", "The mail server's root certificate cannot be read"),
            Text("Đặt tệp PEM vào thư mục tỉnh", "Put a PEM file into the province folder"),
        ) from None


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_adapter(context: AdapterContext) -> MailNotice:
    """The adapter of one system; raises Misconfigured for settings and texts that cannot work."""
    return MailNotice(context)
