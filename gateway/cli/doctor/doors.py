"""The doors of systems whose software calls the bus: where each is, and whether the bus could answer there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding
from gateway.core.directory import System
from gateway.core.faults import Text, TransientFailure
from gateway.trust.keyring import Keyring

if TYPE_CHECKING:
    from gateway.tongues import Tongues


async def on_doors(settings: Settings, ring: Keyring, systems: Iterable[System]) -> list[Finding]:
    """A finding for each system with a door; nobody is called."""
    from gateway.compose.handouts import tongues_for_looking

    async with tongues_for_looking(settings, ring) as tongues:
        return [
            finding
            for system in systems
            if tongues.answers(system)
            for finding in _on_door(tongues, system, settings.public_url)
        ]


def _on_door(tongues: Tongues, system: System, public_url: str) -> Iterator[Finding]:
    from gateway.relay.reception import door_of

    where = f"{system.name} ({system.adapter})"
    try:
        tongues.of(system)
    except TransientFailure as error:
        yield Finding(
            "destinations",
            "error",
            where,
            Text(f"Cửa riêng chưa mở được: {str(error)[:300]}", f"Its door cannot be opened: {str(error)[:300]}"),
            Text(
                f"Quản trị viên sửa [systems.settings] của {system.name} rồi chạy lgsp apply.",
                f"The administrator mends [systems.settings] of {system.name} and runs lgsp apply.",
            ),
        )
        return
    except Exception as error:  # noqa: BLE001 - a province's own adapter may raise anything
        name = type(error).__name__
        what = Text(f"Cửa riêng chưa mở được ({name})", f"Its door cannot be opened ({name})")
        do = Text("Người viết bộ chuyển đổi hãy sửa lỗi này.", "The adapter's author must mend this.")
        yield Finding("destinations", "error", where, what, do)
        return
    if system.sealing != "gateway":
        yield Finding(
            "destinations",
            "error",
            where,
            Text("Có cửa riêng nhưng trục không được ký thay", "It has a door, but the bus may not sign for it"),
            Text(
                'Ghi sealing = "gateway" và key cho hệ thống này rồi chạy lgsp apply.',
                'Set sealing = "gateway" and key for this system, and run lgsp apply.',
            ),
        )
    url = door_of(system, public_url)
    yield Finding(
        "destinations",
        "note",
        where,
        Text(f"Phần mềm của cơ quan gọi vào trục tại {url}", f"The agency's software calls the bus at {url}"),
    )
