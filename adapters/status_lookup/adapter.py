"""Public look-up of a dossier's status, read-only: by its code and, for more than the degree, one secret.

``GET`` or ``POST {public_url}/in/AGENCY/SYSTEM/`` with ``code`` and ``secret``: JSON for programs, a light page for
browsers. An unknown code and a wrong secret are one answer that takes the same time. Nothing is handed out, kept or
logged here.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from adapters.status_lookup.guard import Guard
from adapters.status_lookup.page import HEADERS, Look, page
from adapters.status_lookup.told import anonymous, detailed, is_known_by
from gateway.core.dossiers.code import LONGEST, compared
from gateway.core.faults import Text, TransientFailure
from gateway.ports import AdapterContext, Call, Collected, HandedOver, Parcel, Reply, Take, Uncollectable

MODE: Final[Literal["push", "pull"]] = "pull"
COLLECTS: Final = False
ANSWERS: Final = True
#: Applicants are told where theirs stands, and no agency ever is: the page answers to them.
READS: Final = "all"

_LARGEST: Final = 4096
_FORM: Final = "application/x-www-form-urlencoded"
_KINDS: Final = {
    "phone": frozenset({"phone"}),
    "identity": frozenset({"identity"}),
    "either": frozenset({"phone", "identity"}),
}


class StatusLookup:
    """One door for the public."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file. Raises Misconfigured."""
        settings = context.settings
        self._context = context
        self._guard = Guard(settings, f"{context.system.name}: settings")
        of = str(settings.get("secret", "phone"))
        contact, title = settings.get("contact", {}), settings.get("title", {})
        self._kinds = _KINDS[of]
        self._look = Look(
            of=of,
            digits=int(settings.get("digits", 6)),
            is_anonymous=bool(settings.get("anonymous", True)),
            title=Text(title["vi"], title["en"]) if title else _TITLE,
            contact=Text(contact.get("vi", ""), contact.get("en", "")),
        )
        self._beat = int(settings.get("answer_milliseconds", 400)) / 1000

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Raises TransientFailure always: nothing is handed to a page that only shows."""
        raise TransientFailure(
            f"{parcel.recipient.name} only answers questions: it fetches its messages itself, if any"
        )

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: nothing is brought here."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Nothing to let go."""

    async def answer(self, call: Call, take: Take) -> Reply:  # noqa: ARG002 - a question brings nothing to take
        """The page or the JSON; never raises a Fault, as people read it."""
        speaker = _Speaker(self._look, is_page=_wants_page(call))
        if call.path.strip("/"):
            return speaker.said(404, "not-found", _NO_PAGE)
        if call.method not in ("GET", "HEAD", "POST"):
            return speaker.said(405, "method-not-allowed", _METHOD, {"Allow": "GET, HEAD, POST"})
        asked = await _asked(call)
        if asked is None:
            return speaker.said(400, "bad-request", _UNREADABLE)
        code, secret = asked
        if not code:
            return speaker.form()
        who, now = self._guard.who(call), self._context.now()
        if wait := self._guard.wait(who, now):
            return speaker.wait(wait)
        if len(code) > LONGEST or not code.isprintable():
            return speaker.said(400, "bad-request", _NO_CODE)
        if secret:
            return await self._opened(speaker, who, code, secret)
        if not self._look.is_anonymous:
            return speaker.said(400, "secret-needed", _NEEDED, code=code)
        dossier = await self._context.course(code)
        if dossier is None or dossier.status is None:
            return speaker.said(404, "not-found", _UNKNOWN_CODE, code=code)
        return speaker.told(anonymous(dossier))

    async def _opened(self, speaker: _Speaker, who: str, code: str, secret: str) -> Reply:
        """What the applicant is told; everybody else waits for the next beat, whatever was wrong."""
        loop = asyncio.get_running_loop()
        begun, name = loop.time(), compared(code)
        if wait := self._guard.guess(who, name, self._context.now()):
            return speaker.wait(wait)
        dossier = await self._context.dossier(code)
        is_theirs = is_known_by(dossier, secret, self._kinds, self._look.digits)
        if is_theirs and dossier is not None and dossier.status is not None:
            self._guard.was_right(who, name)
            return speaker.told(detailed(dossier, self._context.agency_name))
        beats = max(1, math.ceil((loop.time() - begun) / self._beat))
        await asyncio.sleep(max(0.0, begun + beats * self._beat - loop.time()))
        return speaker.said(404, "not-found", _UNKNOWN, code=code)


class _Speaker:
    """Says it as whoever asks can read it."""

    def __init__(self, look: Look, *, is_page: bool) -> None:
        self._look = look
        self._is_page = is_page

    def form(self) -> Reply:
        """The empty form; a program is told what it left out."""
        if self._is_page:
            return _html(page(self._look))
        return self.said(400, "bad-request", _NO_CODE)

    def told(self, told: Mapping[str, Any]) -> Reply:
        """An answer."""
        if self._is_page:
            return _html(page(self._look, code=str(told["code"]), told=told))
        return _json(told)

    def said(
        self, status: int, problem: str, text: Text, fields: Mapping[str, str] | None = None, *, code: str = ""
    ) -> Reply:
        """That there is none, and why."""
        if self._is_page:
            return _html(page(self._look, code=code, said=text), status, fields)
        return _json({"error": problem, "text": {"vi": text.vi, "en": text.en}}, status, fields)

    def wait(self, seconds: float) -> Reply:
        """That too much was asked."""
        return self.said(429, "rate-limited", _TOO_MANY, {"Retry-After": str(max(1, math.ceil(seconds)))})


def _html(body: bytes, status: int = 200, fields: Mapping[str, str] | None = None) -> Reply:
    return Reply(body, status, "text/html; charset=utf-8", {**HEADERS, **(fields or {})})


def _json(told: Mapping[str, Any], status: int = 200, fields: Mapping[str, str] | None = None) -> Reply:
    raw = json.dumps(told, ensure_ascii=False).encode()
    return Reply(raw, status, "application/json; charset=utf-8", {**HEADERS, **(fields or {})})


def _wants_page(call: Call) -> bool:
    wanted = call.query.get("format")
    return wanted == "html" or (wanted != "json" and "text/html" in call.fields.get("accept", "").lower())


async def _asked(call: Call) -> tuple[str, str] | None:
    """Code and secret as they were typed; None where the form cannot be read."""
    said: Mapping[str, str] = call.query
    if call.method == "POST":
        if call.fields.get("content-type", "").partition(";")[0].strip().lower() != _FORM or call.body.size > _LARGEST:
            return None
        raw = await asyncio.to_thread(_bytes, call)
        try:
            said = dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=10))
        except ValueError:
            return None
    return said.get("code", "").strip(), said.get("secret", "").strip()


def _bytes(call: Call) -> bytes:
    with call.body.open() as file:
        return file.read()


_TITLE: Final = Text("Tra cứu tình trạng hồ sơ", "How does my dossier stand?")
_NO_PAGE: Final = Text("Không có trang này.", "There is no such page.")
_METHOD: Final = Text("Trang này chỉ để xem.", "This page only shows.")
_UNREADABLE: Final = Text(
    "Không đọc được nội dung gửi lên. Hãy nhập lại vào mẫu tra cứu.", "What was sent cannot be read. Use the form."
)
_NO_CODE: Final = Text(
    "Hãy nhập mã hồ sơ ghi trên giấy tiếp nhận.", "Type the dossier's code as it stands on the receipt."
)
_NEEDED: Final = Text("Hãy nhập thêm các số cuối để xem hồ sơ.", "Type the last digits, too, to see the dossier.")
_UNKNOWN_CODE: Final = Text(
    "Không tìm thấy hồ sơ có mã này. Hãy so lại với giấy tiếp nhận, hoặc hỏi nơi đã nộp hồ sơ.",
    "There is no dossier of this code. Compare it with the receipt, or ask where you filed.",
)
_UNKNOWN: Final = Text(
    "Không tìm thấy hồ sơ ứng với mã và các số cuối đã nhập. Hãy so lại với giấy tiếp nhận, hoặc hỏi nơi đã nộp hồ sơ.",
    "There is no dossier of this code and these digits. Compare them with the receipt, or ask where you filed.",
)
_TOO_MANY: Final = Text(
    "Đã tra cứu quá nhiều lần. Hãy thử lại sau ít phút, hoặc hỏi nơi đã nộp hồ sơ.",
    "There were too many questions. Try again in a few minutes, or ask where you filed.",
)


def open_adapter(context: AdapterContext) -> StatusLookup:
    """The adapter of one system; raises Misconfigured for settings that cannot work."""
    return StatusLookup(context)
