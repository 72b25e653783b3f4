"""An older one-stop system: the bus serves the dossier interface that it already calls, and it fetches for itself.

It is never called: what is for it waits in its inbox (``/v1/inbox/lease``). Which wire member means what stands in
``wire/*.json``; which event a document is, in ``meaning.py``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from adapters.onestop_wso2.inline import files_of
from adapters.onestop_wso2.item import Reader, Terms, province_of
from adapters.onestop_wso2.meaning import Senseless
from adapters.onestop_wso2.wire import Wire
from gateway.calls.account import WRONG_LOGIN, check_long_enough, secret_in
from gateway.calls.gate import Gate
from gateway.core import ticket
from gateway.core.content import whole
from gateway.core.faults import Busy, Text, TransientFailure
from gateway.core.lifting import Lifted, lift
from gateway.core.strictjson import StrictJsonError
from gateway.core.visit import NotReceived
from gateway.ports import AdapterContext, Call, Collected, HandedOver, Parcel, Reply, Take, Uncollectable

MODE: Final[Literal["push", "pull"]] = "pull"
COLLECTS: Final = False
ANSWERS: Final = True
_MEBIBYTE: Final = 1 << 20
#: A form with an id and a secret in it is no larger (bytes).
_MOST_FORM: Final = 16 << 10
#: Documents of one call: each brings its files.
_MOST_ITEMS: Final = 50
_UNPROVEN: Final = 401
_SYNC: Final = "document/syncdocument"
_TRACES: Final = "document/updatedocumenttraces"
_STATISTIC: Final = "statistic/updatestatistic"
_VOTE: Final = "vote/updatevote"


class Doorkeeper:
    """Knows callers by the token of this door; whoever asks for one proves itself by id and secret."""

    def __init__(self, context: AdapterContext) -> None:
        settings = context.settings
        self._near = Gate.if_set(settings, context.read_secret, f"{context.system.name}: settings")
        self._system = context.system.name
        self._id = str(settings["client_id"])
        self._file = str(settings["client_secret_file"])
        self._seconds = float(settings.get("token_minutes", 60)) * 60
        self._read_secret = context.read_secret
        self._now = context.now
        check_long_enough(self._file, context.read_secret, f"{context.system.name}: settings.client_secret_file")

    def lets_in(self, call: Call) -> bool:
        """Whether the caller proved itself (by a token, or by id and secret in HTTP Basic), or asks for a token.

        Raises TransientFailure where the secret cannot be read.
        """
        if self._near is not None and not self._near.lets_in(call):
            return False
        return asks_for_token(call) or self._is_known(call.fields.get("authorization", ""))

    def most(self, call: Call) -> int | None:
        """A form is small: anybody may ask for a token. None: as much as the bus reads of any call."""
        return _MOST_FORM if asks_for_token(call) else None

    def _is_known(self, given: str) -> bool:
        if (account := _basic(given)) is not None:
            return self._is_account(account)
        scheme, _, token = given.partition(" ")
        secret = secret_in(self._file, self._read_secret).encode()
        return scheme.lower() == "bearer" and ticket.holds(token.strip(), secret, self._system, self._now())

    def _is_account(self, given: tuple[str, str]) -> bool:
        right = (self._id, secret_in(self._file, self._read_secret))
        sound = [
            hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
            for one, other in zip(given, right, strict=True)
        ]
        return all(sound)

    def grant(self, call: Call) -> Reply:
        """RFC 6749, section 4.4: the id and the secret in the form, or by HTTP Basic."""
        if call.body.size > _MOST_FORM:
            return _json({"error": "invalid_request"}, 400)
        form = {name: values[0] for name, values in _form(whole(call.body)).items()}
        if form.get("grant_type") != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, 400)
        given = _basic(call.fields.get("authorization", "")) or (
            form.get("client_id", ""), form.get("client_secret", "")
        )  # fmt: skip
        if not self._is_account(given):
            return _json({"error": "invalid_client"}, _UNPROVEN)
        secret = secret_in(self._file, self._read_secret)
        token = ticket.issue(secret.encode(), self._system, self._now() + self._seconds)
        granted = {"access_token": token, "token_type": "Bearer", "expires_in": int(self._seconds), "scope": "default"}
        return _json(granted, fields={"Cache-Control": "no-store"})


class OneStopWso2:
    """One older one-stop system."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file."""
        settings, system = context.settings, context.system
        self._context = context
        self.gate = Doorkeeper(context)
        to = tuple(str(each) for each in settings.get("to", ()))
        purpose = str(settings.get("purpose", "giai-quyet-tthc"))
        terms = Terms(
            system.name, system.agency, str(settings.get("province", province_of(system.agency))), purpose, to
        )
        self._reader = Reader(terms, Wire(str(settings["dates"])), context.dossier, context.now)
        self._most = int(settings.get("file_mebibytes", 50)) * _MEBIBYTE
        replies = settings.get("replies", {})
        self._yes, self._no = int(replies.get("taken", 1)), int(replies.get("refused", 0))

    async def answer(self, call: Call, take: Take) -> Reply:
        """Answer one call as the interface does: ``{Status, Message}``; raises Busy where nothing was taken yet."""
        path = "/".join(call.path.strip("/").casefold().split("/")[-2:])
        if not self.gate.lets_in(call):
            return self._told(_STRANGER.vi, status=401)
        if call.method != "POST":
            return self._told(_ONLY_POST.vi, status=405)
        if asks_for_token(call):
            granted = self.gate.grant(call)
            if granted.status == _UNPROVEN:
                await asyncio.sleep(WRONG_LOGIN)
            return granted
        if path == _VOTE:
            return self._told(_NO_VOTES.vi)
        if path not in {_SYNC, _TRACES, _STATISTIC}:
            return self._told(_NOT_SERVED.vi)
        try:
            lifted = await asyncio.to_thread(lift, call.body, self._context.new_sink)
        except StrictJsonError:
            return self._told(_NO_JSON.vi)
        return await self._take_all(lifted, path, take)

    async def _take_all(self, lifted: Lifted, path: str, take: Take) -> Reply:
        """One item, or a list of them: each is taken or told; what was taken is known again when it comes again."""
        is_list = isinstance(lifted.value, list)
        items = lifted.value if is_list else [lifted.value]
        if not 0 < len(items) <= _MOST_ITEMS or not all(isinstance(item, dict) for item in items):
            return self._told(_NO_ITEMS.vi)
        wrong: list[str] = []
        warnings: list[str] = []
        for position in range(len(items)):
            try:
                read = await self._read(lifted, (position,) if is_list else (), path)
                refusal = await _taken(read, take)
            except Senseless as fault:
                wrong.append(f"{position + 1}: {fault.detail.vi}" if is_list else fault.detail.vi)
                continue
            except Busy as fault:
                if not position:
                    raise
                fields = {"Retry-After": str(int(fault.retry_after or 5))}
                return self._told(_LATER.vi, status=503, fields=fields)
            if refusal is not None:
                wrong.append(f"{position + 1}: {refusal.detail.vi}" if is_list else refusal.detail.vi)
            warnings += dict.fromkeys(each.vi for item in read for each in item.warnings)
        if wrong:
            return self._told("; ".join(wrong))
        return self._told("; ".join(["Thành công", *warnings]), is_taken=True)

    async def _read(self, lifted: Lifted, place: tuple[int, ...], path: str) -> tuple[Collected, ...]:
        said: Mapping[str, Any] = lifted.value[place[0]] if place else lifted.value
        if path == _TRACES:
            return (await self._reader.trace(said),)
        if path == _STATISTIC:
            return (await self._reader.statistic(said),)
        files = await asyncio.to_thread(files_of, lifted, place, self._most, self._context.new_sink)
        return await self._reader.document(said, files)

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Raises TransientFailure always: what is for such a system waits in its inbox, and is never pushed."""
        raise TransientFailure(f"{parcel.recipient.name} fetches its messages itself")

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: such a system sends for itself."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Nothing to let go."""

    def _told(
        self, words: str, *, is_taken: bool = False, status: int = 200, fields: Mapping[str, str] | None = None
    ) -> Reply:
        return _json({"Status": self._yes if is_taken else self._no, "Message": words}, status, fields)


async def _taken(items: Sequence[Collected], take: Take) -> NotReceived | None:
    """Take what one document makes, in order; the first refusal where there is one."""
    for item in items:
        answer = await take(item)
        if isinstance(answer, NotReceived):
            return answer
    return None


def asks_for_token(call: Call) -> bool:
    """Whether this is the call by which a token is asked for."""
    return call.path.strip("/").rpartition("/")[2].casefold() == "token"


def _json(body: Mapping[str, Any], status: int = 200, fields: Mapping[str, str] | None = None) -> Reply:
    return Reply(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), status, fields=fields or {})


def _form(body: bytes) -> Mapping[str, list[str]]:
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=20)
    except (ValueError, UnicodeDecodeError):
        return {}


def _basic(given: str) -> tuple[str, str] | None:
    scheme, _, encoded = given.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return ("", "")
    return name, secret


def open_adapter(context: AdapterContext) -> OneStopWso2:
    """The adapter of one system; raises Misconfigured where its gate cannot work."""
    return OneStopWso2(context)


_STRANGER: Final = Text(
    "Chưa có token hoặc token đã hết hạn. Phần mềm một cửa cần gọi /token lấy token mới.",
    "There is no token, or it is over. The one-stop software must ask /token for a new one.",
)
_ONLY_POST: Final = Text(
    "Cửa này chỉ nhận POST. Đơn vị vận hành phần mềm một cửa kiểm tra địa chỉ.",
    "This door takes POST alone. The operator of the one-stop software must look at the address.",
)
_NO_VOTES: Final = Text(
    "Trục chưa nhận kết quả đánh giá (UpdateVote): chưa có hợp đồng dữ liệu cho nội dung này. Phần mềm một cửa không"
    " cần gửi; báo cáo theo cách đang dùng.",
    "The bus takes no votes (UpdateVote): there is no contract for them. The one-stop software need not send them.",
)
_NOT_SERVED: Final = Text(
    "Trục không có địa chỉ này (chỉ có /token, /Document/SyncDocument, /Document/UpdateDocumentTraces,"
    " /Statistic/UpdateStatistic). Đơn vị vận hành phần mềm một cửa kiểm tra cấu hình.",
    "There is no such address here. The operator of the one-stop software must look at its settings.",
)
_NO_JSON: Final = Text(
    "Nội dung không phải JSON hợp lệ (UTF-8), hoặc quá lớn ngoài phần tệp. Phần mềm một cửa cần sửa rồi gửi lại.",
    "The body is no sound JSON, or too large besides its files. The one-stop software must mend it and send again.",
)
_NO_ITEMS: Final = Text(
    f"Nội dung phải là một hồ sơ, hoặc danh sách tối đa {_MOST_ITEMS} hồ sơ. Phần mềm một cửa cần sửa rồi gửi lại.",
    f"The body must be one dossier, or a list of {_MOST_ITEMS} at most. The one-stop software must mend it.",
)
_LATER: Final = Text(
    "Trục đang bận, chưa nhận hết. Phần mềm một cửa gửi lại nguyên như cũ sau ít giây.",
    "The bus is busy and has not taken all. The one-stop software must send the same again in a few seconds.",
)
