"""/v1/documents and /v1/operator/documents: what became of a document, for its parties and for operators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from gateway.api import registered, rights
from gateway.api.asked import page_of
from gateway.api.body import json_answer
from gateway.api.doors import DOORS, Operator
from gateway.api.identity import caller_of, system_of
from gateway.api.problems import bad_request, not_found
from gateway.core.faults import Text, Violation
from gateway.core.moments import day_of

_PLACE: Final = re.compile(r"[1-9][0-9]{0,18}\Z")
_LONGEST: Final = 500


async def documents(request: web.Request) -> web.Response:
    """One document, for whoever is a party of it; or a page of what the caller's agency issued."""
    named = _named(request.query)
    if named is None:
        system = system_of(request)
        return await _page(request, system.agency)
    caller = caller_of(request)
    doors = request.app[DOORS]
    view = await doors.documents.view(*named)
    if isinstance(caller, Operator):
        await rights.looking(request)
    elif view is not None:
        # A closed code is readable for ever: by whoever stands in its place.
        view = view.for_agency(doors.directory().naming.selves(caller.agency, day_of(doors.clock.now())))
    if view is None:
        raise not_found()
    return json_answer(registered.document(view))


async def listed(request: web.Request) -> web.Response:
    """What an agency issued, or every document of an id, whoever issued it."""
    await rights.looking(request)
    agency, document = _text(request.query, "agency"), _text(request.query, "document")
    if (agency is None) == (document is None):
        raise bad_request(
            _wrong("agency", "cần đúng một trong agency và document", "exactly one of agency and document is needed")
        )
    if agency is not None:
        return await _page(request, agency)
    found = await request.app[DOORS].documents.views(document or "")
    return json_answer({"documents": [registered.document(view) for view in found]})


async def parked(request: web.Request) -> web.Response:
    """Statuses whose document is not known: those that wait for it, or did so in vain."""
    await rights.looking(request)
    limit, _ = page_of(request.query)
    given_up = request.query.get("given_up", "false")
    if given_up not in {"true", "false"}:
        raise bad_request(_wrong("given_up", "phải là true hoặc false", "must be true or false"))
    found = await request.app[DOORS].documents.register.parked(is_given_up=given_up == "true", limit=limit)
    return json_answer({"statuses": [registered.line(each) for each in found]})


async def duties(request: web.Request) -> web.Response:
    """What agencies owe for documents, the one due first first."""
    await rights.looking(request)
    limit, _ = page_of(request.query)
    found = await request.app[DOORS].documents.register.duties(agency=_text(request.query, "agency"), limit=limit)
    return json_answer({"duties": [registered.duty(each) for each in found]})


async def _page(request: web.Request, agency: str) -> web.Response:
    limit, _ = page_of(request.query)
    before = request.query.get("before")
    if before is not None and not _PLACE.match(before):
        raise bad_request(_wrong("before", "không phải next của trang trước", "must be the next of the page before"))
    found = await request.app[DOORS].documents.issued(
        agency, before=None if before is None else int(before), limit=limit
    )
    following = {"next": str(found[-1].place)} if len(found) == limit else {}
    return json_answer({"documents": [registered.line(each) for each in found], **following})


def _named(query: Mapping[str, str]) -> tuple[str, str] | None:
    """Issuer and id where one document is meant; raises Rejected ``bad-request`` where one of them is missing."""
    issuer, document = _text(query, "issuer"), _text(query, "document")
    if issuer is None and document is None:
        return None
    if issuer is None or document is None:
        name = "issuer" if issuer is None else "document"
        raise bad_request(_wrong(name, "cần cả issuer và document", "both issuer and document are needed"))
    return issuer, document


def _text(query: Mapping[str, str], name: str) -> str | None:
    value = query.get(name)
    if value is not None and not 0 < len(value) <= _LONGEST:
        raise bad_request(_wrong(name, "phải có từ 1 đến 500 ký tự", "must have 1 to 500 characters"))
    return value


def _wrong(name: str, vi: str, en: str) -> Violation:
    return Violation(f"/{name}", "value", Text(vi, en))
