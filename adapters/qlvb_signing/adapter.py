"""A document management system (QLVB): drafts go there to be signed, and what came of them comes back by a call.

A request is told apart by ``IDHoSo``: where an answer was lost the same is sent again, and the far side must know it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from adapters.qlvb_signing.request import Means, Requests
from adapters.qlvb_signing.result import Names, Results, Senseless
from gateway.calls.account import secret_in, succeeded
from gateway.calls.address import check_url
from gateway.calls.caller import Answer, Caller
from gateway.calls.gate import Gate
from gateway.calls.granted import Pass
from gateway.calls.lasting import Lasting
from gateway.core.brought import Bringer
from gateway.core.faults import Busy, Misconfigured, PermanentFailure, Text, TimedOut, TransientFailure
from gateway.ports import (
    AdapterContext,
    Call,
    Collected,
    HandedOver,
    NotReceived,
    Parcel,
    Reply,
    Take,
    Uncollectable,
)

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = False
ANSWERS: Final = True
_FOLDER: Final = Path(__file__).parent
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_NEVER: Final = frozenset({400, 415, 422})
_MEBIBYTE: Final = 1 << 20
_LONGEST_REFERENCE: Final = 100


class QlvbSigning:
    """One document management system."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file; raises Misconfigured."""
        settings = self._settings = context.settings
        self._context = context
        where = f"{context.system.name}: settings"
        self._variant: Literal["gui-ho-so", "hau-giang"] = settings.get("variant", "gui-ho-so")
        if self._variant == "hau-giang" and "path" not in settings:
            raise Misconfigured(
                f"{where}.path",
                Text("Kiểu hau-giang chưa có đường dẫn", "The variant hau-giang has no path"),
                Text("Ghi path do đơn vị vận hành phần mềm cấp", "Set path as the software's operator names it"),
            )
        means = Means(
            context.open_file, context.link, settings.get("files") == "link",
            int(settings.get("max_mebibytes", 64)) * _MEBIBYTE, context.new_sink,
        )  # fmt: skip
        self._requests = Requests(
            _FOLDER, self._variant, means, code_in_abstract=bool(settings.get("code_in_abstract"))
        )
        names = Names(
            str(settings.get("request_member", "IDHoSo")), str(settings.get("dossier_member", "MaHoSo")),
            settings.get("reason_member"), settings.get("trace_names") == "request",
        )  # fmt: skip
        self._door = context.door
        bringer = Bringer.of(_FOLDER.name, context.system.name, settings)
        self._results = Results(_FOLDER, names, bringer, context.new_sink)
        #: Who may call; the bus asks it before it reads a body.
        self.gate = Gate.of(settings, context.read_secret, where)
        self._caller = self._calling(check_url(str(settings["url"]), f"{where}.url"))
        self._pass = Pass(settings, context.read_secret, context.now, self._calling, where)
        self._lasting = Lasting()

    def _calling(self, base: str) -> Caller:
        context = self._context
        return Caller(
            base,
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(context.settings.get("private", True)),
            timeout=float(context.settings.get("timeout", 60)),
        )

    # -------------------------------------------------------------------------------------------------- out

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Send a draft to be signed; a large one goes on being sent, and the next try finds how it ended."""
        data = parcel.event.get("data")
        if parcel.event.get("type") != "signing.requested" or not isinstance(data, Mapping):
            raise PermanentFailure("this system takes requests to sign alone: it cannot say this message")
        return await self._lasting.of(parcel.delivery, lambda: self._deliver(parcel.delivery, data))

    async def _deliver(self, delivery: str, data: Mapping[str, Any]) -> HandedOver:
        body = await asyncio.to_thread(self._requests.body, data, self._callback(data))
        fields = {**_JSON, "lgsp-delivery": delivery, **self._keys()}
        path = str(self._settings.get("path", "/GuiHoSo"))
        answer = await self._pass.asked(
            lambda proof: self._caller.ask("POST", path, fields={**fields, **proof}, body=body)
        )
        return self._judged(answer)

    def _callback(self, data: Mapping[str, Any]) -> str | None:
        """Where what comes of it is to be told."""
        door = str(self._settings.get("callback_url") or self._door.rstrip("/"))
        if not door or not self._settings.get("callback_names_dossier"):
            return door or None
        names = "/".join(quote(str(data[name]), safe="") for name in ("dossierCode", "requestId"))
        return f"{door.rstrip('/')}/ho-so/{names}"

    def _keys(self) -> dict[str, str]:
        """The header fields of the variant of Hậu Giang."""
        named = {"lgspaccesstoken": "lgsp_token_file", "X-Authentication-Token": "authentication_token_file"}
        return {
            field: secret_in(str(self._settings[name]), self._context.read_secret)
            for field, name in named.items()
            if name in self._settings
        }

    def _judged(self, answer: Answer) -> HandedOver:
        """What the answer to a request means: success is what stands in it, whatever its status says."""
        if answer.status in _NEVER:
            raise PermanentFailure(f"the far side refuses the request with status {answer.status}", answer.status)
        value = succeeded(answer, self._context.now()).json()
        # How the variant of Hậu Giang answers is not known: there an object without an error has to do.
        is_told = self._variant == "hau-giang" or (isinstance(value, dict) and bool({"data", "error"} & set(value)))
        if not isinstance(value, dict) or not is_told:
            # It may have been taken: the words for it are missing.
            raise TimedOut("the answer does not say whether the request was taken", answer.status)
        settings, error = self._settings, value.get("error")
        code = error.get("code") if isinstance(error, dict) else error
        said = "" if code is None else str(code).strip()
        if said in {"", *settings.get("success_codes", ("0", "00", "200"))}:
            reference = value.get("data")
            is_name = isinstance(reference, str | int) and not isinstance(reference, bool)
            return HandedOver(answer.status, reference=str(reference)[:_LONGEST_REFERENCE] if is_name else None)
        if said in settings.get("known_codes", ()):
            return HandedOver(answer.status, reference="it was there already")
        shown = said if said.replace("-", "").isalnum() and len(said) <= 20 and said.isascii() else "(words)"
        if said in settings.get("final_codes", ()):
            raise PermanentFailure(f"the far side refuses the request: error.code {shown}", answer.status)
        raise TransientFailure(f"the far side does not take the request: error.code {shown}", answer.status)

    # --------------------------------------------------------------------------------------------------- in

    async def answer(self, call: Call, take: Take) -> Reply:
        """Take what came of a request, and say in the far side's frame whether it was taken."""
        if not self.gate.lets_in(call):
            return _no(401, "unauthenticated", _STRANGER)
        if call.method != "POST":
            return _no(405, "method-not-allowed", _POST)
        try:
            item = await self._results.read(call.path, call.body, self._context.now())
            answer = await take(item)
        except Senseless as why:
            return _no(400, "bad-request", why.text)
        except Busy as fault:
            wait = {} if fault.retry_after is None else {"Retry-After": str(max(1, round(fault.retry_after)))}
            return _no(503, fault.problem, fault.detail, wait)
        if isinstance(answer, NotReceived):
            return _no(422, answer.problem, answer.detail)
        error = {"code": self._settings.get("answer_code", 0), "internalMessage": "", "userMessage": ""}
        return Reply(json.dumps({"data": answer.id, "error": error}).encode())

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - nothing waits there
        """Nothing waits: what comes back comes by a call."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Stop what is under way and close the kept connections."""
        await self._lasting.close()
        await self._caller.close()
        await self._pass.close()


def _no(status: int, problem: str, detail: Text, fields: Mapping[str, str] | None = None) -> Reply:
    error = {"code": problem, "internalMessage": detail.en, "userMessage": detail.vi}
    body = json.dumps({"data": None, "error": error}, ensure_ascii=False).encode()
    return Reply(body, status, fields=fields or {})


_STRANGER: Final = Text(
    "Bên gọi chưa chứng minh được mình là ai. Đơn vị vận hành phần mềm quản lý văn bản kiểm tra địa chỉ và khoá đã"
    " thống nhất với đơn vị vận hành trục.",
    "The caller did not prove who it is. The operator of the document management software must check address and secret"
    " as agreed with the operator of the bus.",
)
_POST: Final = Text(
    "Cửa này chỉ nhận POST. Phần mềm quản lý văn bản cần gọi bằng POST.",
    "This door takes POST alone. The document management software must use POST.",
)


def open_adapter(context: AdapterContext) -> QlvbSigning:
    """The adapter of one system; raises Misconfigured where the settings cannot work."""
    return QlvbSigning(context)
