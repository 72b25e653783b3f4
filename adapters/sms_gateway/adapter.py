"""SMS by a provider's HTTP interface: each message about a dossier becomes one short notice to its applicant.

No provider's interface is known beforehand, so the request and the meaning of the answer are settings (``request.py``).
The other way phones may ask how a dossier stands (``inquiry.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from adapters.sms_gateway.inquiry import Inquiries
from adapters.sms_gateway.request import Meaning, check_template, members_filled, value_at, written
from adapters.sms_gateway.segments import cut, segments, without_marks
from gateway.calls.account import REFUSED, secret_in
from gateway.calls.address import check_url
from gateway.calls.caller import Answer, Caller
from gateway.calls.gate import Gate
from gateway.calls.texts import wordings_in
from gateway.core import phones
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, Rejected, Text, TransientFailure
from gateway.core.notices.notice import PLACEHOLDERS, Notice, dossier_code, notice_of
from gateway.core.notices.wording import Wording
from gateway.core.rule_text import split_pointer
from gateway.ports import AdapterContext, Call, Collected, HandedOver, Parcel, Reply, Take, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = False
#: Phones that ask come by the provider's calls; where ``inbound`` is not set nobody is let in.
ANSWERS: Final = True
#: It writes to the applicant, whose phone stands in a registration that was sent to others.
READS: Final = "all"

_TEXTS: Final = Path(__file__).resolve().parent / "texts"
_PARTS: Final = frozenset({"text"})
_NAMES: Final = PLACEHOLDERS | {"contact", "link", "keyword"}
_OWN: Final = frozenset({"phone", "text", "id"})
_GONE: Final = frozenset({401, 403})
_REFUSED: Final = (400, 413, 415, 422)


class SmsGateway:
    """One account at one provider."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file. Raises Misconfigured."""
        settings = context.settings
        self._context = context
        self._wordings = _wordings(context)
        contact, link = settings.get("contact", {}), str(settings.get("lookup", ""))
        self._more = {"contact": Text(contact.get("vi", ""), contact.get("en", "")), "link": Text(link, link)}
        self._secrets: Mapping[str, str] = settings.get("secrets", {})
        self._meaning = Meaning.of(settings.get("answer", {}))
        self._statuses = frozenset(settings.get("answer", {}).get("refused_statuses", _REFUSED))
        _check(context)
        self._inquiries = Inquiries(context, self._wordings, self._more) if "inbound" in settings else None
        self._caller = Caller(
            str(settings["url"]),
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(settings.get("private", True)),
            timeout=float(settings.get("timeout", 15)),
        )

    @property
    def gate(self) -> Gate | None:
        """Who may bring what phones ask; None where nobody may."""
        return self._inquiries.gate if self._inquiries is not None else None

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Send one notice; raises as the port says."""
        wording = self._wordings.get(str(parcel.event.get("type")))
        if wording is None:
            raise PermanentFailure(f"there are no words for {str(parcel.event.get('type'))[:100]}")
        code = dossier_code(parcel.event)
        dossier = await self._context.dossier(code) if code else None
        notice = notice_of(parcel.event, dossier, parcel.message, called=self._context.agency_name)
        if not notice.is_news:
            return HandedOver(reference="not told: it came out of order or says nothing new")
        nine = self._number(wording, notice)
        if nine is None:
            return HandedOver(reference="no number")
        return await self._sent(parcel, nine, self._text(wording, notice))

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: what phones write is brought by the provider."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def answer(self, call: Call, take: Take) -> Reply:  # noqa: ARG002 - a question brings nothing to take
        """Answer what a phone asked; raises Rejected for who is not the provider."""
        if self._inquiries is None:
            raise Rejected("not-found", _NO_DOOR)
        return await self._inquiries.answer(call)

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()

    # ------------------------------------------------------------------------------------------------ sending

    def _number(self, wording: Wording, notice: Notice) -> str | None:
        fixed = self._context.settings.get("to")
        if fixed is not None or wording.audience == "office":
            return phones.mobile(str(fixed)) if fixed is not None else None
        return phones.mobile(notice.phone)

    def _text(self, wording: Wording, notice: Notice) -> str:
        """The notice on one line, no longer than may be paid for."""
        settings = self._context.settings
        said = wording.said("text", notice, self._more).in_language(str(settings.get("language", "vi")))
        line = " ".join(said.split())
        return cut(line if settings.get("diacritics", False) else without_marks(line), settings.get("most_segments", 3))

    async def _sent(self, parcel: Parcel, nine: str, text: str) -> HandedOver:
        settings = self._context.settings
        secrets = {name: secret_in(str(file), self._context.read_secret) for name, file in self._secrets.items()}
        phone = phones.written(nine, settings.get("phone_form", "local"))
        values = {**secrets, "phone": phone, "text": text, "id": parcel.delivery}
        fields = {**members_filled(settings.get("fields", {}), values), "lgsp-delivery": parcel.delivery}
        form, members = settings["body"]["form"], members_filled(settings["body"]["members"], values)
        method = str(settings.get("method", "POST"))
        if form == "query":
            answer = await self._caller.ask(method, "", params=members, fields=fields)
        else:
            raw, media_type = written(form, members)
            answer = await self._caller.ask(method, "", fields={"Content-Type": media_type, **fields}, body=raw)
        return self._judged(answer, segments(text))

    def _judged(self, answer: Answer, count: int) -> HandedOver:
        status, now = answer.status, self._context.now()
        if status in _GONE:
            raise DestinationGone(REFUSED, status)
        if status in self._statuses:
            raise PermanentFailure(f"the provider refused the message with status {status}", status)
        if not answer.is_success:
            raise TransientFailure(f"the provider answered with status {status}", status, answer.retry_after(now))
        name = None
        if self._meaning.member is not None:
            said = answer.json()
            code = value_at(said, self._meaning.member)
            if code in self._meaning.refused:
                raise PermanentFailure(f"the provider refused the message with code {code}")
            if code not in self._meaning.taken:
                raise TransientFailure("the provider answered with a code that is no success")
            name = self._meaning.name(said)
        parts = f"{count} segment{'s' if count > 1 else ''}"
        return HandedOver(status, reference=f"{name} · {parts}" if name else parts)


def _check(context: AdapterContext) -> None:
    """Raises Misconfigured for settings that no schema can judge."""
    settings, where = context.settings, f"{context.system.name}: settings"
    secrets = frozenset(settings.get("secrets", {}))
    if taken := secrets & _OWN:
        raise Misconfigured(
            f"{where}.secrets",
            Text(f"Tên {min(taken)} đã dùng cho chỗ điền khác", f"The name {min(taken)} is another placeholder's"),
            Text("Đặt tên khác", "Choose another name"),
        )
    form = settings["body"]["form"]
    check_template(settings.get("fields", {}), secrets | {"id"}, f"{where}.fields", is_flat=True)
    check_template(settings["body"]["members"], secrets | _OWN, f"{where}.body.members", is_flat=form != "json")
    used = str(settings["body"]["members"])
    for name in ("{phone}", "{text}"):
        if name not in used:
            raise Misconfigured(
                f"{where}.body.members",
                Text(f"Mẫu thiếu {name}", f"The template lacks {name}"),
                Text("Ghi số điện thoại và lời nhắn vào mẫu", "Let the template hold the phone and the text"),
            )
    to = settings.get("to")
    if to is not None and phones.mobile(str(to)) is None:
        raise Misconfigured(
            f"{where}.to",
            Text("Không phải số di động", "This is no mobile number"),
            Text("Ví dụ: 0912345678", "For example: 0912345678"),
        )
    for name in ("member", "reference"):
        try:
            split_pointer(settings.get("answer", {}).get(name, ""))
        except ValueError:
            raise Misconfigured(
                f"{where}.answer.{name}",
                Text("Con trỏ không đúng", "This is no pointer"),
                Text("Cần: /a/b", "Needed: /a/b"),
            ) from None


def _wordings(context: AdapterContext) -> dict[str, Wording]:
    """The texts beside this file, each replaced by the province's where it has one."""
    own = context.settings.get("texts")
    folders = [_TEXTS] if own is None else [_TEXTS, context.folder / str(own)]
    return wordings_in(folders, parts=_PARTS, names=_NAMES, where=f"{context.system.name}: settings.texts")


_NO_DOOR: Final = Text(
    "Hệ thống này không nhận câu hỏi bằng SMS. Đơn vị vận hành trục khai inbound nếu muốn mở.",
    "This system takes no questions by SMS. The operator of the bus sets inbound to open its door.",
)


def open_adapter(context: AdapterContext) -> SmsGateway:
    """The adapter of one system; raises Misconfigured for settings and texts that cannot work."""
    check_url(str(context.settings["url"]), f"{context.system.name}: settings.url")
    return SmsGateway(context)
