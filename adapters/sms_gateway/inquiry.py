"""Questions by SMS: "TC and the dossier's code" from a phone is answered with the status, where the phone is the
applicant's.

The phone is the secret: the same words for an unknown code and for somebody else's phone. Nothing but status and due
date is told. Each phone may ask so many times an hour, and all together so many a minute.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from adapters.sms_gateway.request import check_template, members_filled, value_at
from adapters.sms_gateway.segments import cut, without_marks
from gateway.calls.gate import Gate
from gateway.core.dossiers.dossier import Dossier
from gateway.core.faults import Misconfigured, Rejected, Text
from gateway.core.notices.notice import notice_of
from gateway.core.notices.wording import Wording
from gateway.core.paces import Paces
from gateway.core.phones import TAIL, last_digits, mobile
from gateway.core.rate import Rate
from gateway.core.rule_text import split_pointer
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.ports import AdapterContext, Call, Reply

#: The files of texts that answers are made of.
FOUND: Final = "inquiry.found"
UNKNOWN: Final = "inquiry.unknown"
USAGE: Final = "inquiry.usage"
TOO_MANY: Final = "inquiry.too-many"

_LARGEST: Final = 16 * 1024
_LONGEST: Final = 200
_REMEMBERED: Final = 20_000


class Inquiries:
    """The answering half of one provider's system."""

    def __init__(self, context: AdapterContext, wordings: Mapping[str, Wording], more: Mapping[str, Text]) -> None:
        """Raises Misconfigured where nobody proves that a call is the provider's, or a setting cannot work."""
        settings = context.settings
        inbound = settings["inbound"]
        where = f"{context.system.name}: settings"
        self.gate = Gate.of(settings, context.read_secret, where)
        self._context = context
        self._wordings = wordings
        self._more = more
        self._inbound = inbound
        self._keyword = str(inbound.get("keyword", "TC")).upper()
        self._language = str(settings.get("language", "vi"))
        self._marks = bool(settings.get("diacritics", False))
        self._most = int(settings.get("most_segments", 3))
        self._phones = Paces(Rate(int(inbound.get("per_phone_hour", 10)) / 60, 5), _REMEMBERED)
        per_minute = int(inbound.get("per_minute", 120))
        self._all = Paces(Rate(per_minute, per_minute), 1)
        for name in ("phone", "text"):
            try:
                split_pointer(inbound[name])
            except ValueError:
                wrong = Text("Con trỏ không đúng", "This is no pointer")
                raise Misconfigured(f"{where}.inbound.{name}", wrong, Text("Cần: /a/b", "Needed: /a/b")) from None
        if "reply" in inbound:
            check_template(inbound["reply"], frozenset({"text", "phone"}), f"{where}.inbound.reply")

    async def answer(self, call: Call) -> Reply:
        """What the provider sends back to the phone; raises Rejected for who is not the provider."""
        self.gate.check(call)
        said = await asyncio.to_thread(_members, call)
        phone = (value_at(said, self._inbound["phone"]) or "")[:_LONGEST]
        words = (value_at(said, self._inbound["text"]) or "")[:_LONGEST]
        text = await self._text(phone, words)
        text = cut(text if self._marks else without_marks(text), self._most)
        if "reply" not in self._inbound:
            return Reply(text.encode(), media_type="text/plain; charset=utf-8")
        made = members_filled(self._inbound["reply"], {"text": text, "phone": phone})
        return Reply(json.dumps(made, ensure_ascii=False).encode(), media_type="application/json; charset=utf-8")

    async def _text(self, phone: str, words: str) -> str:
        nine, now = mobile(phone), self._context.now()
        keyword, _, code = words.strip().partition(" ")
        if nine is None or keyword.upper() != self._keyword or not code.strip():
            return self._said(USAGE, None)
        if self._all.take("", now) or self._phones.take(nine, now):
            return self._said(TOO_MANY, None)
        dossier = await self._context.dossier(code.strip())
        known = "" if dossier is None else _phone_of(dossier)
        is_theirs = hmac.compare_digest(known or "-" * TAIL, nine)
        return self._said(FOUND if is_theirs and dossier is not None else UNKNOWN, dossier if is_theirs else None)

    def _said(self, name: str, dossier: Dossier | None) -> str:
        data = {} if dossier is None else {"dossierCode": dossier.written}
        notice = notice_of({"type": name, "data": data}, dossier, called=self._context.agency_name)
        more = {**self._more, "keyword": Text(self._keyword, self._keyword)}
        said = self._wordings[name].said("text", notice, more).in_language(self._language)
        return " ".join(said.split())


def _phone_of(dossier: Dossier) -> str:
    applicant = dossier.record.get("applicant")
    phone = applicant.get("phone") if isinstance(applicant, Mapping) else None
    found = mobile(phone) if isinstance(phone, str) else None
    return found or (last_digits(phone, TAIL) if isinstance(phone, str) else "")


def _members(call: Call) -> Any:
    """What the call brings: a JSON body, a form, or the query; raises Rejected for what cannot be read."""
    if call.method in ("GET", "HEAD"):
        return dict(call.query)
    if call.body.size > _LARGEST:
        raise Rejected("too-large", _TOO_LARGE)
    with call.body.open() as file:
        raw = file.read()
    try:
        if call.fields.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            return parse_strict(raw)
        return dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=50))
    except (StrictJsonError, UnicodeDecodeError, ValueError):
        return {}


_TOO_LARGE: Final = Text(
    "Tin nhắn lớn hơn mức cho phép. Nhà cung cấp SMS kiểm tra cấu hình gọi về trục.",
    "The call is larger than an SMS can be. The SMS provider must look at how it calls the bus.",
)
