"""``lgsp apply`` gives each agency that speaks AMQP its queue and its user, and that user nothing else."""

from __future__ import annotations

import dataclasses
import io
import json
import stat
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import AMQPError, ChannelClosed
from aiormq.exceptions import ChannelAccessRefused

from gateway.cli import rights_told
from gateway.cli.applying import plan
from gateway.cli.frame import Place
from gateway.cli.management import management
from gateway.cli.rights import Granted, grant, rows_after
from gateway.config.difference import ChangedRow, Difference
from gateway.config.province import read_province
from gateway.config.rows import FolderRow
from gateway.config.settings import Settings
from gateway.core.agency_queue import EXCHANGE, LIMITS, AgencyQueue
from gateway.core.faults import Misconfigured
from gateway.core.queue_rights import MakeUser, RemoveQueue, RemoveUser, StillHolds
from tests.province import a_province, edit, settings_of, write
from tests.servers.rabbitmq import RabbitApi

DMS = AgencyQueue("H33.16/dms")
HIS = AgencyQueue("H33.16/his", settles=True)
SECOND = """
[[systems]]
name = "his"
adapter = "amqp"
[systems.settings]
acknowledge = "receipt"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A province in which the health department has two systems that speak AMQP."""
    made = a_province(tmp_path / "tinh")
    edit(made, "agencies/H33.16.toml", 'adapter = "inbox"', 'adapter = "amqp"')
    text = (made / "agencies/H33.16.toml").read_text("utf-8")
    write(made, "agencies/H33.16.toml", text + SECOND)
    return made


@pytest.fixture
def settings(folder: Path, rabbit_server: dict[str, str], rabbit_url: str, rabbit_api: RabbitApi) -> Iterator[Settings]:
    """The province's settings as they are beside a RabbitMQ; users, which are the whole broker's, are taken away."""

    def without_users() -> None:
        for name in (DMS.name, HIS.name):
            rabbit_api.ask("DELETE", "users", name)

    without_users()
    yield dataclasses.replace(settings_of(folder), broker_url=rabbit_url, management_url=rabbit_server["api"])
    without_users()


def rows_of(settings: Settings) -> Sequence[FolderRow]:
    return read_province(settings).rows


async def granted(settings: Settings, *, dry_run: bool = False, found: Difference | None = None) -> Granted:
    done = await grant(settings, rows_of(settings), found or Difference(), dry_run=dry_run)
    assert done.fault is None, str(done.fault)
    return done


def told(settings: Settings, done: Granted) -> str:
    out = io.StringIO()
    place = Place(settings.folder)
    place._settings = settings
    with redirect_stdout(out), redirect_stderr(out):
        rights_told.tell(place, done)
    return out.getvalue()


def as_user(settings: Settings, queue: AgencyQueue) -> str:
    """The address at which a system's own user logs in."""
    parts = urlsplit(settings.broker_url)
    password = (settings.folder / f"keys/{queue.system.replace('/', '-')}.amqp").read_text().strip()
    return f"amqp://{quote(queue.name)}:{quote(password, safe='')}@{parts.hostname}:{parts.port}{parts.path}"


# ------------------------------------------------------------------------------------------------ what it makes


async def test_apply_makes_everything_once_and_then_nothing_more(settings: Settings) -> None:
    first = await granted(settings)
    assert {act.name for act in first.acts if isinstance(act, MakeUser)} == {DMS.name, HIS.name}
    assert first.is_done
    assert (await granted(settings)).acts == ()


async def test_a_dry_run_shows_the_same_and_makes_nothing(settings: Settings, rabbit_api: RabbitApi) -> None:
    shown = await granted(settings, dry_run=True)
    assert not shown.is_done
    assert rabbit_api.ask("GET", "users", DMS.name) is None
    assert not list((settings.folder / "keys").glob("*.amqp"))
    words = told(settings, shown)
    assert f"+ tài khoản RabbitMQ {DMS.name}" in words
    assert "* sẽ tạo mật khẩu keys/H33.16-dms.amqp cho H33.16/dms" in words
    assert [type(act) for act in shown.acts] == [type(act) for act in (await granted(settings)).acts]


async def test_a_password_is_made_for_its_owner_alone_and_never_shown(settings: Settings) -> None:
    done = await granted(settings)
    file = settings.folder / "keys/H33.16-dms.amqp"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    password = file.read_text().strip()
    assert len(password) > 30
    said = told(settings, done) + json.dumps(rights_told.as_json(done, settings)) + repr(done)
    assert "* đã tạo mật khẩu keys/H33.16-dms.amqp cho H33.16/dms" in said
    assert password not in said


async def test_a_password_of_the_operators_own_is_kept_and_a_new_one_is_set(settings: Settings) -> None:
    write(settings.folder, "keys/H33.16-dms.amqp", "mat-khau-thu-nhat-dai\n")
    await granted(settings)
    before = as_user(settings, DMS)
    async with await aio_pika.connect(before):
        pass
    write(settings.folder, "keys/H33.16-dms.amqp", "mat-khau-thu-hai-dai\n")
    assert [act.name for act in (await granted(settings)).acts] == [DMS.name]
    async with await aio_pika.connect(as_user(settings, DMS)):
        pass
    with pytest.raises(AMQPError):
        await aio_pika.connect(before)


async def test_a_system_that_is_gone_loses_its_user_and_its_queue_stays_while_it_holds_messages(
    settings: Settings, rabbit_api: RabbitApi
) -> None:
    await granted(settings)
    async with await aio_pika.connect(settings.broker_url) as line:
        channel = await line.channel(publisher_confirms=True)
        await channel.default_exchange.publish(aio_pika.Message(b"x", delivery_mode=2), DMS.name)
    (settings.folder / "agencies/H33.16.toml").unlink()
    done = await granted(settings)
    assert {act.name for act in done.acts if isinstance(act, RemoveUser)} == {DMS.name, HIS.name}
    assert [type(note) for note in done.notes if note.name == DMS.name] == [StillHolds]
    assert DMS.name in told(settings, done)
    assert rabbit_api.ask("GET", "users", DMS.name) is None
    vhost = urlsplit(settings.broker_url).path[1:]
    assert DMS.name in rabbit_api.queues(vhost)


async def test_an_empty_queue_goes_with_its_system_and_one_that_only_seemed_empty_does_not(
    settings: Settings, rabbit_server: dict[str, str], rabbit_api: RabbitApi
) -> None:
    await granted(settings)
    async with await aio_pika.connect(settings.broker_url) as line:
        channel = await line.channel(publisher_confirms=True)
        await channel.default_exchange.publish(aio_pika.Message(b"x", delivery_mode=2), DMS.name)
    vhost = urlsplit(settings.broker_url).path[1:]
    async with management(rabbit_server["api"], settings.broker_url) as api:
        # As a plan made of numbers some seconds old would have it.
        assert not await api.carry_out(RemoveQueue(DMS.name))
        assert await api.carry_out(RemoveQueue(HIS.name))
    assert DMS.name in rabbit_api.queues(vhost)
    assert HIS.name not in rabbit_api.queues(vhost)


# ------------------------------------------------------------------------------------------- what its user may do

Try = Callable[[AbstractChannel], Awaitable[Any]]


async def _get(channel: AbstractChannel, name: str) -> Any:
    queue = await channel.get_queue(name, ensure=False)
    return await queue.get(fail=False)


async def _publish(channel: AbstractChannel, exchange: str, key: str) -> Any:
    place = channel.default_exchange if not exchange else await channel.get_exchange(exchange, ensure=False)
    return await place.publish(aio_pika.Message(b"x"), key)


async def _bind(channel: AbstractChannel, queue: str, exchange: str) -> Any:
    return await (await channel.get_queue(queue, ensure=False)).bind(exchange, "#")


FORBIDDEN: dict[str, Try] = {
    "read another's queue": lambda channel: _get(channel, HIS.name),
    "read what another rejected": lambda channel: _get(channel, HIS.rejected),
    "read what wakes the gateways": lambda channel: _get(channel, "lgsp.deliver.H33.16/dms"),
    "write to another's queue": lambda channel: _publish(channel, "", HIS.name),
    "write to its own queue": lambda channel: _publish(channel, "", DMS.name),
    "write where the bus writes": lambda channel: _publish(channel, EXCHANGE, HIS.name),
    "settle for another": lambda channel: _publish(channel, HIS.settle, ""),
    "write to a topic": lambda channel: _publish(channel, "amq.topic", "a.b"),
    "make a queue": lambda channel: channel.declare_queue("cua-toi"),
    "make an exchange": lambda channel: channel.declare_exchange("cua-toi"),
    "listen in on an exchange": lambda channel: _bind(channel, DMS.name, HIS.settle),
    "delete its own queue": lambda channel: channel.queue_delete(DMS.name),
    "delete another's": lambda channel: channel.queue_delete(HIS.name),
}


async def test_its_user_reads_its_own_queue_and_can_do_nothing_else(settings: Settings) -> None:
    await granted(settings)
    async with await aio_pika.connect(settings.broker_url) as line:
        channel = await line.channel()
        await channel.declare_queue("lgsp.deliver.H33.16/dms", durable=True)
    async with await aio_pika.connect(as_user(settings, DMS)) as line:
        for name in (DMS.name, DMS.rejected):
            assert await _get(await line.channel(), name) is None
        for what, attempt in FORBIDDEN.items():
            channel = await line.channel()
            with pytest.raises(ChannelClosed) as caught:
                await attempt(channel)
            assert isinstance(caught.value, ChannelAccessRefused), what
    # and no other virtual host either
    with pytest.raises(AMQPError):
        await aio_pika.connect(as_user(settings, DMS).rpartition("/")[0] + "/")


async def test_a_system_that_settles_may_write_to_its_settling_exchange(settings: Settings) -> None:
    await granted(settings)
    async with await aio_pika.connect(as_user(settings, HIS)) as line:
        await _publish(await line.channel(), HIS.settle, "")
        with pytest.raises(ChannelClosed):
            await _publish(await line.channel(), "", HIS.name)


async def test_it_may_keep_only_so_many_connections(settings: Settings, rabbit_api: RabbitApi) -> None:
    await granted(settings)
    (limits,) = rabbit_api.ask("GET", "user-limits", DMS.name)
    assert limits["value"] == dict(LIMITS)


# ----------------------------------------------------------------------------------------------- what goes wrong


async def test_a_management_api_out_of_reach_is_told_and_the_registry_stands(settings: Settings) -> None:
    away = dataclasses.replace(settings, management_url="http://lgsp:mat-khau@127.0.0.1:9")
    done = await grant(away, rows_of(settings), Difference())
    assert done.fault is not None
    assert done.fault.where == "lgsp.toml: broker.management"
    assert "lgsp apply" in told(settings, done)
    assert "mat-khau" not in told(settings, done)


async def test_a_user_without_the_right_to_manage_is_told(settings: Settings) -> None:
    place = settings.management_url.rpartition("@")[2]
    done = await grant(
        dataclasses.replace(settings, management_url=f"http://lgsp:sai-mat-khau@{place}"),
        rows_of(settings),
        Difference(),
    )
    assert done.fault is not None
    assert "401" in done.fault.wrong.vi
    assert "sai-mat-khau" not in told(settings, done)


@pytest.mark.parametrize("content", ["", "ngan\n", "hai-dong-mat-khau-dai\nhai\n"])
async def test_a_password_that_cannot_be_one_is_told_by_its_file(settings: Settings, content: str) -> None:
    write(settings.folder, "keys/H33.16-dms.amqp", content)
    done = await grant(settings, rows_of(settings), Difference())
    assert done.fault is not None
    assert done.fault.where == "keys/H33.16-dms.amqp"
    assert "hai-dong" not in str(done.fault)


def test_a_bus_without_rabbitmq_has_no_queue_to_give(folder: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        plan(settings_of(folder), 0, [])
    assert caught.value.where == "H33.16/dms: adapter"


def test_two_systems_do_not_share_a_password(folder: Path) -> None:
    for line in ('acknowledge = "receipt"',):
        edit(folder, "agencies/H33.16.toml", line, line + '\npassword_file = "keys/H33.16-dms.amqp"')
    with pytest.raises(Misconfigured) as caught:
        plan(dataclasses.replace(settings_of(folder), broker_url="amqp://mq/"), 0, [])
    assert caught.value.where == "H33.16/his: settings.password_file"


# ------------------------------------------------------------------------------------------ without the management


async def test_without_the_management_api_the_commands_are_shown_and_the_passwords_made(folder: Path) -> None:
    alone = dataclasses.replace(settings_of(folder), broker_url="amqp://lgsp@mq.example.vn/tinh-h33")
    done = await grant(alone, rows_of(alone), Difference())
    words = told(alone, done)
    assert "rabbitmqctl add_user lgsp.agency.H33.16.dms < keys/H33.16-dms.amqp" in words
    assert f"rabbitmqctl set_permissions -p tinh-h33 lgsp.agency.H33.16.dms '' '' '{DMS.read}'" in words
    assert 'rabbitmqctl set_user_limits lgsp.agency.H33.16.his \'{"max-connections": 20' in words
    assert words.index("người vận hành") < words.index("rabbitmqctl")
    password = (folder / "keys/H33.16-dms.amqp").read_text().strip()
    assert password not in words


async def test_a_system_that_goes_is_among_the_commands(folder: Path) -> None:
    alone = dataclasses.replace(settings_of(folder), broker_url="amqp://mq/")
    rows = rows_of(alone)
    gone = tuple(row for row in rows if row.key == "H33.16")
    done = await grant(alone, [row for row in rows if row not in gone], Difference(removed=gone))
    assert "rabbitmqctl delete_user lgsp.agency.H33.16.dms" in rights_told.commands(done, alone)


def test_the_rows_that_will_be_are_those_of_the_difference_and_the_untouched_rest() -> None:
    def row(key: str, name: str) -> FolderRow:
        return FolderRow("agency", key, {"code": key, "name": name})

    there = [row("H33.01", "giữ"), row("H33.02", "cũ"), row("H33.03", "bỏ")]
    found = Difference(
        added=(row("H33.04", "mới"),),
        changed=(ChangedRow(there[1], row("H33.02", "sửa"), ()),),
        removed=(there[2],),
    )
    after = rows_after(there, found)
    assert {(each.key, each.body["name"]) for each in after} == {
        ("H33.01", "giữ"),
        ("H33.02", "sửa"),
        ("H33.04", "mới"),
    }
    assert rows_after(after, found) == after
