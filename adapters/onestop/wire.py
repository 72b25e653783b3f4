"""The mapping data of this adapter: rules by message and direction, and what names and forms they read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.core.translation import Rules
from gateway.core.wire_record import Shape

_FOLDER: Final = Path(__file__).resolve().parent / "wire"


def _read(direction: str) -> dict[str, Rules]:
    paths = sorted((_FOLDER / direction).glob("*.json"))
    return {path.stem: Rules.parse(path.read_bytes(), f"onestop/wire/{direction}/{path.name}") for path in paths}


class Wire:
    """All of it, read once an adapter; raises Misconfigured naming the file and the rule that is wrong."""

    def __init__(self) -> None:
        self.inward: Final = _read("in")
        self.outward: Final = _read("out")
        #: An item of DongBoHoSoMC whatever becomes of it, and one of CapNhatTienDoHoSoMC.
        self.item: Final = Shape.of(*(rules for name, rules in self.inward.items() if name != "step"))
        self.step: Final = Shape.of(self.inward["step"])
        for shape in (self.item, self.step):
            # What the adapter itself puts into a record is nobody's to send.
            for name in [name for name in shape.members if name.startswith("@")]:
                del shape.members[name]
