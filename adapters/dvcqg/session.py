"""The session at the portal: got once for all who wait, kept while it is good, got anew once where it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from adapters.dvcqg.verdict import Verdict
from gateway.calls.account import REFUSED
from gateway.core.faults import DestinationGone


class Session:
    """The session of one account; never shown, never logged. The portal says no term: it is kept until refused."""

    def __init__(self, log_in: Callable[[], Awaitable[str]]) -> None:
        self._log_in = log_in
        self._turn = asyncio.Lock()
        self._session: str | None = None

    async def asked(self, ask: Callable[[str], Awaitable[Verdict]]) -> Verdict:
        """The verdict on ``ask(session)``; where the session is refused it is got anew and asked once more, not again.

        Raises DestinationGone where a new session is refused, too: the account has lost its rights.
        """
        session = await self._current()
        verdict = await ask(session)
        if verdict.kind != "session":
            return verdict
        # Somebody may have got a new one meanwhile.
        if self._session == session:
            self._session = None
        verdict = await ask(await self._current())
        if verdict.kind == "session":
            raise DestinationGone(REFUSED, 401)
        return verdict

    async def _current(self) -> str:
        async with self._turn:
            if self._session is None:
                self._session = await self._log_in()
            return self._session
