"""The bus over PostgreSQL keeps what it acknowledged, too: killed at a few points, at all with ``--rounds``."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from gateway.checkpoints import CHECKPOINTS
from tests.kill.province import EMBEDDED, Province, Template, move_store
from tests.kill.rounds import SIDE_BY_SIDE, broken, dies_once_at, play
from tests.servers import databases
from tests.servers.sharing import within

#: Before and after what a sender and a recipient were promised is on disk; one round of each, side by side.
DAILY: Final = ("store.accept-written", "store.accept-committed", "store.record-written")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A province that was applied once to a database; rounds serve copies of both."""

    template: Template
    server: str
    database: str
    #: The databases of rounds, which whoever made this drops.
    copies: list[str] = field(default_factory=list)

    @classmethod
    def made(cls, folder: Path, server: str, empty: str) -> Deployed:
        """Apply a province to a copy of the database ``empty``, which has all tables."""
        name = _copy(server, empty)
        return cls(Template.made(folder, within(server, name)), server, name)

    def copied(self, folder: Path) -> Province:
        """A province of its own over a database of its own, not served yet."""
        province = self.template.copied(folder)
        self.copies.append(_copy(self.server, self.database))
        move_store(folder, within(self.server, self.database), within(self.server, self.copies[-1]))
        return province

    def drop_copies(self) -> None:
        """Forget what the rounds kept."""
        while self.copies:
            databases.drop(self.server, self.copies.pop())


def _copy(server: str, database: str) -> str:
    name = f"{database}_{secrets.token_hex(4)}"
    databases.make(server, name, database)
    return name


@pytest.fixture(scope="module")
def deployments(
    postgres_server: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Deployed]]:
    """Provinces over PostgreSQL, applied once for all rounds."""
    folders = [tmp_path_factory.mktemp("kill-postgres") / "template" for _ in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda folder: Deployed.made(folder, postgres_server, postgres_template), folders))
    yield made
    for each in made:
        databases.drop(postgres_server, each.database)


@pytest.fixture
def templates(deployments: Sequence[Deployed]) -> Iterator[Sequence[Deployed]]:
    """The same, and what a test's rounds kept is gone after it."""
    yield deployments
    for each in deployments:
        each.drop_copies()


def embedded(rounds: Path) -> list[Path]:
    """SQLite files that gateways made in the folders of these rounds."""
    return list(rounds.glob(f"*/{EMBEDDED.removeprefix('sqlite:')}"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # each point takes many seconds: all of them are for who asks for rounds
    if "points" in metafunc.fixturenames:
        is_thorough = metafunc.config.getoption("--rounds") is not None
        visits = [(name,) for name in CHECKPOINTS] if is_thorough else [DAILY]
        metafunc.parametrize("points", visits, ids=" ".join)


async def test_a_bus_over_postgresql_killed_at_these_points_keeps_its_word(
    points: Sequence[str], rounds: int, templates: Sequence[Deployed], tmp_path: Path
) -> None:
    visits = rounds if len(points) == 1 else 1
    arranged = {f"postgres {point} {number}": dies_once_at(point) for point in points for number in range(visits)}

    found = broken(await play(templates, tmp_path, arranged))

    assert not found, found
    assert not embedded(tmp_path), "rounds were played over another store"
