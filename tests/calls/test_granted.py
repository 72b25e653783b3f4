"""The bus proves itself by a fixed token or by one that it fetches, and never shows either."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from gateway.calls.caller import Answer, Caller
from gateway.calls.counter import Counter, Faults
from gateway.calls.granted import SETTINGS, Pass
from gateway.core.faults import DestinationGone, Misconfigured, TransientFailure
from tests.conformance.test_adapters import schema_of

SECRET = "khoa-mau-cua-ung-dung"


@dataclass(slots=True)
class Issuer:
    """Where tokens are fetched; ``good`` are those that are worth something."""

    good: set[str] = field(default_factory=set)
    given: int = 0
    answer: dict[str, Any] | None = None
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        self.counter = Counter([web.post("/token", self._token), web.get("/it", self._it)], Faults(), posts=frozenset())

    async def _token(self, request: web.Request) -> web.Response:
        pair = base64.b64encode(f"lgsp:{SECRET}".encode()).decode()
        if (
            request.headers["Authorization"] != f"Basic {pair}"
            or await request.text() != "grant_type=client_credentials"
        ):
            return web.json_response({"error": "invalid_client"}, status=401)
        self.given += 1
        self.good.add(f"token-{self.given}")
        return web.json_response(self.answer or {"access_token": f"token-{self.given}", "expires_in": 3600})

    async def _it(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return web.json_response({}, status=200 if scheme == "Bearer" and token in self.good else 401)


@dataclass(slots=True)
class Desk:
    issuer: Issuer
    folder: Path
    callers: list[Caller] = field(default_factory=list)
    now: float = 0.0

    def caller(self, base: str) -> Caller:
        self.callers.append(Caller(base, user_agent="lgsp/test", timeout=5))
        return self.callers[-1]

    def made(self, **settings: Any) -> Pass:
        return Pass(settings, lambda name: (self.folder / name).read_bytes(), lambda: self.now, self.caller, "settings")

    def fetched(self) -> Pass:
        return self.made(token_url=f"{self.issuer.counter.url}/token", client_id="lgsp", client_secret_file="s")

    async def ask(self, made: Pass) -> Answer:
        it = self.caller(self.issuer.counter.url)
        return await made.asked(lambda proof: it.ask("GET", "/it", fields=proof))


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    issuer = Issuer()
    await issuer.counter.start()
    (tmp_path / "s").write_text(f"{SECRET}\n")
    made = Desk(issuer, tmp_path)
    yield made
    for each in made.callers:
        await each.close()
    await issuer.counter.stop()


async def test_a_token_is_fetched_once_and_again_when_it_is_over_or_refused(desk: Desk) -> None:
    made = desk.fetched()
    assert [(await desk.ask(made)).status for _ in range(3)] == [200] * 3
    assert desk.issuer.given == 1
    desk.issuer.good.clear()
    assert (await desk.ask(made)).status == 200
    desk.now += 3600
    assert (await desk.ask(made)).status == 200
    assert desk.issuer.given == 3
    await made.close()


async def test_an_account_that_is_refused_stops_the_queue_and_a_token_that_is_none_is_waited_for(desk: Desk) -> None:
    made = desk.fetched()
    desk.issuer.answer = {"access_token": "unknown"}
    with pytest.raises(DestinationGone):
        await desk.ask(made)
    for odd in ({"x": 1}, {"access_token": ""}, {"access_token": "a\nb"}, {"access_token": "đ"}):
        desk.issuer.answer = odd
        with pytest.raises(TransientFailure, match="no token"):
            await desk.ask(desk.fetched())
    (desk.folder / "s").write_text("khac")
    with pytest.raises(DestinationGone) as failure:
        await desk.ask(desk.fetched())
    assert SECRET not in str(failure.value)


async def test_a_fixed_token_is_read_at_the_moment_of_use_and_without_settings_nothing_is_proven(desk: Desk) -> None:
    desk.issuer.good.add(SECRET)
    made = desk.made(token_file="s")
    assert (await desk.ask(made)).status == 200
    (desk.folder / "s").write_text("khac")
    assert (await desk.ask(made)).status == 401
    (desk.folder / "s").unlink()
    with pytest.raises(TransientFailure):
        await desk.ask(made)
    assert (await desk.ask(desk.made())).status == 401


@pytest.mark.parametrize(
    "settings",
    [
        {"token_url": "https://example.vn"}, {"client_id": "x", "client_secret_file": "s"},
        {"token_url": "https://example.vn", "client_id": "x", "client_secret_file": "s", "token_file": "s"},
        {"token_url": "https://", "client_id": "x", "client_secret_file": "s"},
    ],
)  # fmt: skip
def test_half_an_account_or_two_of_them_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Desk(Issuer(), tmp_path).made(**settings)


@pytest.mark.parametrize("name", ["vnpost", "qlvb_signing", "payment_gateway"])
def test_adapters_have_its_settings_just_so(name: str) -> None:
    assert {member: schema_of(name)["properties"][member] for member in SETTINGS} == SETTINGS
