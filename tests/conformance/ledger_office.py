"""What a ledger promises about everything beside messages: registry, journal, tokens, refusals, readiness."""

from __future__ import annotations

from gateway.ports import Ledger, RegistryRow
from tests.build import MORNING, a_message, an_audit_row
from tests.conformance.ledger_tale import LedgerTale, keep

AGENCY = RegistryRow("agency", "H33.05", "folder", {"name": "Sở Tài chính", "systems": [{"name": "dms"}]})
AGREEMENT = RegistryRow("agreement", "VB-2018", "console", {"title": "Trao đổi văn bản"})


class Office(LedgerTale):
    async def test_the_registry_begins_empty_at_version_0(self, ledger: Ledger) -> None:
        assert await ledger.registry() == (0, [])
        assert await ledger.registry_version() == 0

    async def test_a_difference_is_written_whole_with_its_audit_rows(self, ledger: Ledger) -> None:
        rows = [AGREEMENT, AGENCY]
        assert await ledger.change_registry(0, put=rows, delete=[], audit=[an_audit_row("registry.changed")])

        assert await ledger.registry() == (1, [AGENCY, AGREEMENT])
        assert await ledger.registry_version() == 1
        ((_, kind, body),) = await ledger.journal()
        assert (kind, b"registry.changed" in body) == ("audit", True)

    async def test_a_difference_from_another_version_is_not_written(self, ledger: Ledger) -> None:
        await ledger.change_registry(0, put=[AGENCY], delete=[], audit=[])

        late = RegistryRow("agency", "H33.05", "folder", {"name": "overwritten"})
        assert not await ledger.change_registry(0, put=[late], delete=[], audit=[an_audit_row()])

        assert await ledger.registry() == (1, [AGENCY])
        assert await ledger.journal() == []

    async def test_rows_are_replaced_deleted_and_put_again(self, ledger: Ledger) -> None:
        await ledger.change_registry(0, put=[AGENCY, AGREEMENT], delete=[], audit=[])
        renamed = RegistryRow("agency", "H33.05", "console", {"name": "Sở Tài chính (mới)"})

        assert await ledger.change_registry(
            1, put=[renamed], delete=[("agreement", "VB-2018"), ("agency", "H33.05"), ("operator", "nobody")], audit=[]
        )

        assert await ledger.registry() == (2, [renamed])

    async def test_the_journal_is_numbered_without_gaps_and_read_on_from_any_number(self, ledger: Ledger) -> None:
        first, second = a_message(1), a_message(2)
        await keep(ledger, first)
        await ledger.audit([an_audit_row("one"), an_audit_row("two")])
        await ledger.accept_many([first, second])

        leaves = await ledger.journal()
        assert [(number, kind) for number, kind, _ in leaves] == [
            (1, "receipt"), (2, "audit"), (3, "audit"), (4, "receipt"),
        ]  # fmt: skip
        assert await ledger.journal(after=1, limit=2) == leaves[1:3]
        assert await ledger.journal(after=4) == []

    async def test_a_one_time_token_is_good_once(self, ledger: Ledger) -> None:
        assert await ledger.use_once("H33.05/dms jti-1", until=MORNING + 300, now=MORNING)
        assert not await ledger.use_once("H33.05/dms jti-1", until=MORNING + 300, now=MORNING + 1)
        assert await ledger.use_once("H33.05/dms jti-2", until=MORNING + 300, now=MORNING + 1)
        assert not await ledger.use_once("H33.05/dms jti-1", until=MORNING + 900, now=MORNING + 300)

    async def test_refusals_are_counted_without_a_word(self, ledger: Ledger) -> None:
        await ledger.count_refusals({("192.0.2.1", 29923260, "bad-signature"): 3})
        await ledger.count_refusals({("192.0.2.1", 29923260, "bad-signature"): 2, ("192.0.2.2", 29923260, "x"): 1})
        await ledger.count_refusals({})

        assert await ledger.journal() == []

    async def test_a_ledger_that_works_is_writable(self, ledger: Ledger) -> None:
        assert await ledger.is_writable()
