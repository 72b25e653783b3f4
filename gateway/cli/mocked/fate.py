"""What becomes of one dossier: drawn from the seed before it begins, so that no line and no wait changes the draw."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

#: Where it is filed: at the portal, at the counter of the province, or of the district with its older software.
Origin = Literal["portal", "counter", "district"]
End = Literal["handed-over", "withdrawn", "returned"]

_AGENCY: Final = {"portal": "000.00.01.H33", "counter": "000.00.01.H33", "district": "000.00.07.H33"}
_DEEDS: Final = ("Thẩm định", "Xác minh", "Lấy ý kiến", "Tổng hợp", "Trình lãnh đạo")
_REASONS: Final = ("Không thuộc thẩm quyền", "Hồ sơ không đủ điều kiện", "Thành phần hồ sơ không hợp lệ")
_FEES: Final = (15_000, 30_000, 150_000)
#: What comes of a draft, call by call; the last one carries the file.
_SIGNINGS: Final = (("01",), ("02", "01"), ("03", "01"), ("03", "02", "01"))


@dataclass(frozen=True, slots=True)
class Fate:
    """One dossier's. ``fee``: VND, 0 where nothing is to be paid; ``is_late``: a step is told with an old time."""

    code: str
    origin: Origin
    end: End
    deeds: tuple[str, ...]
    is_supplemented: bool
    is_late: bool
    reason: str
    fee: int
    has_bad_checksum: bool
    signings: tuple[str, ...]
    by_post: bool

    @property
    def last_status(self) -> str:
        """Where it stands in the end."""
        return {"handed-over": "10", "withdrawn": "7", "returned": "8"}[self.end]


def fates(seed: str, origins: Collection[Origin]) -> Iterator[Fate]:
    """One after the other, for ever; none where there is nowhere to file. Of each number of dossiers all ways come."""
    chance = random.Random(f"fates {seed}")  # noqa: S311 - a story, no secret
    first = chance.randrange(100_000, 900_000)
    number, listed = 0, sorted(origins)
    while listed:
        origin: Origin = listed[number % len(listed)]
        ends: tuple[End, ...] = ("handed-over", "handed-over", "handed-over", "returned", "handed-over", "withdrawn")
        end = ends[(number + number // len(ends)) % len(ends)]
        yield Fate(
            code=f"{_AGENCY[origin]}-261123-{first + number:06}",
            origin=origin,
            # The older interface has no word for a withdrawal.
            end="returned" if end == "withdrawn" and origin == "district" else end,
            deeds=tuple(chance.sample(_DEEDS, chance.randint(2, 3))),
            is_supplemented=chance.random() < 0.4,
            is_late=chance.random() < 0.3,
            reason=chance.choice(_REASONS),
            fee=chance.choice(_FEES) if origin != "district" and chance.random() < 0.7 else 0,
            has_bad_checksum=chance.random() < 0.4,
            signings=chance.choice(_SIGNINGS),
            by_post=chance.random() < 0.6,
        )
        number += 1
