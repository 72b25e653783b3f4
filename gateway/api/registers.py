"""/v1/operator/registers: who is trusted with which item of a register, and who waits for an approver's decision."""

from __future__ import annotations

from typing import Any, cast

from aiohttp import web

from gateway.api import rights
from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS
from gateway.api.problems import bad_request
from gateway.core.faults import Text, Violation
from gateway.ports import RegistryRow
from gateway.relay.registers import Act


async def listed(request: web.Request) -> web.Response:
    """Every item, those with somebody waiting first."""
    await rights.looking(request)
    return json_answer({"registers": [as_item(row) for row in await request.app[DOORS].registers.listed()]})


async def one(request: web.Request) -> web.Response:
    """One item with its decision, who waits, and who was rejected."""
    await rights.looking(request)
    return json_answer(as_item(await request.app[DOORS].registers.find(request.match_info["item"])))


async def decide(request: web.Request) -> web.Response:
    """Approve or reject a system that waits, with a reason."""
    registers, item = request.app[DOORS].registers, request.match_info["item"]
    await rights.looking(request)
    body = await read_json_object(request)
    act, system = body.get("act"), body.get("system")
    if act not in {"approve", "reject"}:
        raise bad_request(Violation("/act", "value", Text("phải là approve hoặc reject", "must be approve or reject")))
    if not isinstance(system, str):
        raise bad_request(Violation("/system", "value", Text("cần tên hệ thống", "the system's name is needed")))
    operator = await rights.acting(request, f"register.{act}", least="approver", item=item)
    reason = body.get("reason")
    decided = await registers.decide(
        item, system, cast("Act", act), reason=reason if isinstance(reason, str) else "", actor=rights.who(operator)
    )
    return json_answer(as_item(decided))


def as_item(row: RegistryRow) -> dict[str, Any]:
    """An item as JSON: ``waiting`` and ``rejected`` as lists, each with the system's name."""
    register, _, space = row.key.partition("/")
    kept = {name: value for name, value in row.body.items() if name not in {"waiting", "rejected"}}
    told: dict[str, Any] = {"item": row.key, "register": register, **({"keySpace": space} if space else {}), **kept}
    for name in ("waiting", "rejected"):
        told[name] = [{"system": system, **said} for system, said in row.body.get(name, {}).items()]
    return told
