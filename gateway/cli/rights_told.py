"""What was done at the broker for the agencies that speak AMQP, in words, as JSON, or as commands to be run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from gateway.cli.frame import Place, complain_of, mistake_members
from gateway.cli.management import vhost_of
from gateway.cli.rights import Desk, Granted
from gateway.config.keys import is_there
from gateway.config.settings import Settings
from gateway.core.agency_queue import LIMITS
from gateway.core.faults import Text
from gateway.core.queue_rights import (
    Act,
    Bind,
    Limit,
    MadeOtherwise,
    MakeExchange,
    MakeQueue,
    MakeUser,
    Note,
    Permit,
    RemoveExchange,
    RemoveQueue,
    RemoveUser,
    SetPassword,
    SharedUser,
    StillHolds,
    Withdraw,
)

_ACTS: dict[type[Act], Text] = {
    MakeExchange: Text("+ exchange {0}", "+ exchange {0}"),
    MakeQueue: Text("+ hàng đợi {0}", "+ queue {0}"),
    Bind: Text("+ gắn hàng đợi {0}", "+ binding of queue {0}"),
    MakeUser: Text("+ tài khoản RabbitMQ {0}", "+ RabbitMQ user {0}"),
    SetPassword: Text("~ mật khẩu của {0}", "~ password of {0}"),
    Limit: Text("~ giới hạn của {0}: {1}", "~ limit of {0}: {1}"),
    Permit: Text("~ quyền của {0}: {1}", "~ rights of {0}: {1}"),
    Withdraw: Text("- quyền của {0}", "- rights of {0}"),
    RemoveUser: Text("- tài khoản RabbitMQ {0}", "- RabbitMQ user {0}"),
    RemoveQueue: Text("- hàng đợi trống {0}", "- empty queue {0}"),
    RemoveExchange: Text("- exchange {0}", "- exchange {0}"),
}
_NOTES: dict[type[Note], Text] = {
    StillHolds: Text(
        "Hệ thống đã gỡ nhưng hàng đợi {0} còn {1} thông điệp, nên được giữ lại. Người vận hành xem rồi xoá bằng "
        "rabbitmqctl delete_queue, hoặc chạy lại apply khi đã trống.",
        "The system is gone, but the queue {0} holds {1} messages and stays. The operator looks at them and deletes it "
        "with rabbitmqctl delete_queue, or applies again once it is empty.",
    ),
    MadeOtherwise: Text(
        "{0} đã được khai báo theo cách khác; RabbitMQ không sửa được. Người vận hành chờ nó trống, xoá nó, rồi chạy "
        "lại apply.",
        "{0} was declared in another way, which RabbitMQ cannot change. The operator waits until it is empty, deletes "
        "it, and applies again.",
    ),
    SharedUser: Text(
        "Tài khoản {0} đang dùng ở vhost khác với mật khẩu khác, nên không được cấp quyền. Hãy dùng một RabbitMQ riêng "
        "cho mỗi trục.",
        "The user {0} works in another virtual host with another password, and gets no rights here. Use a RabbitMQ of "
        "its own for each bus.",
    ),
}


_TO_BE_RUN = Text(
    "Chưa khai báo [broker] management: người vận hành chạy các lệnh sau trên máy RabbitMQ, tại thư mục tỉnh. Hàng đợi "
    "được trục tạo khi có thông điệp đầu tiên.",
    "There is no [broker] management: the operator runs these commands on RabbitMQ's machine, in the province folder. "
    "The gateway makes the queues when the first message comes.",
)


def tell(place: Place, granted: Granted) -> None:
    """What was done or would be, what a person has to see to, and the commands where apply may not do it itself."""
    settings = place.settings
    for act in granted.acts:
        place.say(*_filled(_ACTS[type(act)], act.name, _detail(act)))
    for desk in granted.passwords:
        shown, system = settings.shown(desk.password), desk.queue.system
        if is_there(desk.password):
            place.say(f"* đã tạo mật khẩu {shown} cho {system}", f"* made the password {shown} for {system}")
        else:
            place.say(f"* sẽ tạo mật khẩu {shown} cho {system}", f"* would make the password {shown} for {system}")
    if granted.is_done and granted.acts:
        count = len(granted.acts)
        place.say(f"Đã cập nhật RabbitMQ: {count} việc.", f"RabbitMQ brought up to date: {count} acts.")
    for note in granted.notes:
        messages = note.messages if isinstance(note, StillHolds) else None
        words = _filled(_NOTES[type(note)], note.name, "?" if messages is None else str(messages))
        place.say(f"⚠ {words.vi}", f"⚠ {words.en}")
    lines = commands(granted, settings)
    if lines:
        place.say(*_TO_BE_RUN)
    for line in lines:
        place.say(f"  {line}", f"  {line}")
    if granted.fault is not None:
        complain_of(place, granted.fault)


def as_json(granted: Granted, settings: Settings) -> dict[str, Any]:
    """The same for programs; no password."""
    return {
        "acts": [{"act": type(act).__name__, "name": act.name, "detail": _detail(act)} for act in granted.acts],
        "notes": [{"note": type(note).__name__, "name": note.name} for note in granted.notes],
        "passwords": [
            {"system": desk.queue.system, "file": settings.shown(desk.password)} for desk in granted.passwords
        ],
        "commands": commands(granted, settings),
        "is_done": granted.is_done,
        "fault": None if granted.fault is None else mistake_members(granted.fault),
    }


def commands(granted: Granted, settings: Settings) -> list[str]:
    """What the operator runs where apply may not speak to RabbitMQ by itself; none where it may."""
    if settings.management_url:
        return []
    vhost = shlex.quote(vhost_of(settings.broker_url))
    lines: list[str] = []
    for desk in granted.desks:
        lines += _commands_for(desk, vhost, settings)
    for queue in granted.gone:
        lines.append(f"rabbitmqctl delete_user {shlex.quote(queue.name)}")
        lines.append(f"rabbitmqctl delete_queue -p {vhost} {shlex.quote(queue.name)}  # {_WHEN_EMPTY}")
    return lines


_WHEN_EMPTY = "khi đã trống / once it is empty"


def _commands_for(desk: Desk, vhost: str, settings: Settings) -> Iterator[str]:
    queue, user = desk.queue, shlex.quote(desk.queue.name)
    file = shlex.quote(settings.shown(desk.password))
    yield f"rabbitmqctl add_user {user} < {file} || rabbitmqctl change_password {user} < {file}"
    rights = " ".join(shlex.quote(each) for each in (queue.configure, queue.write, queue.read))
    yield f"rabbitmqctl set_permissions -p {vhost} {user} {rights}"
    yield f"rabbitmqctl set_user_limits {user} {shlex.quote(json.dumps(dict(LIMITS)))}"


def _detail(act: Act) -> str:
    if isinstance(act, Limit):
        return f"{act.limit} = {act.value}"
    if isinstance(act, Permit):
        rights = act.rights
        return f"configure {rights.configure or '∅'}, write {rights.write or '∅'}, read {rights.read or '∅'}"
    return ""


def _filled(text: Text, *parts: str) -> Text:
    return Text(text.vi.format(*parts), text.en.format(*parts))
