"""The platform as the guide describes it: every call bears a token of about 30 minutes, the system's id and its secret.

What waits is asked for by days, in Viet Nam's time; an item is there until its transport state is set.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict

from adapters.lgsp_rest.answer import agencies_of, content_of, frame_of, page_of, rows_of, taken
from gateway.calls.account import secret_in, succeeded
from gateway.calls.bearer import Bearer, Granted
from gateway.calls.caller import Answer, Body, Caller
from gateway.calls.exchange import Listed, Undecodable
from gateway.core.agency_list import MAX_ENTRIES
from gateway.core.content import Content, InMemory
from gateway.core.documents.letter import Letter, MessageKind
from gateway.core.edxml.dates import read_moment
from gateway.core.faults import TransientFailure
from gateway.core.moments import day_of, parse_moment
from gateway.ports import AdapterContext, Parcel

#: An answer with a document holds it as JSON text, and what is attached a second time (times the document's size).
_ROOM: Final = 4
_SETTLED: Final = frozenset({"done", "fail"})
_BUSINESS: Final = frozenset({"03", "04", "05", "06"})
#: Documents whose id over there is remembered, for their statuses.
_REMEMBERED: Final = 10_000
_MOST_PAGES: Final = 5_000
_DAY: Final = 86_400.0
_JSON: Final = {"Content-Type": "application/json"}
_FILE: Final = CIMultiDict({"Content-Type": "application/xml"})


class Platform:
    """One account at one platform, as an exchange needs it (``gateway.calls.exchange``), and its list of agencies."""

    def __init__(self, context: AdapterContext, largest: int) -> None:
        """``largest``: bytes of an .edxml file."""
        settings = context.settings
        self._context = context
        self._most = largest * _ROOM
        self._file_timeout = float(settings.get("file_timeout", 60))
        self._by_update = settings.get("business_status") == "update-status"
        self._caller = Caller(
            str(settings["url"]),
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(settings.get("private", True)),
            timeout=float(settings.get("timeout", 30)),
            new_sink=context.new_sink,
        )
        self._bearer = Bearer(self._login, context.now)
        #: Documents fetched by this process: issuer and code -> id over there.
        self._ids: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._looked_at: dict[MessageKind, float] = {}

    async def send(self, letter: Letter, parcel: Parcel) -> str | None:
        """``sendEdoc``; or ``updateStatus`` for a business code where the setting says so and the document is known."""
        known = self._ids.get((letter.receivers[0], letter.code or ""))
        if self._by_update and letter.status in _BUSINESS and known is not None:
            await self._update(known, str(letter.status), parcel.attempt)
            return known
        return await self._post(letter.content, letter.kind, parcel.delivery, parcel.attempt)

    async def find(self, letter: Letter, since: float) -> str | None:
        """The id of a document in the list of what was sent, where the platform has such a list."""
        path = self._context.settings.get("sent_list")
        if path is None:
            return None
        answer = await self._ask("GET", str(path), params=self._days(letter.kind, since), is_large=True)
        wanted = {(letter.sender, code, letter.code) for code in letter.receivers}
        for row in await asyncio.to_thread(rows_of, answer, self._context.now()):
            sent = read_moment(_text(row, "sentTime"))
            at = None if sent is None else parse_moment(sent.iso)
            is_it = (row.get("fromCode"), row.get("toCode"), row.get("notation")) in wanted
            # To the second, as the list has it.
            if is_it and at is not None and at >= int(since) and _text(row, "senderDocId"):
                return _text(row, "senderDocId")
        return None

    async def listed(self, kind: MessageKind) -> Sequence[Listed]:
        """``syncReceivedEdocList`` over the last days; further back at the first look and after an absence."""
        now, settings = self._context.now(), self._context.settings
        last = self._looked_at.get(kind)
        days = float(settings.get("window_days", 7))
        further = float(settings.get("first_window_days", 30)) if last is None else (now - last) / _DAY + 1
        params = self._days(kind, now - max(days, further) * _DAY)
        answer = await self._ask("GET", "/v1/syncReceivedEdocList", params=params, is_large=True)
        rows = await asyncio.to_thread(rows_of, answer, now)
        self._looked_at[kind] = now
        waiting = [row for row in rows if _text(row, "status").casefold() not in _SETTLED]
        waiting.sort(key=lambda row: _text(row, "createdTime"))
        return [Listed(kind, _text(row, "docId"), _text(row, "to"), _text(row, "from")) for row in waiting]

    async def fetch(self, item: Listed) -> Content:
        """``getEdoc``: the file stands as text in the answer."""
        params = {"docId": item.id}
        answer = await self._ask("GET", "/v1/getEdoc", params=params, is_large=True, within=self._file_timeout)
        found = await asyncio.to_thread(content_of, answer, self._context.now(), self._context.new_sink)
        if found is None:
            raise Undecodable("the answer has no edxml")
        raw, code = found
        if self._by_update and item.kind == "edoc" and code:
            self._ids[item.sender, code] = item.id
            if len(self._ids) > _REMEMBERED:
                self._ids.popitem(last=False)
        return raw

    async def report(self, raw: bytes, item: Listed) -> None:
        """A status about a refused item."""
        await self._post(InMemory(raw), "status", f"refusal-{item.id}", 1)

    async def settle(self, item: Listed, *, is_taken: bool) -> None:
        """``updateStatus`` with a transport state."""
        await self._update(item.id, "done" if is_taken else "fail", 1)

    async def agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        """All agencies of the list; every page is read before the first is given: a parent may stand on a later one."""
        settings = self._context.settings
        rows: dict[str, Mapping[str, Any]] = {}
        for number in range(1, _MOST_PAGES):
            params = {
                str(settings.get("page_parameter", "currentPage")): str(number),
                str(settings.get("page_size_parameter", "pageSize")): str(settings.get("page_size", 500)),
            }
            answer = await self._ask("GET", "/v1/getAgenciesList", params=params, is_large=True)
            page, pages = await asyncio.to_thread(page_of, answer, self._context.now())
            fresh = {str(row["id"]): row for row in page if row.get("id")}
            # A platform that takes no notice of the number gives its first page for ever.
            is_over = number >= pages or not fresh.keys() - rows.keys()
            rows.update(fresh)
            if len(rows) > MAX_ENTRIES:
                raise TransientFailure(f"the list has over {MAX_ENTRIES} entries")
            if is_over:
                break
        for each in agencies_of(rows):
            yield each

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()

    # --------------------------------------------------------------------------------------------------- calls

    async def _post(self, content: Content, kind: MessageKind, name: str, attempt: int) -> str | None:
        def form() -> aiohttp.MultipartWriter:
            made = aiohttp.MultipartWriter("form-data")
            # An open file is read as it is sent, and closed afterwards.
            file = made.append(content.open(), _FILE)
            file.set_content_disposition("form-data", name="edocFile", filename=f"{name}.edxml")
            made.append(kind).set_content_disposition("form-data", name="messageType")
            return made

        fields = {"X-Delivery-Id": name}
        answer = await self._ask("POST", "/v1/sendEdoc", fields=fields, body=form, within=self._file_timeout)
        return taken(answer, self._context.now(), attempt=attempt)

    async def _update(self, id: str, state: str, attempt: int) -> None:
        body = json.dumps({"docId": id, "status": state}).encode()
        answer = await self._ask("POST", "/v1/updateStatus", fields=_JSON, body=lambda: body)
        frame_of(answer, self._context.now(), attempt=attempt)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        body: Callable[[], Body] | None = None,
        within: float | None = None,
        is_large: bool = False,
    ) -> Answer:
        """One call with the three headers; ``body`` makes it anew where a token has to be renewed."""
        ours = {
            **(fields or {}),
            "X-SystemId": str(self._context.settings["system_id"]),
            "X-SecretKey": self._secret("secret_key_file"),
        }

        async def ask(token: str) -> Answer:
            return await self._caller.ask(
                method, path, params=params, fields={**ours, "Authorization": f"Bearer {token}"},
                body=None if body is None else body(), within=within, most=self._most, is_large=is_large,
            )  # fmt: skip

        return await self._bearer.asked(ask)

    async def _login(self) -> Granted:
        settings = self._context.settings
        asked = {
            "username": settings["username"],
            "password": self._secret("password_file"),
            "applicationCode": settings["application_code"],
            "otp": None,
            "twoFactorProvider": None,
            "typeObjs": [0, 1],
        }
        params, body = {"allow_anonymous": "true"}, json.dumps(asked).encode()
        answer = await self._caller.ask("POST", "/v1/auth/login", params=params, fields=_JSON, body=body)
        succeeded(answer, self._context.now())
        data = frame_of(answer, self._context.now()).get("data")
        token = data.get("token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise TransientFailure("the platform gave no token", answer.status)
        return Granted(token, float(settings.get("token_minutes", 30)) * 60)

    def _secret(self, setting: str) -> str:
        return secret_in(str(self._context.settings[setting]), self._context.read_secret)

    def _days(self, kind: MessageKind, since: float) -> dict[str, str]:
        # A day more at the end: the platform's clock may be ahead.
        last = day_of(self._context.now()) + timedelta(days=1)
        return {"messageType": kind, "fromDate": f"{day_of(since):%Y/%m/%d}", "toDate": f"{last:%Y/%m/%d}"}


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""
