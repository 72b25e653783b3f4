"""The national public-service portal: told how dossiers stand, heard when something is filed, its procedures read.

What is said when is in ``telling.py``, what its calls bring in ``counter.py`` and ``filing.py``, the procedures in
``catalogue.py``; the names of the wire are data under ``wire/``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal

from adapters.dvcqg.bill import Bills
from adapters.dvcqg.catalogue import Catalogue
from adapters.dvcqg.counter import Counter
from adapters.dvcqg.fetching import Fetching
from adapters.dvcqg.filing import Filing
from adapters.dvcqg.item import Items, rules
from adapters.dvcqg.service import Portal
from adapters.dvcqg.telling import Telling
from gateway.calls.address import check_url
from gateway.calls.gate import Gate
from gateway.core.brought import Bringer
from gateway.core.faults import Misconfigured, Text
from gateway.core.translation import Rules
from gateway.core.visit import Call, Reply
from gateway.core.wire_record import name_in
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Take, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
#: The portal's dictionary of procedures alone: dossiers come by the door.
COLLECTS: Final = True
ANSWERS: Final = True
#: The portal is told of every dossier that was filed with it, whoever sent what of it.
READS: Final = "all"
_TONGUE: Final = "dvcqg"
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "national": ("username", "password_file", "dstcode", "auth_endpoint", "integration_endpoint", "share_endpoint"),
    "hgg": (),
    "thh": ("add_path", "update_path", "progress_path"),
}
_OFFICER: Final = "Hệ thống một cửa"


class Dvcqg:
    """One province at the portal."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file; raises Misconfigured."""
        settings = context.settings
        where = f"{context.system.name}: settings"
        check_url(str(settings["url"]), f"{where}.url")
        variant = str(settings.get("variant", "national"))
        missing = [name for name in _NEEDED[variant] if name not in settings]
        if missing:
            raise Misconfigured(
                where,
                Text(f"Thiếu {', '.join(missing)}", f"{', '.join(missing)} missing"),
                Text(f"variant = {variant} cần các mục này.", f"variant = {variant} needs them."),
            )
        bringer = Bringer.of(_TONGUE, context.system.name, settings)
        self._portal = Portal(context)
        self._telling = Telling(
            context,
            self._portal,
            Items(str(settings.get("fields", "2022")), context.link),
            str(settings.get("officer", _OFFICER)),
        )
        filing = Filing(bringer, _tax_rules(context, where))
        #: Who is let in at the door; nobody where this is None.
        self.gate = Gate.if_set(settings, context.read_secret, where)
        self._counter = Counter(context, self.gate, filing, Fetching(context), Bills(settings))
        reads = variant == "national" and bool(settings.get("catalogue", False))
        self._catalogue = Catalogue(context, self._portal, bringer) if reads else None

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Tell the portal one message of a dossier."""
        return await self._telling.deliver(parcel)

    async def answer(self, call: Call, take: Take) -> Reply:
        """Answer a call of the portal's."""
        return await self._counter.answer(call, take)

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """Procedures that changed; none where the settings ask for none."""
        return [] if self._catalogue is None else await self._catalogue.collect(limit)

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """A procedure was accepted or refused; safe to repeat."""
        if self._catalogue is not None:
            await self._catalogue.settle(token, refusal)

    async def fetch_agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        """The agencies that the portal lists: ``code``, ``name``, ``parent``, ``aliases``, ``level``."""
        for row in await self._portal.dictionary("LayDanhMucCoQuan"):
            code = str(name_in(row, "MADONVI") or "").strip()
            if code:
                name = str(name_in(row, "TENDONVI") or "").strip()
                yield {"code": code, "name": name, "parent": None, "aliases": [], "level": name_in(row, "CAPDONVI")}

    async def close(self) -> None:
        """Let go."""
        await self._telling.close()
        await self._portal.close()


def _tax_rules(context: AdapterContext, where: str) -> Rules:
    """The rules for tax notices: the province's own, where it has some."""
    own = context.settings.get("tax_rules")
    if own is None:
        return rules("tax_in.json")
    try:
        content = (context.folder / str(own)).read_bytes()
    except OSError:
        raise Misconfigured(
            f"{where}.tax_rules",
            Text(f"Không đọc được tệp {own}", f"The file {own} cannot be read"),
            Text("Ghi đường dẫn tính từ thư mục tỉnh.", "Write its path from the province folder."),
        ) from None
    return Rules.parse(content, f"{where}.tax_rules")


def open_adapter(context: AdapterContext) -> Dvcqg:
    """The adapter of one system; raises Misconfigured where its settings cannot work."""
    return Dvcqg(context)
