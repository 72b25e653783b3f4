"""Who is trusted to tell of an item of a register. Pure.

An item is a register with a key space in it (``land-parcel/H33.07``; without a space the whole register, which is an
item of its own). It has one trusted provider: the first system that told of it, until an approver decides otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.core.contract import Contract
from gateway.core.faults import Rejected, Text

#: A register's code as a contract or a message may write it.
REGISTER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_LONGEST_SPACE: Final = 100


@dataclass(frozen=True, slots=True)
class Trust:
    """What is decided of one item: its provider (a system's name), who waits for a decision, who was rejected.

    ``rejected``: system -> the day of the decision (``YYYY-MM-DD``).
    """

    item: str
    provider: str
    waiting: frozenset[str] = frozenset()
    rejected: Mapping[str, str] = field(default_factory=dict)


class SecondProvider(Rejected):
    """Somebody else is trusted with ``item``; problem ``no-agreement``, as no decision lets this system tell of it."""

    def __init__(self, item: str, detail: Text) -> None:
        super().__init__("no-agreement", detail)
        self.item = item


def item_of(contract: Contract, data: Any) -> str | None:
    """The item that a message's data, valid against its contract, tells of; None where it is of no register.

    Raises Rejected ``contract-violation`` where a contract of the province's own lets a name pass that is none.
    """
    if contract.register is None:
        return None
    register: Any = contract.register
    if register.startswith("/"):
        register = data.get(register[1:]) if isinstance(data, Mapping) else None
    space = data.get("keySpace") if isinstance(data, Mapping) else None
    if not isinstance(register, str) or REGISTER.match(register) is None or not _is_space(space):
        raise Rejected(
            "contract-violation",
            Text(
                "Tên sổ hoặc phạm vi khoá không dùng được. Bên gửi sửa theo hợp đồng rồi gửi lại.",
                "The name of the register or of its key space cannot be used. The sender must mend it by the contract.",
            ),
        )
    return register if space is None else f"{register}/{space}"


def _is_space(space: Any) -> bool:
    return space is None or (isinstance(space, str) and 0 < len(space) <= _LONGEST_SPACE and space.isprintable())


def refuse_second(trust: Trust, system: str) -> None:
    """Raises SecondProvider where the item is another's."""
    if system == trust.provider:
        return
    day = trust.rejected.get(system)
    if day is not None:
        raise SecondProvider(
            trust.item,
            Text(
                f"Người duyệt đã từ chối ({day}) để {system} cung cấp {trust.item}; nơi cung cấp tin cậy là"
                f" {trust.provider}. Hai cơ quan thống nhất rồi đề nghị đơn vị vận hành trục duyệt lại.",
                f"It was decided ({day}) that {system} does not provide {trust.item}; {trust.provider} is trusted with"
                " it. The two agencies must agree, then ask the operator of the bus for another decision.",
            ),
        )
    raise SecondProvider(
        trust.item,
        Text(
            f"{trust.item} đã có nơi cung cấp tin cậy là {trust.provider}; nơi thứ hai phải được duyệt. Đề nghị này đã"
            " được ghi lại: người duyệt của đơn vị vận hành trục xem bằng lgsp registers, bên gửi gửi lại sau khi"
            " được duyệt.",
            f"{trust.provider} is trusted with {trust.item}; a second provider needs a decision. It has been noted: an"
            " approver of the bus finds it by lgsp registers, and the sender sends again once it is approved.",
        ),
    )
