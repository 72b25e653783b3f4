"""Every route on one page, and what happens around each request: faults become problems, one line is logged."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api import (
    address_book,
    contracts,
    destinations,
    directory,
    docs,
    documents,
    dossiers,
    failures,
    files,
    findings,
    health,
    inbox,
    keys,
    links,
    lists,
    lookups,
    manifests,
    me,
    messages,
    metrics,
    problems,
    queries,
    registers,
    replays,
    requests,
    submit,
    tokens,
    uploads,
    visits,
)
from gateway.api.access import AccessTokens
from gateway.api.body import INTAKE, Intake
from gateway.api.doors import DOORS, Doors, Limits, Operator
from gateway.api.identity import CALLER, TOKENS
from gateway.api.inbox import CLOSING
from gateway.api.language import language_of
from gateway.api.standing import HEADERS, secured
from gateway.api.submit import MESSAGE_ID, PROBLEM
from gateway.api.telling import tell
from gateway.core.faults import Fault
from gateway.telemetry import log

__all__ = ["ROUTES", "Doors", "Limits", "Operator", "make_app"]

ROUTES: Final = (
    web.post("/v1/messages", submit.submit),
    web.post("/v1/queries", queries.ask),
    web.get("/v1/messages/{id}", messages.message),
    web.get("/v1/messages/{id}/envelope", messages.envelope),
    web.get("/v1/me", me.me),
    web.get("/v1/me/duties", me.duties),
    web.get("/v1/me/requests", requests.mine),
    web.post("/v1/me/requests", requests.ask),
    web.get("/v1/agencies", address_book.agencies),
    web.get("/v1/certificates/{thumbprint}", directory.certificate),
    web.get("/v1/contracts", contracts.contracts),
    web.get("/v1/contracts/{name}/{version}", contracts.contract),
    web.options(uploads.COLLECTION, uploads.collection),
    web.post(uploads.COLLECTION, uploads.collection),
    web.options(uploads.ITEM, uploads.item),
    web.head(uploads.ITEM, uploads.item),
    web.patch(uploads.ITEM, uploads.item),
    web.delete(uploads.ITEM, uploads.item),
    web.post(uploads.ITEM, uploads.item),
    web.get("/v1/files/{sha256}", files.file),
    web.get("/v1/files/{sha256}/findings", findings.findings),
    web.get("/files/{token}/{name}", links.linked),
    web.post("/v1/inbox/lease", inbox.lease),
    web.post("/v1/inbox/settle", inbox.settle),
    web.get("/v1/operator/failures", failures.failures),
    web.get("/v1/operator/failures/{group}", failures.failure),
    web.get("/v1/operator/replays", replays.listed),
    web.post("/v1/operator/replays", replays.create),
    web.get("/v1/operator/replays/{id}", replays.operation),
    web.post("/v1/operator/replays/{id}", replays.turn),
    web.get("/v1/operator/discards", replays.listed),
    web.post("/v1/operator/discards", replays.create),
    web.get("/v1/operator/discards/{id}", replays.operation),
    web.post("/v1/operator/discards/{id}", replays.turn),
    web.get("/v1/operator/requests", requests.listed),
    web.get("/v1/operator/requests/{id}", requests.one),
    web.post("/v1/operator/requests/{id}", requests.decide),
    web.get("/v1/operator/directory", lists.overview),
    web.get("/v1/operator/directory/proposals", lists.listed),
    web.get("/v1/operator/directory/proposals/{number}", lists.one),
    web.post("/v1/operator/directory/proposals/{number}", lists.decide),
    web.get("/v1/operator/registers", registers.listed),
    web.get("/v1/operator/registers/{item}", registers.one),
    web.post("/v1/operator/registers/{item}", registers.decide),
    web.get("/v1/operator/documents", documents.listed),
    web.get("/v1/operator/documents/parked", documents.parked),
    web.get("/v1/operator/documents/duties", documents.duties),
    web.get("/v1/operator/dossiers", dossiers.listed),
    web.get("/v1/operator/manifests", manifests.listed),
    web.post("/v1/operator/manifests/{day}/{agency}/{system}/replay", manifests.replay),
    web.get("/v1/operator/queries", lookups.listed),
    web.post("/v1/operator/queries", lookups.who),
    web.get("/v1/operator/destinations", destinations.destinations),
    web.post("/v1/operator/destinations/{agency}/{system}", destinations.destination),
    web.get("/v1/manifests", manifests.mine),
    web.post("/v1/manifests", manifests.say),
    web.get("/v1/manifests/{day}/{direction}/{contract}", manifests.branch),
    web.get("/v1/documents", documents.documents),
    web.get("/v1/dossiers/{code}", dossiers.dossier),
    web.post("/oauth2/token", tokens.token),
    web.get("/.well-known/jwks.json", keys.jwks),
    web.get("/health/live", health.live),
    web.get("/health/ready", health.ready),
    web.get("/metrics", metrics.metrics),
    web.get("/openapi.json", docs.openapi),
    web.get("/asyncapi.json", docs.asyncapi),
    web.get("/docs", docs.docs),
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(doors: Doors) -> web.Application:
    """The application behind every door; serve it with :class:`gateway.api.listener.Listener`."""
    app = web.Application(middlewares=[_around])
    app[DOORS] = doors
    app[TOKENS] = AccessTokens(doors.signer)
    app[INTAKE] = Intake(doors.limits.intake)
    app[tokens.SLOWLY] = tokens.Slowly()
    app[CLOSING] = asyncio.Event()
    app[address_book.BOOKS] = address_book.Books()
    app[docs.PAGES] = docs.Pages.of(doors.public_url)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler, expect_handler=_continue)
        if route.method == hdrs.METH_GET:
            app.router.add_route(hdrs.METH_HEAD, route.path, route.handler, expect_handler=_continue)
    for path in visits.PATHS:
        # What is asked there is no interface of ours: described as a whole, not by method.
        app.router.add_route(hdrs.METH_ANY, path, visits.visit, expect_handler=_continue)
    always = secured(doors.public_url)

    async def finish(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(always)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)

    async def close(app: web.Application) -> None:
        app[CLOSING].set()
        doors.uploads.stop()

    app.on_response_prepare.append(uploads.speak_tus)
    app.on_response_prepare.append(finish)
    app.on_shutdown.append(close)
    return app


async def _continue(request: web.Request) -> None:
    """Let a body come that waits for our word; any other expectation is ignored (RFC 9110, 10.1.1)."""
    if request.headers[hdrs.EXPECT].lower() == "100-continue" and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What is written now is no answer yet: an error may still be told.
        request.writer.output_size = 0


@web.middleware
async def _around(request: web.Request, handler: Handler) -> web.StreamResponse:
    began = time.perf_counter()
    told: dict[str, Any] = {}
    try:
        response = await handler(request)
    except Fault as fault:
        told["problem"] = fault.problem
        response = problems.answer(fault, language_of(request))
    except web.HTTPException as refusal:
        response = problems.from_http(refusal, language_of(request))
    except Exception as error:  # whatever it was, the caller gets a problem and the log a line
        if isinstance(error, ConnectionError) and (request.transport is None or request.transport.is_closing()):
            raise  # the caller left; nobody is there to answer
        response = _unforeseen(request, error)
    _tell(request, response, time.perf_counter() - began, told)
    return response


def _unforeseen(request: web.Request, error: Exception) -> web.StreamResponse:
    reference = f"urn:uuid:{uuid.uuid4()}"
    log.error("request.failed", reference=reference, method=request.method, door=_door(request), exc_info=error)
    if request.writer.output_size > 0:
        # The answer has begun: all that is left is to break it off, so that nobody takes a part for the whole.
        raise ConnectionAbortedError("broken off after an error")
    return problems.answer(problems.internal(), language_of(request), instance=reference)


def _door(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical


def _tell(request: web.Request, response: web.StreamResponse, seconds: float, told: dict[str, Any]) -> None:
    if MESSAGE_ID in request:
        told["message_id"] = request[MESSAGE_ID]
    if CALLER in request:
        field, name = request[CALLER]
        told[field] = name
    if visits.VISITED in request:
        told["system"] = request[visits.VISITED]
    if PROBLEM in request:
        told["problem"] = request[PROBLEM]
    trace = request.headers.get("traceparent", "")
    tell(
        _door(request),
        request.method,
        response.status,
        seconds=seconds,
        address=request.remote,
        trace=trace,
        told=told,
    )
