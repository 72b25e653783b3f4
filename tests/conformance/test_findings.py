"""The promises of ``ports.findings.FindingsBook``: one suite, inherited by every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.findings import Findings, Looked, Signature
from gateway.ports import HeldFile, Ledger
from gateway.ports.findings import FindingsBook, Named
from gateway.store.memory import MemoryLedger
from gateway.store.memory_findings import MemoryFindings
from gateway.store.postgres.findings import findings_book_of as postgres_book
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.sqlite.findings import findings_book_of as sqlite_book
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, SENDER, a_digest, a_message

SIGNED = Signature("revoked", "certificate-revoked", "Nguyễn Văn Mẫu", "x5t", MORNING - 5.25, True, True)
LOOKED = Looked("pdf", "revoked", "certificate-revoked", (SIGNED,), "pyhanko 0", "0123456789ab")
Both = tuple[Ledger, FindingsBook]


def found(name: str = "a", **override: object) -> Findings:
    made = Findings(a_digest(name), LOOKED, MORNING, "clean", "clamd", MORNING + 0.5)
    return replace(made, **override)  # type: ignore[arg-type]


async def put(ledger: Ledger, *names: str, at: float = MORNING) -> None:
    """Files as if they had been uploaded."""
    for name in names:
        held = HeldFile(a_digest(name), len(name), "application/pdf")
        assert await ledger.grant_file(held, SENDER, at=at, is_present=lambda _: True)


class FindingsSuite:
    """Every promise; a backend adds how to make both, in an empty folder or database."""

    def new(self, folder: Path) -> Both:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def both(self, tmp_path: Path) -> AsyncIterator[Both]:
        made = self.new(tmp_path)
        await made[0].open()
        yield made
        await made[0].close()

    async def test_what_was_found_is_told_as_it_was(self, both: Both) -> None:
        ledger, book = both
        await put(ledger, "a")
        assert await book.of(a_digest("a")) is None
        assert await book.keep(found())
        assert await book.of(a_digest("a")) == found()

    async def test_another_look_replaces_the_one_before(self, both: Both) -> None:
        ledger, book = both
        await put(ledger, "a")
        await book.keep(found())
        again = found(looked=Looked("pdf", "valid"), looked_at=MORNING + 60, scanned="not-scanned", scanned_at=None)
        assert await book.keep(again)
        assert await book.of(a_digest("a")) == again

    async def test_nothing_is_kept_of_a_file_that_is_not_held(self, both: Both) -> None:
        _, book = both
        assert not await book.keep(found())
        assert await book.of(a_digest("a")) is None
        assert await book.held(a_digest("a")) is None

    async def test_a_signature_from_outside_is_kept_beside_the_look_at_the_file_itself(self, both: Both) -> None:
        ledger, book = both
        await put(ledger, "a")
        outside = found(about=a_digest("b"))
        await book.keep(outside)
        assert await book.of(a_digest("a")) is None
        await book.keep(found())
        assert await book.of(a_digest("a"), a_digest("b")) == outside
        assert await book.of(a_digest("a")) == found()

    async def test_the_files_of_a_message_are_told_with_what_is_known_of_them(self, both: Both) -> None:
        ledger, book = both
        await put(ledger, "a", "bb", "other")
        await book.keep(found())
        await book.keep(found("bb", about=a_digest("a")))
        message = a_message(files=(a_digest("bb"), a_digest("a")))
        await ledger.accept_many([message, a_message("plain")])

        told = {Named(a_digest("a"), 1, found()), Named(a_digest("bb"), 2, None)}
        assert list(await book.named(message.key)) == sorted(told, key=lambda each: each.sha256)
        assert list(await book.named(a_message("plain").key)) == []
        assert list(await book.named(a_message("unknown").key)) == []

    async def test_what_is_known_of_a_file_goes_with_it(self, both: Both) -> None:
        ledger, book = both
        await put(ledger, "a", "b")
        for name in ("a", "b"):
            await book.keep(found(name))
        await book.keep(found("a", about=a_digest("b")))
        await ledger.accept_many([a_message(files=(a_digest("b"),))])
        assert await ledger.sweep_files(MORNING + 1, remove=lambda _: None) == 1
        assert await book.held(a_digest("a")) is None
        await put(ledger, "a", at=MORNING + 2)

        assert await book.of(a_digest("a")) is None
        assert await book.of(a_digest("a"), a_digest("b")) is None
        assert await book.of(a_digest("b")) == found("b")


class TestMemoryFindings(FindingsSuite):
    def new(self, folder: Path) -> Both:
        ledger = MemoryLedger()
        return ledger, MemoryFindings(ledger)


class TestSqliteFindings(FindingsSuite):
    def new(self, folder: Path) -> Both:
        ledger = SqliteLedger(folder / "ledger.db")
        return ledger, sqlite_book(ledger)


class TestPostgresFindings(FindingsSuite):
    @pytest.fixture
    async def both(self, postgres_url: str) -> AsyncIterator[Both]:
        ledger = PostgresLedger(postgres_url)
        await ledger.open()
        yield ledger, postgres_book(ledger)
        await ledger.close()
