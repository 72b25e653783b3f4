"""The portal's dictionary of procedures, looked through at a walking pace: what changed since becomes a message."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from adapters.dvcqg.item import rules
from adapters.dvcqg.service import Portal
from gateway.core.brought import Bringer
from gateway.core.faults import DeliveryFailure, Text
from gateway.core.handover import Collected, Uncollectable
from gateway.core.moments import format_moment
from gateway.core.wire_record import Shape, canonical_bytes, name_in, tidied
from gateway.ports import AdapterContext

_CONTRACT: Final = "procedure.catalogue"
#: Procedures that wait at a time, and seconds that one round of the bus may take.
_A_ROUND: Final = 10
_SECONDS: Final = 3.0
_REMEMBERED: Final = 20_000
#: What an item of a list is nothing without.
_NEEDED: Final = {"channels": "channel", "components": "name"}
#: How long the file of refusals may grow (bytes).
_MOST_TOLD: Final = 4 << 20
#: What was settled in this process, by system and address: an adapter that is opened anew need not bring it again.
#: After a start everything is brought once more; the same origin is the same message, so nobody notices.
_SETTLED: Final[dict[tuple[str, str], OrderedDict[str, None]]] = {}


class Catalogue:
    """One look at the whole list every so often; each procedure once a look."""

    def __init__(self, context: AdapterContext, portal: Portal, bringer: Bringer) -> None:
        """Settings: ``catalogue_hours``, ``catalogue_pace`` (seconds between two procedures)."""
        settings = context.settings
        self._context = context
        self._portal = portal
        self._bringer = bringer
        self._rules = rules("procedure_in.json")
        self._shape = Shape.of(self._rules)
        self._every = float(settings.get("catalogue_hours", 24)) * 3600
        self._pace = float(settings.get("catalogue_pace", 1))
        self._settled = _SETTLED.setdefault((context.system.name, str(settings["url"])), OrderedDict())
        file = settings.get("refusals_file")
        self._refusals = None if file is None else context.folder / str(file)
        self._codes: deque[str] = deque()
        self._next_look = 0.0
        self._next_ask = 0.0
        self._waiting: OrderedDict[str, Collected | Uncollectable] = OrderedDict()

    async def collect(self, limit: int) -> list[Collected | Uncollectable]:
        """Procedures that changed, the same again until settled."""
        for token in [token for token in self._waiting if token in self._settled]:
            del self._waiting[token]
        if not self._codes and not self._waiting and self._context.now() >= self._next_look:
            self._codes = deque(await self._listed())
            self._next_look = self._context.now() + self._every
        loop = asyncio.get_running_loop()
        end = loop.time() + _SECONDS
        # Nobody sleeps here: the other systems of the bus wait for their turn meanwhile.
        while self._codes and len(self._waiting) < min(limit, _A_ROUND) and self._next_ask <= loop.time() < end:
            self._next_ask = loop.time() + self._pace
            try:
                item = await self._one(self._codes[0])
            except DeliveryFailure:
                if self._waiting:
                    break
                raise
            self._codes.popleft()
            if item.token not in self._settled:
                self._waiting[item.token] = item
        return list(self._waiting.values())[:limit]

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """The item was accepted, or refused for good: it comes again when it has changed. Other tokens are nobody's.

        The dictionary takes no answer, so a refusal goes to the province's own file of refusals, where it has one.
        """
        if not _is_token(token) or token in self._settled:
            return
        if refusal is not None and self._refusals is not None:
            await asyncio.to_thread(_note, self._refusals, self._context.now(), self._waiting.get(token), *refusal)
        self._waiting.pop(token, None)
        self._settled[token] = None
        if len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)

    async def _listed(self) -> list[str]:
        """The codes of all procedures."""
        rows = await self._portal.dictionary("LayDanhSachTTHC")
        codes = [str(name_in(row, "MATTHC") or "").strip() for row in rows]
        return list(dict.fromkeys(code for code in codes if code))

    async def _one(self, code: str) -> Collected | Uncollectable:
        rows = await self._portal.dictionary("LayThuTuc", maTTHC=code)
        row: Mapping[str, Any] = rows[0] if rows else {}
        tidy = tidied(row, self._shape)
        token = f"{hashlib.sha256(code.encode()).hexdigest()[:16]}-{hashlib.sha256(canonical_bytes(row)).hexdigest()}"
        if tidy.faults or tidy.record.get("MATTHC") != code or "TENTTHC" not in tidy.record:
            return Uncollectable(token, "not-a-procedure", _NO_PROCEDURE)
        data = self._rules.apply(tidy.record)
        for name, needed in _NEEDED.items():
            if name in data:
                data[name] = [each for each in data[name] if needed in each]
        if tidy.unknown:
            data["ext"] = {"dvcqg": tidy.unknown}
        return self._bringer.message(
            _CONTRACT, "1.0", data, subject=code, identity=(code, token), now=self._context.now(),
            warnings=tidy.warnings, token=token,
        )  # fmt: skip


def _note(file: Path, now: float, item: Collected | Uncollectable | None, reason: str, detail: Text) -> None:
    """One line on what was refused; what is over the limit is told by the audit of the bus alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    code = item.event["subject"] if isinstance(item, Collected) else ""
    line = {"at": format_moment(now), "procedure": code, "reason": reason, "vi": detail.vi, "en": detail.en}
    with file.open("a", encoding="utf-8") as written:
        if written.tell() < _MOST_TOLD:
            written.write(json.dumps(line, ensure_ascii=False) + "\n")


def _is_token(token: str) -> bool:
    head, dash, tail = token.partition("-")
    return dash == "-" and len(head) == 16 and len(tail) == 64 and (head + tail).isalnum()


_NO_PROCEDURE: Final = Text(
    "Cổng liệt kê thủ tục này nhưng không trả được nội dung đọc được (mã và tên). Cơ quan công bố thủ tục cần kiểm tra"
    " trên Cơ sở dữ liệu quốc gia về thủ tục hành chính.",
    "The portal lists this procedure but gives nothing readable (code and name) of it. The agency that publishes it"
    " must look at it in the national database of procedures.",
)
