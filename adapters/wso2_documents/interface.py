"""The interface as its example speaks it: a token by client credentials, the unit's secret as a parameter, base64.

An item is there until its state is DONE or FAIL. Whether what was posted can be listed is up to each interface: where
it can, the contents are compared, which proves more than any id.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from gateway.calls.account import REFUSED, secret_in, succeeded
from gateway.calls.bearer import Bearer, Granted
from gateway.calls.caller import Answer, Body, Caller
from gateway.calls.exchange import Listed, Undecodable
from gateway.core.content import Content, InMemory
from gateway.core.documents.axis_error import SUCCESS, failure_of
from gateway.core.documents.letter import Letter, MessageKind
from gateway.core.edxml.dates import read_moment
from gateway.core.faults import DestinationGone, TimedOut, TransientFailure
from gateway.core.lifting import from_base64, lift, to_base64
from gateway.core.moments import parse_moment
from gateway.core.strictjson import StrictJsonError
from gateway.ports import AdapterContext, Parcel

#: A file in an answer is base64, four bytes of three, and there is something around it (times the file's size).
_ROOM: Final = 2
_OVER: Final = frozenset({"DONE", "FAIL"})
#: So many posts are looked into for one that may have arrived.
_LOOKED_INTO: Final = 50
_FORM: Final = "application/x-www-form-urlencoded"


class Interface:
    """One unit at one interface, as an exchange needs it (``gateway.calls.exchange``), and its list of agencies."""

    def __init__(self, context: AdapterContext, largest: int) -> None:
        """``largest``: bytes of an .edxml file."""
        settings = context.settings
        self._context = context
        self._most = largest * _ROOM
        self._base = str(settings.get("base", "/truclienthong/v1.0.0")).rstrip("/")
        self._file_timeout = float(settings.get("file_timeout", 60))
        self._caller = Caller(
            str(settings["url"]),
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(settings.get("private", True)),
            timeout=float(settings.get("timeout", 30)),
            new_sink=context.new_sink,
        )
        self._bearer = Bearer(self._token, context.now)

    async def send(self, letter: Letter, parcel: Parcel) -> str | None:
        """``POST /vanbans``: the file as base64 text."""
        return await self._post(letter.content, letter.kind, parcel.delivery, parcel.attempt)

    async def find(self, letter: Letter, since: float) -> str | None:
        """The id of a post with exactly these bytes, where posts can be listed."""
        settings = self._context.settings
        if "sent_parameter" not in settings:
            return None
        params = {str(settings["sent_parameter"]): str(settings.get("sent_value", "1"))}
        candidates = {
            _text(row, "docId"): _at(row)
            for row in await self._rows("/vanbans", params)
            if _kind(row) == letter.kind
            and _text(row, "from") in {letter.sender, ""}
            and _text(row, "to") in {*letter.receivers, ""}
            and _at(row) >= int(since)
        }
        # What was lost was posted soon after that moment: the oldest first.
        for item_id in sorted(filter(None, candidates), key=candidates.__getitem__)[:_LOOKED_INTO]:
            try:
                raw = await self.fetch(Listed(letter.kind, item_id))
            except Undecodable:
                continue
            if raw.sha256 == letter.content.sha256:
                return item_id
        return None

    async def listed(self, kind: MessageKind) -> Sequence[Listed]:
        """``GET /vanbans``: one list of both kinds."""
        rows = [row for row in await self._rows("/vanbans", {}) if _kind(row) == kind]
        rows = [row for row in rows if _text(row, "status").upper() not in _OVER]
        rows.sort(key=_at)
        return [Listed(kind, _text(row, "docId"), _text(row, "to"), _text(row, "from")) for row in rows]

    async def fetch(self, item: Listed) -> Content:
        """``GET /vanbans/{docId}``: the file as base64 in ``data``."""
        answer = await self._ask("GET", _path(item.id), within=self._file_timeout, is_large=True)
        return await asyncio.to_thread(self._file_in, answer)

    async def report(self, raw: bytes, item: Listed) -> None:
        """A status about a refused item."""
        await self._post(InMemory(raw), "status", f"refusal-{item.id}", 1)

    async def settle(self, item: Listed, *, is_taken: bool) -> None:
        """``PUT /vanbans/{docId}`` with the state."""
        answer = await self._ask("PUT", _path(item.id), params={"status": "DONE" if is_taken else "FAIL"})
        self._checked(answer.json(), answer.status)

    async def agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        """All agencies of the list, the parent by its code."""
        rows = await self._rows(str(self._context.settings.get("agencies", "/donvilienthongs")), {})
        codes = {str(row.get("id")): _text(row, "code") for row in rows if _text(row, "code")}
        for row in rows:
            if code := _text(row, "code"):
                parent = str(row.get("pid") or "")
                # Some interfaces name the parent by its code.
                told = codes.get(parent) or (parent if parent in codes.values() else None)
                yield {"code": code, "name": _text(row, "name"), "parent": told, "aliases": [], "level": None}

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()

    # --------------------------------------------------------------------------------------------------- calls

    async def _post(self, content: Content, kind: MessageKind, name: str, attempt: int) -> str | None:
        text = await asyncio.to_thread(to_base64, content, self._context.new_sink)
        fields = {"Content-Type": "text/plain", "X-Delivery-Id": name}
        params = {"loaiVanBan": kind}
        answer = await self._ask("POST", "/vanbans", params, fields=fields, body=text, within=self._file_timeout)
        value = self._checked(answer.json(), answer.status, attempt=attempt)
        if "status" not in value and "docId" not in value:
            raise TimedOut("the answer does not say whether it was taken", answer.status)
        found = value.get("docId")
        return found if isinstance(found, str) and found else None

    async def _rows(self, path: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        answer = await self._ask("GET", path, params, is_large=True)
        value = self._checked(await asyncio.to_thread(answer.json), answer.status)
        data = value.get("data")
        if not isinstance(data, list):
            raise TransientFailure("the answer has no list", answer.status)
        return [row for row in data if isinstance(row, dict)]

    def _file_in(self, answer: Answer) -> Content:
        try:
            lifted = lift(answer.content, self._context.new_sink)
        except StrictJsonError:
            raise TransientFailure(f"the answer ({answer.status}) is no JSON", answer.status) from None
        self._checked(lifted.value, answer.status)
        text = lifted.text("data")
        if text is None or text.size == 0:
            raise Undecodable("the answer has no data")
        try:
            return from_base64(text, self._context.new_sink)
        except ValueError:
            raise Undecodable("its data is no base64") from None

    async def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        fields: Mapping[str, str] | None = None,
        body: Body | None = None,
        within: float | None = None,
        is_large: bool = False,
    ) -> Answer:
        """One call with the token and the unit's secret; raises for every status but 2xx."""
        settings = self._context.settings
        asked = {**(params or {}), str(settings.get("secret_parameter", "secret")): self._secret("unit_secret_file")}

        async def ask(token: str) -> Answer:
            return await self._caller.ask(
                method, self._base + path, params=asked, fields={**(fields or {}), "Authorization": f"Bearer {token}"},
                body=body, within=within, most=self._most, is_large=is_large,
            )  # fmt: skip

        return succeeded(await self._bearer.asked(ask), self._context.now())

    def _checked(self, value: Any, status: int, *, attempt: int = 1) -> dict[str, Any]:
        """``value`` where it is an object and no refusal; errors come with status 200."""
        if not isinstance(value, dict):
            raise TransientFailure("the answer is no object", status)
        code = str(value.get("errorCode") or SUCCESS)
        if code != SUCCESS:
            raise failure_of(code, attempt=attempt, status=status)
        if str(value.get("status") or "OK").upper() not in {"OK", "SUCCESS"}:
            raise TransientFailure("the interface says no without a code", status)
        return value

    async def _token(self) -> Granted:
        """RFC 6749, section 4.4."""
        settings = self._context.settings
        account = f"{settings['consumer_key']}:{self._secret('consumer_secret_file')}"
        fields = {"Authorization": "Basic " + base64.b64encode(account.encode()).decode(), "Content-Type": _FORM}
        path, body = str(settings.get("token_path", "/token")), b"grant_type=client_credentials"
        answer = await self._caller.ask("POST", path, fields=fields, body=body)
        if answer.status == 400:  # RFC 6749, section 5.2: a client that it does not know may be told so
            raise DestinationGone(REFUSED, answer.status)
        value = succeeded(answer, self._context.now()).json()
        token = value.get("access_token") if isinstance(value, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise TransientFailure("the interface gave no token", answer.status)
        seconds = value.get("expires_in") if isinstance(value, dict) else None
        return Granted(token, float(seconds) if isinstance(seconds, int | float) else 300.0)

    def _secret(self, setting: str) -> str:
        return secret_in(str(self._context.settings[setting]), self._context.read_secret)


def _path(item_id: str) -> str:
    return f"/vanbans/{quote(item_id, safe='')}"


def _kind(row: Mapping[str, Any]) -> MessageKind:
    return "status" if _text(row, "messageType").casefold() == "status" else "edoc"


def _at(row: Mapping[str, Any]) -> float:
    read = read_moment(_text(row, "createdTime"))
    return (parse_moment(read.iso) if read else None) or 0.0


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""
