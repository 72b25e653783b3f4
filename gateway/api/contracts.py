"""GET /v1/contracts: the message types of the bus, each version with its schema and good examples."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.api.body import json_answer
from gateway.api.doors import DOORS
from gateway.api.identity import caller_of
from gateway.api.problems import not_found
from gateway.core.contract import Contract, Version


async def contracts(request: web.Request) -> web.Response:
    """Every version of every contract, without schemas."""
    caller_of(request)
    catalog = request.app[DOORS].catalog()
    every = (catalog.contracts[name] for name in catalog.names())
    return json_answer({"contracts": [_named(each, version) for each in every for version in each.versions]})


async def contract(request: web.Request) -> web.Response:
    """One version, with its schema and the data of its good examples."""
    caller_of(request)
    catalog = request.app[DOORS].catalog()
    found = catalog.contract(request.match_info["name"])
    version = None if found is None else found.version(request.match_info["version"])
    if found is None or version is None:
        raise not_found()
    examples = [example.data for example in version.examples]
    return json_answer({**_named(found, version), "schema": version.schema, "examples": examples})


def _named(contract: Contract, version: Version) -> dict[str, Any]:
    members: dict[str, Any] = {
        "name": contract.name,
        "version": version.label,
        "state": version.state,
        "kind": contract.kind,
        "title": {"vi": contract.title.vi, "en": contract.title.en},
        "owner": contract.owner,
        "ordering": contract.ordering,
        "personal": contract.personal,
    }
    if contract.answer is not None:
        members["answer"] = contract.answer
    return members
