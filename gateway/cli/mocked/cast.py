"""Who takes part in the lives of dossiers: whoever of the province is there, and what is seen at each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.cli.mocked.counters import Counter
from gateway.cli.mocked.desk import Desk
from gateway.cli.mocked.tally import Tally

_TO_PAY: Final = "nhantbthuedvcqg"


@dataclass(slots=True)
class Cast:
    """Each is None where it is not there: its part is left out. ``portal_calls``: the portal, calling the bus."""

    tally: Tally = field(default_factory=Tally)
    portal: Any = None
    portal_calls: Any = None
    office: Counter | None = None
    district: Counter | None = None
    signing: Any = None
    bank: Any = None
    post: Any = None
    kiosk: Any = None
    centre: Desk | None = None
    #: Agencies of whom the bus asks nothing but to fetch, and folders of document systems.
    desks: list[Desk] = field(default_factory=list)
    folders: list[Any] = field(default_factory=list)
    #: Codes of dossiers that began.
    codes: list[str] = field(default_factory=list)

    @property
    def origins(self) -> frozenset[Any]:
        """Where a dossier may be filed: at the portal where somebody is there to receive it, or at a counter."""
        places = {"portal": self.portal_calls and self.office, "counter": self.office, "district": self.district}
        return frozenset(name for name, who in places.items() if who is not None)

    def at_portal(self, code: str) -> Callable[[], int] | None:
        """How often a dossier stands at the portal: it cannot be there twice."""
        portal = self.portal
        return None if portal is None else lambda: int(code in portal.table.dossiers)

    def ends_as(self, code: str, status: str) -> Callable[[], int] | None:
        """Whether it stands at the portal as it should in the end."""
        portal = self.portal
        return None if portal is None else lambda: int(portal.table.status(code) == status)

    def step_at_portal(self, code: str, content: str) -> Callable[[], int] | None:
        """How often a step of that content stands there."""
        portal = self.portal
        if portal is None:
            return None

        def times() -> int:
            kept = portal.table.dossiers.get(code)
            return 0 if kept is None else [each.get("NoiDungXuLy") for each in kept.steps].count(content)

        return times

    def entry_at_portal(self, code: str, named: str, *, is_answered: bool) -> Callable[[], int] | None:
        """How often a request for a supplement stands there, or its answer."""
        portal = self.portal
        if portal is None:
            return None

        def times() -> int:
            kept = portal.table.dossiers.get(code)
            rows = kept.item.get("DanhSachHoSoBoSung") or [] if kept is not None else []
            mine = [each for each in rows if each.get("HoSoBoSungId") == named]
            return len([each for each in mine if bool(each.get("NgayTiepNhanBoSung")) or not is_answered])

        return times

    def posted(self, code: str, ending: str, name: str, value: str) -> int:
        """By how many deliveries the one-stop office of today was posted an item of which a member says ``value``."""
        posts = self.office.software.posts if self.office is not None else ()
        mine = [each for each in posts if each[1].endswith(ending) and each[2].get("MaHoSo") == code]
        return len({delivery for delivery, _, item in mine if str(item.get(name, "")) == value})

    def told_to_pay(self, code: str) -> int:
        """By how many deliveries that office was posted a notice of what to pay for a dossier."""
        posts = self.office.software.posts if self.office is not None else ()
        return len({each[0] for each in posts if each[1].endswith(_TO_PAY) and each[2].get("MaHoSo") == code})

    def with_subject(self, subject: str) -> int:
        """How often a document of that subject stands at who fetches, or in a folder."""
        fetched = sum(desk.found("document.issued", lambda data: data.get("subject") == subject) for desk in self.desks)
        # A name that begins with a point is not finished yet.
        files = [path for each in self.folders for path in each.inbox.glob("[!.]*.*")]
        return fetched + sum(subject.encode() in path.read_bytes() for path in files)
