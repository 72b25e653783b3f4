"""How the bus proves itself to a far side that wants ``Authorization: Bearer``: a token from a file, or one fetched.

The settings are the same for every adapter that asks for it (``SETTINGS``, to copy into its settings.schema.json).
A fetched token is that of WSO2-like platforms: the form ``grant_type=client_credentials`` posted with HTTP Basic.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gateway.calls.account import secret_in, succeeded
from gateway.calls.address import check_url
from gateway.calls.bearer import Bearer, Granted
from gateway.calls.caller import Answer, Caller
from gateway.core.faults import Misconfigured, Text, TransientFailure

#: The settings as a fragment of JSON Schema: an adapter's schema has these members just so.
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "token_file": {
        "description": "Tệp giữ token cố định, gửi trong Authorization: Bearer - the file with a fixed token, sent as"
        " Authorization: Bearer.",
        "type": "string",
        "minLength": 1,
        "maxLength": 1000,
    },
    "token_url": {
        "description": "Địa chỉ cấp token (grant_type=client_credentials, HTTP Basic), khi token không cố định - where"
        " a token is fetched, where it is no fixed one.",
        "type": "string",
        "pattern": "^https?://[^\\s/?#]+",
        "maxLength": 2000,
    },
    "client_id": {
        "description": "Tên ứng dụng ở nơi cấp token - the application's name where the token is fetched.",
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
    },
    "client_secret_file": {
        "description": "Tệp giữ khoá của ứng dụng ở nơi cấp token - the file with the application's secret there.",
        "type": "string",
        "minLength": 1,
        "maxLength": 1000,
    },
}
_FETCHED: Final = ("token_url", "client_id", "client_secret_file")
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}

Ask = Callable[[Mapping[str, str]], Awaitable[Answer]]


class Pass:
    """One account's proof at one far side; never shown, never logged."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        read_secret: Callable[[str], bytes],
        now: Callable[[], float],
        fetcher: Callable[[str], Caller],
        where: str,
    ) -> None:
        """``fetcher`` makes the caller of the place where tokens are fetched. ``now``: seconds since 1970.

        Raises Misconfigured naming ``where``. Where nothing is set, calls bear no proof.
        """
        fetched = [name for name in _FETCHED if settings.get(name)]
        if (fetched and len(fetched) < len(_FETCHED)) or (fetched and settings.get("token_file")):
            raise Misconfigured(
                f"{where}: token_file",
                Text("Cách lấy token ghi không trọn", "How the token is had is not told wholly"),
                Text(
                    "Ghi token_file, hoặc đủ ba mục token_url, client_id, client_secret_file.",
                    "Set token_file, or all three of token_url, client_id and client_secret_file.",
                ),
            )
        self._settings = settings
        self._read_secret = read_secret
        self._now = now
        self._caller: Caller | None = None
        self._bearer: Bearer | None = None
        if fetched:
            caller = self._caller = fetcher(check_url(str(settings["token_url"]), f"{where}: token_url"))
            self._bearer = Bearer(lambda: self._fetch(caller), now)

    async def asked(self, ask: Ask) -> Answer:
        """The answer to ``ask(header fields)``; a fetched token that is refused is fetched anew once.

        Raises TransientFailure where a secret cannot be read or no token is given, DestinationGone where the account
        is refused.
        """
        if self._bearer is not None:
            return await self._bearer.asked(lambda token: ask({"Authorization": f"Bearer {token}"}))
        file = self._settings.get("token_file")
        return await ask({} if file is None else {"Authorization": f"Bearer {secret_in(str(file), self._read_secret)}"})

    async def close(self) -> None:
        """Close the kept connections."""
        if self._caller is not None:
            await self._caller.close()

    async def _fetch(self, caller: Caller) -> Granted:
        secret = secret_in(str(self._settings["client_secret_file"]), self._read_secret)
        pair = base64.b64encode(f"{self._settings['client_id']}:{secret}".encode()).decode("ascii")
        fields = {**_FORM, "Authorization": f"Basic {pair}"}
        answer = await caller.ask("POST", "", fields=fields, body=b"grant_type=client_credentials")
        value = succeeded(answer, self._now()).json()
        token = value.get("access_token") if isinstance(value, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise TransientFailure("no token was given", answer.status)
        seconds = value.get("expires_in")
        is_told = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        return Granted(token, float(seconds) if is_told else 300.0)
