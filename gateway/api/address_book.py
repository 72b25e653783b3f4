"""GET /v1/agencies: whom the bus knows, and what the caller may send to them and ask of them today."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from gateway.api.body import json_answer
from gateway.api.doors import DOORS, Operator
from gateway.api.identity import caller_of
from gateway.api.problems import bad_request
from gateway.core.address_book import AddressBook, Sendable, Sender
from gateway.core.askable import Askable, askable
from gateway.core.directory import Agency, Directory
from gateway.core.faults import Text, Violation
from gateway.core.moments import day_of

MOST: Final = 500
_USUAL: Final = 50
_LONGEST: Final = 200


class Books:
    """The address book of the directory in force, made when it is first asked for and not again until it changes."""

    def __init__(self) -> None:
        self._book: AddressBook | None = None
        self._making = asyncio.Lock()

    async def of(self, directory: Directory) -> AddressBook:
        """The book of ``directory``."""
        async with self._making:
            if self._book is None or self._book.directory is not directory:
                self._book = await asyncio.to_thread(AddressBook.of, directory)
            return self._book


BOOKS: Final = web.AppKey("BOOKS", Books)


async def agencies(request: web.Request) -> web.Response:
    """Agencies in order of their codes, page by page; with a word or more only those that fit."""
    caller = caller_of(request)
    doors = request.app[DOORS]
    asked, after = _text(request, "q"), _text(request, "after")
    limit = _limit(request)
    book = await request.app[BOOKS].of(doors.directory())
    found, has_more = await asyncio.to_thread(book.search, asked, after=after, limit=limit)
    sender = None
    if not isinstance(caller, Operator):
        sender = Sender.of(caller.agency, book.directory, doors.catalog(), day_of(doors.clock.now()))
    members: dict[str, Any] = {"agencies": [_entry(each, sender) for each in found]}
    if not isinstance(caller, Operator):
        day, catalog = day_of(doors.clock.now()), doors.catalog()
        for told, each in zip(members["agencies"], found, strict=True):
            may_ask = askable(caller.agency, each, book.directory, catalog, day)
            if may_ask:
                told["may_ask"] = [_askable(one) for one in may_ask]
    if has_more:
        members["next"] = found[-1].code
    return json_answer(members)


def _entry(agency: Agency, sender: Sender | None) -> dict[str, Any]:
    members: dict[str, Any] = {
        "code": agency.code,
        "aliases": list(agency.aliases),
        "name": agency.name,
        "level": agency.level,
        "systems": [system.name for system in agency.systems],
    }
    told = {
        "parent": agency.parent,
        "via": agency.via,
        "closed": None if agency.closed is None else agency.closed.isoformat(),
        "successor": agency.successor,
    }
    members |= {name: value for name, value in told.items() if value}
    if sender is not None:
        members["may_send"] = [_sendable(each) for each in sender.to(agency)]
    return members


def _sendable(each: Sendable) -> dict[str, Any]:
    return {
        "contract": each.contract,
        "systems": list(each.systems),
        "agreements": list(each.agreements),
        "purposes": list(each.purposes),
        "needs_purpose": each.needs_purpose,
    }


def _askable(each: Askable) -> dict[str, Any]:
    return {
        "contract": each.contract,
        "version": each.version,
        "answer": each.answer,
        "provider": each.provider,
        "agreements": list(each.agreements),
        "purposes": list(each.purposes),
        "fields": None if each.fields is None else list(each.fields),
    }


def _text(request: web.Request, name: str) -> str:
    written = request.query.get(name, "")
    if len(written) > _LONGEST:
        raise bad_request(
            Violation(
                f"/{name}",
                "maxLength",
                Text(f"{name} dài quá {_LONGEST} ký tự.", f"{name} is over {_LONGEST} characters long."),
            )
        )
    return written


def _limit(request: web.Request) -> int:
    written = request.query.get("limit", str(_USUAL))
    if not (written.isascii() and written.isdigit() and len(written) <= 4 and 1 <= int(written) <= MOST):
        raise bad_request(
            Violation(
                "/limit",
                "maximum",
                Text(f"limit phải là số từ 1 đến {MOST}.", f"limit must be a number from 1 to {MOST}."),
            )
        )
    return int(written)
