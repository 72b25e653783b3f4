"""How each kind of fault begins and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import urllib.error
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

import asyncpg  # type: ignore[import-untyped]

from gateway.client.link import BOTH
from tests.chaos.exposed import Exposed
from tests.chaos.plan import Fault
from tests.servers import PrivateServer
from tests.servers.rabbitmq import RabbitApi

_VHOST: Final = "/"
#: What is done again and again while a fault lasts, and how often (seconds).
_AGAIN: Final = 0.7
_LATENCY: Final = 0.15
_BANDWIDTH: Final = 60_000.0

_Lasting = Callable[[Exposed, Fault], AbstractAsyncContextManager[None]]


async def befall(fleet: Exposed, fault: Fault) -> None:
    """Let a fault come, last and go."""
    async with FAULTS[fault.kind](fleet, fault):
        await asyncio.sleep(fault.seconds)


# ------------------------------------------------------------------------------------------------ gateways


@contextlib.asynccontextmanager
async def _killed(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    await fleet.down(fault.node)
    yield
    await fleet.up(fault.node)


@contextlib.asynccontextmanager
async def _replaced(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    fleet.absent.add(fault.node)
    status = await fleet.nodes[fault.node].stop()
    if status != 0:
        fleet.fallen.append(f"fallen: gateway {fault.node + 1}, asked to end, ended with {status}")
        await fleet.down(fault.node)
    yield
    await fleet.up(fault.node)


@contextlib.asynccontextmanager
async def _paused(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    fleet.signal(fault.node, signal.SIGSTOP)
    yield
    fleet.signal(fault.node, signal.SIGCONT)


# ------------------------------------------------------------------------------------------------- servers


def _dying(server_of: Callable[[Exposed], PrivateServer], die: Callable[[PrivateServer], None]) -> _Lasting:
    @contextlib.asynccontextmanager
    async def dying(fleet: Exposed, _: Fault) -> AsyncIterator[None]:
        server = server_of(fleet)
        await asyncio.to_thread(die, server)
        yield
        await asyncio.to_thread(server.start)

    return dying


def _hanging(server_of: Callable[[Exposed], PrivateServer]) -> _Lasting:
    @contextlib.asynccontextmanager
    async def hanging(fleet: Exposed, _: Fault) -> AsyncIterator[None]:
        await asyncio.to_thread(server_of(fleet).pause)
        yield
        await asyncio.to_thread(server_of(fleet).resume)

    return hanging


def _again_and_again(do: Callable[[Exposed], None]) -> _Lasting:
    @contextlib.asynccontextmanager
    async def doing(fleet: Exposed, _: Fault) -> AsyncIterator[None]:
        async def go_on() -> None:
            while True:
                with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await asyncio.to_thread(do, fleet)
                await asyncio.sleep(_AGAIN)

        task = asyncio.create_task(go_on())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    return doing


def _postgres(fleet: Exposed) -> PrivateServer:
    return fleet.servers.postgres


def _rabbit(fleet: Exposed) -> PrivateServer:
    return fleet.servers.rabbit


def _stop_at_once(server: PrivateServer) -> None:
    server.polite = signal.SIGQUIT
    server.stop()


@contextlib.asynccontextmanager
async def _short_of_memory(fleet: Exposed, _: Fault) -> AsyncIterator[None]:
    control = fleet.servers.rabbit.control
    await asyncio.to_thread(control, "set_vm_memory_high_watermark", "0.000001")
    yield
    await asyncio.to_thread(control, "set_vm_memory_high_watermark", "0.4")


def _close_connections(fleet: Exposed) -> None:
    fleet.servers.rabbit.api.close_connections(_VHOST)


def _delete_queues(fleet: Exposed) -> None:
    api: RabbitApi = fleet.servers.rabbit.api
    for name in api.queues(_VHOST):
        with contextlib.suppress(urllib.error.HTTPError):
            api.ask("DELETE", "queues", _VHOST, name)


def _end_backends(fleet: Exposed) -> None:
    async def end() -> None:
        connection = await asyncpg.connect(fleet.servers.postgres.url, timeout=5)
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        finally:
            await connection.close()

    asyncio.run(end())


# --------------------------------------------------------------------------------------------------- lines


@contextlib.asynccontextmanager
async def _cut(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    fleet.line(fault.node, fault.line).cut()
    yield
    fleet.line(fault.node, fault.line).cut()


@contextlib.asynccontextmanager
async def _slow(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    link = fleet.line(fault.node, fault.line)
    link.latency, link.bandwidth = _LATENCY, _BANDWIDTH
    yield
    link.latency, link.bandwidth = 0.0, None


@contextlib.asynccontextmanager
async def _silent(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    link = fleet.line(fault.node, fault.line)
    link.silent = fault.ways or BOTH
    yield
    link.silent = frozenset()


@contextlib.asynccontextmanager
async def _swallowing(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    link = fleet.line(fault.node, fault.line)
    link.swallow()
    yield
    # Whoever forgot a connection says so in the end.
    link.cut_swallowed()


@contextlib.asynccontextmanager
async def _refusing(fleet: Exposed, fault: Fault) -> AsyncIterator[None]:
    link = fleet.line(fault.node, fault.line)
    link.is_refusing = True
    link.cut()
    yield
    link.is_refusing = False


FAULTS: Final[Mapping[str, _Lasting]] = {
    "gateway-killed": _killed,
    "gateway-replaced": _replaced,
    "gateway-paused": _paused,
    "gateway-overslept": _paused,
    "rabbit-killed": _dying(_rabbit, lambda server: server.kill()),
    "rabbit-hangs": _hanging(_rabbit),
    "rabbit-short-of-memory": _short_of_memory,
    "rabbit-connections-closed": _again_and_again(_close_connections),
    "rabbit-queues-deleted": _again_and_again(_delete_queues),
    "postgres-killed": _dying(_postgres, lambda server: server.kill()),
    "postgres-stopped-at-once": _dying(_postgres, _stop_at_once),
    "postgres-hangs": _hanging(_postgres),
    "postgres-backends-ended": _again_and_again(_end_backends),
    "line-cut": _cut,
    "line-slow": _slow,
    "line-silent": _silent,
    "line-swallows": _swallowing,
    "line-refuses": _refusing,
}
