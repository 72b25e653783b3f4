"""The portal's services as its clients call them: by the security server's adapter, or in two provincial variants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from adapters.dvcqg.session import Session
from adapters.dvcqg.verdict import Table, Verdict, accepted
from gateway.calls.account import secret_in
from gateway.calls.caller import Caller
from gateway.core.faults import TransientFailure
from gateway.core.wire_record import name_in
from gateway.ports import AdapterContext

#: ``national``: one address for all services, told by name; ``hgg``: a bare list, the rest in the address; ``thh``:
#: three addresses.
Variant = Literal["national", "hgg", "thh"]
Outcome = Literal["done", "there", "absent"]
_JSON: Final = {"Content-Type": "application/json", "Charset": "utf-8"}
_LONGEST_SESSION: Final = 4096
_DICTIONARY: Final = 64 << 20


class Portal:
    """One account at the portal. Every method raises what the adapters' port lets ``deliver`` raise."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema."""
        settings = self._settings = context.settings
        self._context = context
        self._variant: Variant = settings.get("variant", "national")
        self._table = Table(Path(__file__).parent / "wire" / "verdicts.json")
        self._caller = Caller(
            str(settings["url"]),
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(settings.get("private", True)),
            timeout=float(settings.get("timeout", 60)),
        )
        self._session = Session(self._log_in)

    async def exists(self, code: str, delivery: str = "") -> bool | None:
        """``TraCuuHoSo``: whether the portal has the dossier; None where it cannot be asked or does not say."""
        if self._variant != "national":
            return None
        verdict = accepted(await self._ask("TraCuuHoSo", {"mahoso": code}, delivery), "done", "there", "absent")
        if verdict.kind != "done":
            return verdict.kind == "there"
        rows = verdict.rows
        return None if rows is None else bool(rows)

    async def put(self, item: Mapping[str, Any], *, is_updating: bool, delivery: str) -> Outcome:
        """``DongBoHoSoMC``: the whole dossier; ``there`` and ``absent`` where it is to be said the other way round."""
        flag = "True" if is_updating else "False"
        if self._variant == "hgg":
            verdict = await self._post("DongBoHoSoMC", [item], delivery, isUpdating=flag)
        elif self._variant == "thh":
            verdict = await self._post_local("update" if is_updating else "add", [item], delivery)
        else:
            verdict = await self._ask("DongBoHoSoMC", {"isUpdating": flag, "data": [item]}, delivery)
        return accepted(verdict, "done", "absent" if is_updating else "there").kind  # type: ignore[return-value]

    async def tell(self, steps: Sequence[Mapping[str, Any]], delivery: str) -> Outcome:
        """``CapNhatTienDoHoSoMC``: steps, so many at a time; ``absent`` where their dossier is not there."""
        size = int(self._settings.get("chunk", 10))
        for start in range(0, len(steps), size):
            chunk = list(steps[start : start + size])
            if self._variant == "hgg":
                verdict = await self._post("CapNhatTienDoHoSoMC", chunk, delivery)
            elif self._variant == "thh":
                verdict = await self._post_local("progress", chunk, delivery)
            else:
                verdict = await self._ask("CapNhatTienDoHoSoMC", {"data": chunk}, delivery)
            if accepted(verdict, "done", "absent").kind == "absent":
                return "absent"
        return "done"

    async def dictionary(self, service: str, **extra: str) -> list[Mapping[str, Any]]:
        """The rows of a dictionary."""
        verdict = accepted(await self._ask(service, extra, share=True), "done", "absent")
        return verdict.rows or []

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()

    # ---------------------------------------------------------------------------------------------------- calls

    async def _ask(self, service: str, extra: Mapping[str, Any], delivery: str = "", *, share: bool = False) -> Verdict:
        endpoint = str(self._settings["share_endpoint" if share else "integration_endpoint"])
        fields = self._fields(delivery, self._settings.get("share_dstcode") if share else None)

        async def ask(session: str) -> Verdict:
            body = {"session": session, "madonvi": self._settings["madonvi"], "service": service, **extra}
            return await self._said("POST", endpoint, fields, body, most=_DICTIONARY if share else 8 << 20)

        return await self._session.asked(ask)

    async def _log_in(self) -> str:
        password = await asyncio.to_thread(secret_in, str(self._settings["password_file"]), self._context.read_secret)
        body = {"username": self._settings["username"], "password": password}
        fields = self._fields("", self._settings.get("auth_dstcode"))
        endpoint = str(self._settings["auth_endpoint"])
        verdict = accepted(await self._said("POST", endpoint, fields, body, is_login=True), "done")
        session = name_in(verdict.frame, "session")
        if not isinstance(session, str) or not 0 < len(session) <= _LONGEST_SESSION:
            raise TransientFailure("the portal's login gives no session", 200)
        return session

    async def _post(self, service: str, data: Sequence[Any], delivery: str, **params: str) -> Verdict:
        params = {"MaDinhDanhDV": str(self._settings["madonvi"]), **params}
        return await self._said("POST", f"/{service}", {**_JSON, **_told(delivery)}, list(data), params=params)

    async def _post_local(self, which: str, data: Sequence[Any], delivery: str) -> Verdict:
        body: Any = list(data) if self._settings.get("body", "data") == "array" else {"data": list(data)}
        return await self._said("POST", str(self._settings[f"{which}_path"]), {**_JSON, **_told(delivery)}, body)

    async def _said(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: Any,
        *,
        params: Mapping[str, str] | None = None,
        most: int = 8 << 20,
        is_login: bool = False,
    ) -> Verdict:
        raw = json.dumps(body, ensure_ascii=False).encode()
        answer = await self._caller.ask(method, path, params=params, fields=fields, body=raw, most=most)
        return await asyncio.to_thread(self._table.verdict, answer, self._context.now(), is_login=is_login)

    def _fields(self, delivery: str, dstcode: Any) -> dict[str, str]:
        return {**_JSON, "dstcode": str(dstcode or self._settings["dstcode"]), **_told(delivery)}


def _told(delivery: str) -> dict[str, str]:
    """The wire has no place for it: whoever keeps logs of header fields can tell repeats by it."""
    return {"lgsp-delivery": delivery} if delivery else {}
