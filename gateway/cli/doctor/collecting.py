"""An active test of every system from which the bus collects: can it be asked what waits there; nothing is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gateway.cli.doctor.destinations import shares_folders
from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding
from gateway.core.directory import System
from gateway.core.faults import DeliveryFailure, Text
from gateway.trust.keyring import Keyring

if TYPE_CHECKING:
    from gateway.tongues import Tongues

#: Seconds for a system's list and one item of it.
LIMIT: Final = 15.0
#: So many systems are asked at once.
_AT_ONCE: Final = 16


async def on_collecting(
    settings: Settings, ring: Keyring, systems: Iterable[System], *, limit: float = LIMIT
) -> list[Finding]:
    """Every collecting system asked once, as a gateway would, whether or not one runs; nothing is settled.

    Those that share folders are not asked here: their folders are looked at by ``on_folders``.
    """
    from gateway.compose.handouts import tongues_for_looking

    turns = asyncio.Semaphore(_AT_ONCE)

    async def test(tongues: Tongues, system: System) -> Finding:
        async with turns:
            return await _asked(tongues, system, limit)

    async with tongues_for_looking(settings, ring) as tongues:
        asked = [system for system in systems if tongues.collects(system) and not shares_folders(system)]
        return list(await asyncio.gather(*(test(tongues, system) for system in asked)))


async def _asked(tongues: Tongues, system: System, limit: float) -> Finding:
    where = f"{system.name} ({system.adapter})"
    try:
        async with asyncio.timeout(limit):
            await tongues.of(system).collect(1)
    except TimeoutError:
        what = Text(
            f"Hỏi những gì đang chờ mà {limit:g} giây chưa có trả lời trọn vẹn",
            f"Asked for what waits there, it gave no whole answer within {limit:g} seconds",
        )
        return Finding("destinations", "warning", where, what, _remedy(system))
    except Exception as error:  # noqa: BLE001 - a province's own adapter may raise anything
        # Adapters promise no secret in their own faults; of another exception only the name is told.
        why = str(error) if isinstance(error, DeliveryFailure) else type(error).__name__
        what = Text(
            f"Trục không hỏi lấy được văn bản từ đây: {why[:300]}",
            f"The bus cannot ask for what waits there: {why[:300]}",
        )
        return Finding("destinations", "error", where, what, _remedy(system))
    return Finding("destinations", "ok", where, Text("Hỏi lấy văn bản được", "It can be asked for what waits there"))


def _remedy(system: System) -> Text:
    return Text(
        f"Quản trị viên kiểm tra url, tài khoản và tệp khoá của {system.name} trong agencies/; nếu đúng cả thì báo"
        " đơn vị vận hành bên đó. Văn bản đến nằm chờ ở đó cho tới khi hỏi được.",
        f"The administrator checks url, account and secret file of {system.name} in agencies/; where they are right,"
        " call whoever runs the other side. What comes in waits there until it can be asked.",
    )
