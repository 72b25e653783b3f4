"""The fixtures and options every test knows, real servers among them, and the rule that nothing is skipped in CI."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.servers import databases
from tests.servers.pgbouncer import PrivateBouncer
from tests.servers.private import Unavailable
from tests.servers.rabbitmq import RabbitApi
from tests.servers.sharing import Run, within

# How long one example takes says more about the machine than about the rule it tests.
hypothesis.settings.register_profile("lienthong", deadline=None)
hypothesis.settings.load_profile("lienthong")

IN_CI = os.environ.get("CI", "").lower() == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, help="how often the kill tests visit each write point (2)")


# ------------------------------------------------------------------------------------------ real servers

RUN = pytest.StashKey[Run]()
#: A fixture that a test may ask for -> the server it needs.
_NEEDS = {"postgres_server": "postgres", "rabbit_server": "rabbitmq"}


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RUN] = Run.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[RUN].end()


def pytest_collection_finish(session: pytest.Session) -> None:
    # They take seconds to start: while they do, tests that need none of them can run.
    asked = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    for name in asked & _NEEDS.keys():
        if not session.config.option.collectonly:
            session.config.stash[RUN].prepare(_NEEDS[name])


def _server(request: pytest.FixtureRequest, kind: str) -> dict[str, str]:
    try:
        return request.config.stash[RUN].server(kind)
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """The address of a PostgreSQL in which databases may be made."""
    return _server(request, "postgres")["url"]


@pytest.fixture(scope="session")
def postgres_template(request: pytest.FixtureRequest, postgres_server: str) -> str:
    """The name of a database with all tables and no row, of which others are copies; nobody connects to it."""
    run = request.config.stash[RUN]
    name = f"{run.name}_template"
    with run.once("template") as is_first:
        if is_first:
            databases.drop(postgres_server, name)
            databases.make(postgres_server, name)
            databases.migrate(within(postgres_server, name))
    return name


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The address of a fresh database with all tables, dropped afterwards."""
    name = f"{request.config.stash[RUN].name}_{secrets.token_hex(6)}"
    databases.make(postgres_server, name, postgres_template)
    yield within(postgres_server, name)
    databases.drop(postgres_server, name)


@pytest.fixture(scope="session")
def postgres_suite_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The address of one database for many tests, each of which empties it first (see ``tests.emptied``)."""
    name = f"{postgres_template}_{secrets.token_hex(6)}"
    databases.make(postgres_server, name, postgres_template)
    yield within(postgres_server, name)
    databases.drop(postgres_server, name)


@pytest.fixture(scope="session")
def postgres_bouncer(postgres_server: str) -> Iterator[str]:
    """The address of a PgBouncer in transaction mode before that PostgreSQL."""
    try:
        with PrivateBouncer(postgres_server) as bouncer:
            yield bouncer.url
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def rabbit_server(request: pytest.FixtureRequest) -> dict[str, str]:
    """``url`` and ``api``, the addresses of a RabbitMQ in which virtual hosts may be made, and of its management."""
    return _server(request, "rabbitmq")


@pytest.fixture
def rabbit_api(rabbit_server: dict[str, str]) -> RabbitApi:
    """The management API of the RabbitMQ that the tests share: nobody stops that one, see ``PrivateRabbit``."""
    return RabbitApi(rabbit_server["api"])


@pytest.fixture
def rabbit_url(request: pytest.FixtureRequest, rabbit_server: dict[str, str], rabbit_api: RabbitApi) -> Iterator[str]:
    """The address of a fresh virtual host, deleted afterwards; its name is the last part."""
    name = f"{request.config.stash[RUN].name}_{secrets.token_hex(6)}"
    rabbit_api.make_vhost(name)
    yield within(rabbit_server["url"], name)
    rabbit_api.drop_vhost(name)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often a kill test visits each write point: 2, or as many as ``--rounds`` says (``make kill``: 50)."""
    return int(request.config.getoption("--rounds") or 2)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI and report.skipped:
        _count_as_failed(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped:
        _count_as_failed(report)
    return report


def _count_as_failed(report: pytest.CollectReport | pytest.TestReport) -> None:
    # What was not looked at in CI is not known to work.
    report.outcome = "failed"
    report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
