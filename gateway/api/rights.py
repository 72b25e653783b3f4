"""What operators may do by role, decided here and nowhere else; who was let in and who was not is on record."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gateway.api.doors import DOORS, Operator
from gateway.api.identity import caller_of
from gateway.core.directory import System
from gateway.core.faults import Rejected, Text
from gateway.ports import AuditRow

#: Roles, each of which may do what the ones before it may.
ROLES: Final = ("viewer", "operator", "approver", "admin")


def has(operator: Operator, least: str) -> bool:
    """Whether an operator's role is ``least`` or above; an unknown role is none."""
    return operator.role in ROLES and ROLES.index(operator.role) >= ROLES.index(least)


async def looking(request: web.Request) -> Operator:
    """The operator who looks at something; raises Rejected ``unauthenticated``, ``forbidden``. A look leaves no row."""
    return await _let_in(request, "viewer", "look", is_act=False)


async def acting(request: web.Request, act: str, *, least: str = "operator", **target: Any) -> Operator:
    """The operator who does ``act`` to ``target``; raises Rejected ``unauthenticated``, ``forbidden``.

    Allowed or denied, it is on record before anything is done.
    """
    return await _let_in(request, least, act, is_act=True, **target)


async def _let_in(request: web.Request, least: str, act: str, *, is_act: bool, **target: Any) -> Operator:
    caller = caller_of(request)
    role = "system" if isinstance(caller, System) else caller.role
    details = {"act": act, "role": role, "needed": least, "path": request.path[:200], **target}
    if isinstance(caller, System):
        await _write(request, caller.name, "operator.denied", details)
        raise _denied(least)
    if not has(caller, least):
        await _write(request, who(caller), "operator.denied", details)
        raise _denied(least)
    if is_act:
        await _write(request, who(caller), "operator.allowed", details)
    return caller


def who(operator: Operator) -> str:
    """How the audit names an operator."""
    return f"operator:{operator.name}"


async def _write(request: web.Request, actor: str, event: str, details: dict[str, Any]) -> None:
    doors = request.app[DOORS]
    await doors.ledger.audit([AuditRow(doors.clock.now(), actor, event, details)])


def _denied(least: str) -> Rejected:
    return Rejected(
        "forbidden",
        Text(
            f"Việc này cần tài khoản vận hành có vai trò {least} trở lên. Hãy nhờ người có vai trò đó thực hiện.",
            f"This needs an operator's account with the role {least} or above. Ask somebody who has it to do it.",
        ),
    )
