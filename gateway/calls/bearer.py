"""An access token kept for as long as it is good: obtained once for all who wait, renewed once where it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from gateway.calls.account import REFUSED
from gateway.calls.caller import Answer
from gateway.core.faults import DestinationGone

#: A token is not used in its last seconds: the far side's clock decides.
_MARGIN: Final = 30.0
_UNAUTHORIZED: Final = 401


class Granted(NamedTuple):
    """A token and for how many seconds it is good."""

    token: str
    seconds: float


class Bearer:
    """The token of one account at one place; never shown, never logged."""

    def __init__(self, obtain: Callable[[], Awaitable[Granted]], now: Callable[[], float]) -> None:
        """``obtain`` logs in; ``now`` is seconds since 1970."""
        self._obtain = obtain
        self._now = now
        self._turn = asyncio.Lock()
        self._token: str | None = None
        self._until = 0.0

    async def asked(self, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
        """The answer to ``ask(token)``; where that is a 401 the token is renewed and it is asked once more, not again.

        Raises DestinationGone where a new token is refused, too: the account has lost its rights.
        """
        token = await self._current()
        answer = await ask(token)
        if answer.status != _UNAUTHORIZED:
            return answer
        self._forget(token)
        answer = await ask(await self._current())
        if answer.status == _UNAUTHORIZED:
            raise DestinationGone(REFUSED, _UNAUTHORIZED)
        return answer

    async def _current(self) -> str:
        async with self._turn:
            if self._token is None or self._now() >= self._until:
                granted = await self._obtain()
                self._token = granted.token
                self._until = self._now() + max(0.0, granted.seconds - _MARGIN)
            return self._token

    def _forget(self, token: str) -> None:
        # Somebody may have renewed it meanwhile.
        if self._token == token:
            self._token = None
