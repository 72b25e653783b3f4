"""From the front door to an agency's own queue: PostgreSQL, RabbitMQ, a gateway, a consumer with just its rights."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aio_pika
import aiohttp
import pytest
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import ChannelAccessRefused
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.amqp.stand_in import AmqpDesk, desk_of
from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event, new_id
from gateway.core.agency_queue import AgencyQueue
from gateway.core.envelope import open_envelope, seal
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import a_province, edit, write
from tests.servers.rabbitmq import RabbitApi
from tests.town import document

ME = "H33.05/dms"
#: A system that no other test has: users are RabbitMQ's, not a virtual host's.
THEM = AgencyQueue("H33.77/kho", settles=True)
AGENCY = """\
code = "H33.77"
name = "Trung tâm Lưu trữ"
parent = "H33"

[[systems]]
name = "kho"
adapter = "amqp"

[systems.settings]
acknowledge = "receipt"

[[systems.subscriptions]]
contract = "document.issued"
version = "1.0"
"""


@pytest.fixture
def folder(
    tmp_path: Path, postgres_url: str, rabbit_url: str, rabbit_server: dict[str, str], rabbit_api: RabbitApi
) -> Iterator[Path]:
    """A province on PostgreSQL and RabbitMQ with an archive that speaks AMQP."""
    rabbit_api.ask("DELETE", "users", THEM.name)
    made = a_province(tmp_path / "tinh")
    edit(made, "lgsp.toml", 'url = "sqlite:var/lgsp.db"', f'url = "{postgres_url}"')
    edit(made, "lgsp.toml", 'url = "local"', f'url = "{rabbit_url}"\nmanagement = "{rabbit_server["api"]}"')
    write(made, "agencies/H33.77.toml", AGENCY)
    yield made
    rabbit_api.ask("DELETE", "users", THEM.name)


def login(folder: Path, rabbit_url: str) -> AmqpDesk:
    """The archive's consumer, with its user and the password from the file that apply made."""
    return desk_of(rabbit_url, THEM.system, (folder / "keys/H33.77-kho.amqp").read_text().strip())


@asynccontextmanager
async def a_gateway(folder: Path) -> AsyncIterator[str]:
    """A gateway in a process of its own, ready; its address."""
    async with AsyncExitStack() as stack:
        running = living(folder, at_a_free_port(folder))
        alive = await asyncio.to_thread(running.__enter__)
        stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
        yield alive.url


async def webhook_key(url: str) -> Ed25519PublicKey:
    """The bus's webhook key as it is published."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/.well-known/jwks.json") as answer:
        keys = (await answer.json())["keys"]
    x = keys[-1]["x"]
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))


async def test_an_accepted_message_reaches_a_consumer_that_can_do_nothing_but_consume(
    folder: Path, rabbit_url: str
) -> None:
    shown = await asyncio.to_thread(lgsp, "-C", folder, "apply")
    assert shown.status == 0, shown.err
    assert f"+ tài khoản RabbitMQ {THEM.name}" in shown.out
    desk = login(folder, rabbit_url)
    await desk.start()
    signer = read_signer(*find_files(folder / "keys", ME))
    async with a_gateway(folder) as url, Bus.reach(url) as bus:
        desk.public_key = await webhook_key(url)
        sent: list[str] = []
        for number in range(5):
            now = time.time()
            event = make_event(
                id=new_id(now, os.urandom(10)), source=ME, contract="document.issued", version="1.0",
                subject=f"{number}/STC-VP", now=now, data=document(), extensions={"to": "H33.77"},
            )  # fmt: skip
            sent.append((await bus.send(seal(event, signer)))["id"])
        async with asyncio.timeout(15):
            while len(desk.taken()) < 5:  # noqa: ASYNC110 - the desk's plain list
                await asyncio.sleep(0.02)
        assert sorted(str(each.headers["lgsp-message"]) for each in desk.received) == sorted(sent)
        assert all(each.is_signed for each in desk.received)
        assert sorted(str(open_envelope(each.body).event["id"]) for each in desk.received) == sorted(sent)

        async with await aio_pika.connect(desk.url) as line:
            for other in (f"lgsp.deliver.{THEM.system}", "lgsp.parking"):
                queue = await (await line.channel()).get_queue(other, ensure=False)
                with pytest.raises(ChannelAccessRefused):
                    await queue.get(fail=False)

        (folder / "agencies/H33.77.toml").unlink()
        gone = await asyncio.to_thread(lgsp, "-C", folder, "apply")
        assert gone.status == 0, gone.err
        assert f"- tài khoản RabbitMQ {THEM.name}" in gone.out
        with pytest.raises(AMQPError):
            await aio_pika.connect(desk.url)
        connection = desk._connection
        assert connection is not None
        async with asyncio.timeout(10):
            while connection.connected.is_set():  # noqa: ASYNC110 - it can be awaited the other way round only
                await asyncio.sleep(0.02)
    await desk.stop()
