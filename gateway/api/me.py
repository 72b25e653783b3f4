"""GET /v1/me: what the bus knows about the system that asks: certificates, subscriptions, agreements; what it owes."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.api import registered
from gateway.api.asked import page_of
from gateway.api.body import json_answer
from gateway.api.doors import DOORS
from gateway.api.identity import system_of
from gateway.core.agency import Provision
from gateway.core.agreement import Agreement, Subscription
from gateway.core.directory import Certificate, Directory
from gateway.core.moments import day_of, format_moment
from gateway.relay.reception import door_of


async def me(request: web.Request) -> web.Response:
    """The caller's own entry in the registry; nothing secret, and nothing about others."""
    system = system_of(request)
    doors = request.app[DOORS]
    directory, now = doors.directory(), doors.clock.now()
    agency = directory.agencies[system.agency]
    about: dict[str, Any] = {
        "code": agency.code,
        "aliases": list(agency.aliases),
        "name": agency.name,
        "level": agency.level,
    }
    if agency.parent:
        about["parent"] = agency.parent
    reception = doors.reception
    has_door = reception is not None and reception.answers(system)
    return json_answer(
        {
            "system": system.name,
            "agency": about,
            "adapter": system.adapter,
            "sealing": system.sealing,
            **({"door": door_of(system, doors.public_url)} if has_door else {}),
            "certificates": [_certificate(each, now) for each in system.certificates],
            "subscriptions": [_subscription(each) for _, each in sorted(system.subscriptions.items())],
            "provides": [_provision(each) for each in system.provides],
            "agreements": _agreements(agency.code, directory, now),
        }
    )


async def duties(request: web.Request) -> web.Response:
    """What the caller's agency owes for documents by law, the one due first first."""
    system = system_of(request)
    limit, _ = page_of(request.query)
    found = await request.app[DOORS].documents.register.duties(agency=system.agency, limit=limit)
    return json_answer({"duties": [registered.duty(each) for each in found]})


def _certificate(each: Certificate, now: float) -> dict[str, Any]:
    return {
        "x5t#S256": each.thumbprint,
        "not_before": format_moment(each.not_before),
        "not_after": format_moment(each.not_after),
        "in_force": each.is_in_force(now),
    }


def _subscription(each: Subscription) -> dict[str, Any]:
    """As the province folder writes it, durations in seconds."""
    retry: dict[str, Any] = {
        "first": each.retry.first,
        "factor": each.retry.factor,
        "cap": each.retry.cap,
        "deadline": each.retry.deadline,
    }
    if each.retry.attempts is not None:
        retry["attempts"] = each.retry.attempts
    return {
        "contract": each.contract,
        "version": each.version,
        "format": each.format,
        "filter": {"source": list(each.sources) or ["*"], "subject": list(each.subjects) or ["*"]},
        "retry": retry,
    }


def _provision(each: Provision) -> dict[str, str]:
    return {"contract": each.contract, "version": each.version, "by": "url" if each.url else "adapter"}


def _agreements(code: str, directory: Directory, now: float) -> list[dict[str, Any]]:
    """Every agreement that names the agency on either side, past and future ones too."""
    day = day_of(now)

    def is_named(patterns: tuple[str, ...]) -> bool:
        return any(directory.is_match(pattern, code, day) for pattern in patterns)

    return [
        _agreement(each, sends=sends, receives=receives) | {"in_force": each.valid_from <= day <= each.valid_until}
        for each in directory.agreements
        for sends, receives in [(is_named(each.senders), is_named(each.receivers))]
        if sends or receives
    ]


def _agreement(each: Agreement, *, sends: bool, receives: bool) -> dict[str, Any]:
    return {
        "id": each.id,
        "title": each.title,
        "basis": each.basis,
        "purpose": each.purpose,
        "contracts": list(each.contracts),
        "valid_from": each.valid_from.isoformat(),
        "valid_until": each.valid_until.isoformat(),
        "sends": sends,
        "receives": receives,
    }
