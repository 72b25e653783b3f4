"""How the bus proves itself to the services of the national axis and to others like them: auth profiles as data.

    profile = open_profile(account, read_secret=..., now=..., caller_of=..., where=...)
    answer  = await profile.proven(ask, officer="mau.nv")

``account`` is a table of settings with ``profile`` (a name in ``PROFILES``) and what it needs (``ACCOUNT`` is its JSON
Schema, to copy). ``ask(proof)`` makes one exchange with the proof added (``proof.fields``, ``.params``, ``.members``,
``.under``) and answers anything with ``is_unproven``; where that is true a proof that can be renewed is renewed, once,
and it is asked once more. Secrets are read from their files at the moment of use, and stand in no error.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

from gateway.calls.account import REFUSED, secret_in, succeeded
from gateway.calls.caller import Caller
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, Text, TransientFailure

#: profile -> what its account must name.
PROFILES: Final[Mapping[str, tuple[str, ...]]] = {
    "none": (),
    "basic": ("username", "password_file"),
    "session": ("url", "username", "password_file"),
    "wso2": ("url", "client_id", "client_secret_file"),
    "password": ("url", "username", "password_file"),
    "lgsp-token": ("url", "access_key", "secret_key_file", "app_name", "partner_code", "partner_code_cus"),
    "authhash": (
        "url", "access_key", "secret_key_file", "app_name", "partner_code", "partner_code_cus", "officers",
    ),
    "apikey": ("key_file", "unit"),
    "acceptkey": ("key_file",),
    "bodykey": ("key_file", "member"),
    "jwt": ("url", "username", "password_file"),
}  # fmt: skip
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 1000}
_URL: Final = {"type": "string", "pattern": "^https?://[^\\s/?#]+", "maxLength": 2000}
#: One account as JSON Schema; settings hold as many as they like, each under a name of its own.
ACCOUNT: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["profile"],
    "additionalProperties": False,
    "properties": {
        "profile": {"description": "Cách xác thực - the way of proof.", "enum": list(PROFILES)},
        "url": {**_URL, "description": "Địa chỉ đăng nhập hoặc cấp token - where a session or token is had."},
        "username": {**_TEXT, "description": "Tên tài khoản - the account's name."},
        "password_file": {**_TEXT, "description": "Tệp giữ mật khẩu - the file with the password."},
        "client_id": {**_TEXT, "description": "Consumer key của ứng dụng - the application's key."},
        "client_secret_file": {**_TEXT, "description": "Tệp giữ consumer secret - the file with its secret."},
        "access_key": {**_TEXT, "description": "AccessKey được cấp - the AccessKey."},
        "secret_key_file": {**_TEXT, "description": "Tệp giữ SecretKey - the file with the SecretKey."},
        "app_name": {**_TEXT, "description": "AppName - the AppName."},
        "partner_code": {**_TEXT, "description": "PartnerCode - the PartnerCode."},
        "partner_code_cus": {**_TEXT, "description": "PartnerCodeCus - the PartnerCodeCus."},
        "officers": {
            "description": "Tài khoản cán bộ -> tệp giữ keyName:keyPass - an officer's account -> its key file.",
            "type": "object",
            "maxProperties": 5000,
            "additionalProperties": _TEXT,
        },
        "key_file": {**_TEXT, "description": "Tệp giữ khoá - the file with the key."},
        "member": {**_TEXT, "description": "bodykey: tên thành phần mang khoá - the member that bears the key."},
        "unit": {**_TEXT, "description": "Mã đơn vị (MaDonVi) - the unit's code."},
        "fields": {
            "description": "Tiêu đề thêm khi đăng nhập, ví dụ dstcode - header fields of the login, such as dstcode.",
            "type": "object",
            "maxProperties": 20,
            "additionalProperties": _TEXT,
        },
        "refresh_url": {**_URL, "description": "jwt: địa chỉ làm mới token, nếu có - where a token is refreshed."},
        "refresh_body": {
            "description": "jwt: thân lời gọi làm mới; {token} và {refreshToken} được thay - the refresh call's body.",
            "type": "object",
            "maxProperties": 10,
            "additionalProperties": _TEXT,
        },
    },
}
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
#: A token is not used in its last seconds; one whose term nobody tells is kept so long, or until it is refused.
_MARGIN: Final = 30.0
_UNTOLD: Final = 300.0
_LONGEST: Final = 8192
_NO_OFFICER: Final = "the query names no officer for whom a key is registered; the operator must add it to officers"


@dataclass(frozen=True, slots=True)
class Proof:
    """What one exchange bears: header fields, parameters, members of the body; ``under``: all else goes below that."""

    fields: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    under: str = ""

    def body(self, value: Any) -> Any:
        """``value`` with what the proof adds to it."""
        if self.under:
            return {**self.members, self.under: value.decode() if isinstance(value, bytes) else value}
        return {**self.members, **value} if self.members and isinstance(value, Mapping) else value


class Provable(Protocol):
    """An answer that can say that the proof was refused."""

    @property
    def is_unproven(self) -> bool:
        """Whether the far side wants another proof."""


A = TypeVar("A", bound=Provable)


class Profile(Protocol):
    """One account at one place; never shown, never logged."""

    async def proven(self, ask: Callable[[Proof], Awaitable[A]], officer: str = "") -> A:
        """The answer to ``ask(proof)``. Raises DestinationGone where the account is refused, PermanentFailure where an
        officer has no key, TransientFailure where no proof can be had.
        """

    async def close(self) -> None:
        """Close the kept connections."""


@dataclass(frozen=True, slots=True)
class _Ways:
    """What every profile works with."""

    account: Mapping[str, Any]
    read_secret: Callable[[str], bytes]
    now: Callable[[], float]
    caller: Caller | None

    def secret(self, name: str) -> str:
        return secret_in(str(self.account[name]), self.read_secret)

    async def posted(self, fields: Mapping[str, str], body: bytes, caller: Caller | None = None) -> dict[str, Any]:
        caller = caller or self.caller
        assert caller is not None  # noqa: S101 - profiles that post need a url
        own = {str(name): str(value) for name, value in self.account.get("fields", {}).items()}
        answer = await caller.ask("POST", "", fields={**own, **fields}, body=body)
        value = succeeded(answer, self.now()).json()
        return value if isinstance(value, dict) else {}


class Fixed:
    """What never changes by itself: nothing, HTTP Basic, a key."""

    def __init__(self, ways: _Ways) -> None:
        self._ways = ways

    async def proven(self, ask: Callable[[Proof], Awaitable[A]], officer: str = "") -> A:  # noqa: ARG002
        """One exchange; a refused key is the operator's to mend."""
        answer = await ask(await asyncio.to_thread(self._proof))
        if answer.is_unproven:
            raise DestinationGone(REFUSED, 401)
        return answer

    async def close(self) -> None:
        """Nothing is kept."""

    def _proof(self) -> Proof:
        ways, kind = self._ways, self._ways.account["profile"]
        if kind == "basic":
            pair = f"{ways.account['username']}:{ways.secret('password_file')}"
            return Proof({"Authorization": f"Basic {_base64(pair)}"})
        if kind == "none":
            return Proof()
        key = ways.secret("key_file")
        if kind == "bodykey":
            return Proof(members={str(ways.account["member"]): key})
        bearer = {"Authorization": f"Bearer {key}"}
        if kind == "acceptkey":
            return Proof(bearer, members={"AcceptKey": key})
        return Proof({**bearer, "ApiKey": key, "MaDonVi": str(ways.account["unit"])}, {"APIKey": key})


class Renewed:
    """What is had at a login and lost in mid-work: got once for all who wait, renewed once where it is refused."""

    def __init__(self, ways: _Ways, refresher: Caller | None = None) -> None:
        self._ways = ways
        self._refresher = refresher
        self._turn = asyncio.Lock()
        self._had: dict[str, str] = {}
        self._until = 0.0

    async def proven(self, ask: Callable[[Proof], Awaitable[A]], officer: str = "") -> A:
        """At most two exchanges."""
        kind = self._ways.account["profile"]
        key = await asyncio.to_thread(self._officer, officer) if kind == "authhash" else ""
        had = await self._current()
        answer = await ask(self._proof(had, key))
        if not answer.is_unproven:
            return answer
        async with self._turn:
            # Somebody may have renewed it meanwhile.
            if self._had is had:
                self._until = 0.0
        answer = await ask(self._proof(await self._current(), key))
        if answer.is_unproven:
            raise DestinationGone(REFUSED, 401)
        return answer

    async def close(self) -> None:
        """Close the kept connections."""
        for caller in (self._ways.caller, self._refresher):
            if caller is not None:
                await caller.close()

    async def _current(self) -> dict[str, str]:
        async with self._turn:
            if not self._had or self._ways.now() >= self._until:
                self._had, seconds = await self._obtained()
                self._until = self._ways.now() + max(1.0, seconds - _MARGIN)
            return self._had

    def _officer(self, officer: str) -> str:
        file = self._ways.account["officers"].get(officer)
        if file is None:
            raise PermanentFailure(_NO_OFFICER)
        return _base64(secret_in(str(file), self._ways.read_secret))

    def _proof(self, had: Mapping[str, str], key: str) -> Proof:
        kind, token = self._ways.account["profile"], had["token"]
        if kind == "session":
            return Proof(members={"session": token})
        bearer = {"Authorization": f"Bearer {token}"}
        if kind == "lgsp-token":
            return Proof({**bearer, "lgspaccesstoken": had["lgsp"]})
        if kind == "authhash":
            members = {"accessToken": f"Bearer {token}", "lgspAccessToken": had["lgsp"], "AuthHash": key}
            return Proof(members=members, under="data")
        return Proof(bearer)

    async def _obtained(self) -> tuple[dict[str, str], float]:
        """What a login gives, and for how many seconds."""
        ways, account = self._ways, self._ways.account
        kind = account["profile"]
        if kind == "session":
            login = {"username": account["username"], "password": await asyncio.to_thread(ways.secret, "password_file")}
            # The far side tells no term: it is kept until it is refused.
            return {"token": _token(await ways.posted(_JSON, _json(login)), "session")}, float("inf")
        if kind == "jwt":
            return await self._jwt(), float("inf")
        if kind == "password":
            body = "grant_type=password&" + _form(
                username=str(account["username"]), password=await asyncio.to_thread(ways.secret, "password_file")
            )
            said = await ways.posted(_FORM, body.encode())
            return {"token": _token(said, "access_token")}, _seconds(said)
        fields, lgsp = dict(_FORM), ""
        if kind == "wso2":
            secret = await asyncio.to_thread(ways.secret, "client_secret_file")
            pair = _base64(f"{account['client_id']}:{secret}")
            fields["Authorization"] = f"Basic {pair}"
        else:
            fields["lgspaccesstoken"] = lgsp = await asyncio.to_thread(self._lgsp)
        said = await ways.posted(fields, b"grant_type=client_credentials")
        return {"token": _token(said, "access_token"), "lgsp": lgsp}, _seconds(said)

    def _lgsp(self) -> str:
        account = self._ways.account
        value = {
            "AccessKey": account["access_key"],
            "SecretKey": self._ways.secret("secret_key_file"),
            "AppName": account["app_name"],
            "PartnerCode": account["partner_code"],
            "PartnerCodeCus": account["partner_code_cus"],
        }
        return _base64(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    async def _jwt(self) -> dict[str, str]:
        """A refreshed token where there is a way to refresh and it works; else a new login."""
        ways, account = self._ways, self._ways.account
        if self._refresher is not None and self._had.get("refreshToken"):
            body = {
                str(name): str(value).replace("{token}", self._had["token"]).replace(
                    "{refreshToken}", self._had["refreshToken"]
                )
                for name, value in account.get("refresh_body", {}).items()
            }  # fmt: skip
            try:
                return _jwt(await ways.posted(_JSON, _json(body), self._refresher))
            except (TransientFailure, PermanentFailure):
                # The refresh token is over, too: the account itself is asked.
                self._had = {}
        login = {"userName": account["username"], "password": await asyncio.to_thread(ways.secret, "password_file")}
        return _jwt(await ways.posted(_JSON, _json(login)))


def open_profile(
    account: Mapping[str, Any],
    *,
    read_secret: Callable[[str], bytes],
    now: Callable[[], float],
    caller_of: Callable[[str], Caller],
    where: str,
) -> Profile:
    """The profile of one account; ``caller_of`` makes the caller of an address. ``now``: seconds since 1970.

    Raises Misconfigured naming ``where`` for an account that is not told wholly.
    """
    check_account(account, where)
    kind = str(account.get("profile", "none"))
    url = account.get("url")
    ways = _Ways({**account, "profile": kind}, read_secret, now, None if url is None else caller_of(str(url)))
    if kind in {"none", "basic", "apikey", "acceptkey", "bodykey"}:
        return Fixed(ways)
    refresh = account.get("refresh_url")
    return Renewed(ways, None if refresh is None else caller_of(str(refresh)))


def check_account(account: Mapping[str, Any], where: str) -> None:
    """Raises Misconfigured naming ``where`` for an account that is not told wholly."""
    kind = str(account.get("profile", "none"))
    missing = [name for name in PROFILES.get(kind, ("profile",)) if not account.get(name)]
    if bool(account.get("refresh_url")) != bool(account.get("refresh_body")):
        missing.append("refresh_body" if account.get("refresh_url") else "refresh_url")
    if missing:
        raise Misconfigured(
            where,
            Text(f"Thiếu {', '.join(missing)}", f"{', '.join(missing)} missing"),
            Text(f"Tài khoản kiểu {kind} cần các mục này.", f"An account of the profile {kind} needs them."),
        )


def _jwt(said: Mapping[str, Any]) -> dict[str, str]:
    refresh = said.get("refreshToken")
    return {"token": _token(said, "token"), "refreshToken": refresh if isinstance(refresh, str) else ""}


def _token(said: Mapping[str, Any], name: str) -> str:
    token = said.get(name)
    if not isinstance(token, str) or not 0 < len(token) <= _LONGEST or not (token.isascii() and token.isprintable()):
        raise TransientFailure("the login gives no token", 200)
    return token


def _seconds(said: Mapping[str, Any]) -> float:
    seconds = said.get("expires_in")
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 10:
        seconds = int(seconds)
    is_told = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return float(seconds) if is_told else _UNTOLD  # type: ignore[arg-type]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _form(**pairs: str) -> str:

    return urlencode(pairs)
