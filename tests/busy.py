"""A ledger in the middle of its work: something in every table, and a delivery in every state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.compose.choices import agency_lists_of, dossiers_of, findings_book_of, manifests_of, query_log_of
from gateway.core import backfill
from gateway.core.agency_list import AgencyList, Entry
from gateway.core.breaker import Breaker
from gateway.core.delivery import Claimed, Deferred, Delivered, Discarded, Expired, GaveUp, Refused, Replayed, Signal
from gateway.core.documents.entry import DocumentEntry, Obligation
from gateway.core.dossiers.event import DossierEvent, Hop
from gateway.core.findings import Findings, Looked, Signature
from gateway.core.moments import day_of
from gateway.core.reconciliation import Gap, Line, Section, summary_of
from gateway.core.replay import Phase, Plan
from gateway.ports import Change, Derived, HeldFile, Ledger, RegistryRow
from gateway.ports.agency_lists import Proposal
from gateway.ports.backfills import Backfills, Made, Request
from gateway.ports.failures import Failures, Sought
from gateway.ports.manifests import Day, Wait
from gateway.ports.queries import Asking
from gateway.ports.replays import Move, Operation, Replays
from tests.build import MORNING, SENDER, a_delivery, a_digest, a_key, a_message, an_attempt, an_audit_row
from tests.told import CODE, a_head, a_telling, an_event

NOW = MORNING + 60
PUSHED, OTHER, HELD, DOWN, LATE = "H33.16/dms", "H33.05/hr", "H33.09/dms", "H33.21/dms", "H33.40/dms"
AXIS = "H33.14/axis"
#: A body of some length with every byte in it.
_BYTES = bytes(range(256)) * 8


def plain(number: int) -> bytes:
    """The envelope of a plain message."""
    return b"%d." % number + _BYTES


async def keep_busy(
    ledger: Ledger, failures: Failures, replays: Replays, backfills: Backfills, *, many: int = 40
) -> None:
    """Fill an open, empty ledger: ``many`` plain messages, and a few of each kind beside them."""
    await _register(ledger)
    await ledger.accept_many([a_message(f"plain {n}", envelope=plain(n)) for n in range(many)])
    await _deliver(ledger, many // 2)
    await _end_in_every_way(ledger)
    await _hold(ledger)
    await _name_files(ledger)
    await _replay(ledger, failures, replays)
    await _catch_up(ledger, backfills)
    await _speak_of_documents(ledger)
    await _speak_of_dossiers(ledger)
    await _list_agencies(ledger)
    await _ask(ledger)
    await _reconcile(ledger)
    await ledger.keep_derived(
        Derived(a_key("translated"), a_key("plain 1"), "document.issued/2.0", b"derived" + _BYTES)
    )
    # last, so that they stay leased
    await ledger.accept_many([a_message(f"under way {n}", to=(DOWN,)) for n in range(3)])
    await ledger.claim({DOWN: 2}, owner=f"push:{DOWN}", now=NOW, until=NOW + 30)


async def _register(ledger: Ledger) -> None:
    rows = [
        RegistryRow("agency", "H33.16", "folder", {"name": "Sở Y tế", "systems": [{"name": "dms"}], "level": None}),
        RegistryRow("operator", "mau", "console", {"name": "Nguyễn Văn Mẫu", "roles": ["looker"], "added": 1.5}),
    ]
    assert await ledger.change_registry(0, put=rows, delete=(), audit=[an_audit_row("registry.applied")])
    assert await ledger.use_once("token-of-the-morning", until=NOW + 3600, now=NOW)
    await ledger.count_refusals({("192.0.2.7", 29923260, "bad-signature"): 3, ("192.0.2.8", 29923260, "stale"): 1})
    await ledger.keep_breaker(DOWN, Breaker(7, MORNING + 5, True, None, 2))


async def _ask(ledger: Ledger) -> None:
    """A query that was answered, and one that is being asked."""
    log = query_log_of(ledger)
    for n in range(2):
        asking = Asking(a_key(f"query {n}"), SENDER, "citizen.lookup", "1.0", "G01/db", "giai-quyet-tthc", NOW + n,
                        "sha-256:a", "a mark", "canbo.mau", "H33-261123-0001", ("DC",))  # fmt: skip
        assert await log.begin(asking, until=NOW + 20)
    row = an_audit_row("query.answered")
    await log.end(a_key("query 0"), "answered", at=NOW + 3, answer="sha-256:b", audit=row)


async def _reconcile(ledger: Ledger) -> None:
    """A day that was gathered, of which both sides say something, with one that was lost and one nobody dealt with."""
    manifests, day = manifests_of(ledger), day_of(NOW)
    section = Section(day, PUSHED, "received", "document.issued")
    lines = [Line(a_key(f"plain {n}"), a_digest(str(n)), NOW + 0.3, a_key(f"d {n}"), n == 1) for n in range(3)]
    await manifests.keep("bus", [(section, line) for line in lines])
    await manifests.keep("system", [(section, line) for line in lines[1:]])
    await manifests.summarise([summary_of(section, "bus", lines), summary_of(section, "system", lines[1:], form="ids")])
    await manifests.mark(Day(day, NOW + 0.4, None))
    waits = [Wait(PUSHED, "document.issued", lines[1].id, "H33.16", "số 1", day, NOW, NOW + 0.5)]
    await manifests.wait(waits)
    gap = Gap(section, "lost", lines[0].id, NOW, lines[0].at, lines[0].delivery)
    await manifests.note([gap, replace(gap, kind="unprocessed")], an_audit_row("manifest.differs"))
    await manifests.take_up([gap], "op-1")


async def _list_agencies(ledger: Ledger) -> None:
    """A list that is in force, and a younger one that waits."""
    lists = agency_lists_of(ledger)
    for base, names in ((None, ("Sở",)), ("first", ("Sở", "Bộ"))):
        packed = AgencyList.of(AXIS, [Entry(f"G{n}", name) for n, name in enumerate(names)]).pack()
        digest = "first" if base is None else "second"
        made = Proposal(AXIS, NOW + 0.5, "gateway", base, digest, len(names), {"counts": {"added": 1}})
        kept = await lists.propose(made, packed, an_audit_row("directory.proposed"))
        if base is None:
            row = an_audit_row("directory.approved")
            assert await lists.decide(kept.number, "approved", by="operator:mau", reason="đúng", audit=row)


async def _speak_of_documents(ledger: Ledger) -> None:
    """A document that owes an answer, its recall, and statuses of it and of one that nobody knows."""
    owed = tuple(Obligation(agency, "receipt", NOW + 0.1, ("02", "03")) for agency in ("H33.05", "H33.09"))
    sent = DocumentEntry("new", "số 1", "H33.05", "H33.05", ("H33.05", "H33.09"), fingerprint="f", obligations=owed)
    recall = DocumentEntry("recall", "số 1", "H33.05", "H33.05", ("H33.09",), ("số 1",), issued_on="2026-11-23")
    told = DocumentEntry("status", "số 1", "H33.05", "H33.09", ("H33.05",), code="03", said_at=NOW + 0.2)
    early = DocumentEntry("status", "Đ 2", "H33.05", "H33.09", ("H33.05",), code="04", earlier=(("03", None),))
    entries = {"document": sent, "recall": recall, "told": told, "told early": early}
    await ledger.accept_many([a_message(name, to=(OTHER,), entry=entry) for name, entry in entries.items()])


async def _speak_of_dossiers(ledger: Ledger) -> None:
    """A dossier that a second agency works on under a code of its own; nobody has looked at what was said last."""
    forwarded = an_event("forwarded", hop=Hop(1, "H33.16", "H33.05", NOW + 0.7, "của H33.05"))
    events: list[DossierEvent] = [an_event(status=2, channel="online"), forwarded]
    await ledger.accept_many([a_telling(f"dossier {n}", of=of, to=(OTHER,)) for n, of in enumerate(events)])
    register = dossiers_of(ledger)
    *_, last = await register.story(CODE)
    assert await register.settle(a_head(last.place, flags=("late",), track=((2, NOW + 0.1),)))
    late = [an_event("progressed", status=4), an_event(code="con", parent=CODE)]
    await ledger.accept_many([a_telling(f"dossier late {n}", of=of, to=(OTHER,)) for n, of in enumerate(late)])


async def _deliver(ledger: Ledger, count: int) -> None:
    claims = await ledger.claim({PUSHED: count}, owner="push", now=NOW, until=NOW + 30)
    changes = [
        Change(
            claim.delivery,
            claim.delivery.after(Delivered()).but(owes_outcome=n % 3 == 0),
            an_attempt(detail="nhận rồi" if n % 2 else None),
            leaf=b'{"receipt":"delivered","n":%d}' % n,
            proof=b"proof.of.%d" % n if n % 2 else None,
        )
        for n, claim in enumerate(claims)
    ]
    assert all(await ledger.record_many(changes, now=NOW))


async def _end_in_every_way(ledger: Ledger) -> None:
    """Of each two messages of a lane the first one ends so, and the second waits or is freed."""
    ways: dict[str, Sequence[Signal]] = {
        "refused": [Refused()],
        "gave up": [GaveUp("deadline")],
        "discarded": [Refused(), Discarded()],
        "tried again": [Claimed("push", NOW + 30), Deferred(NOW + 600)],
        "expired": [Expired()],
    }
    for name, signals in ways.items():
        first = a_message(name, expires=MORNING + 7200, subject=name, to=(OTHER,))
        await ledger.accept_many([first, a_message(f"{name} 2", subject=name, to=(OTHER,))])
        (delivery,) = first.deliveries
        for signal in signals:
            after = delivery.after(signal)
            tried = (
                an_attempt(outcome="failed", status=500) if isinstance(signal, Refused | GaveUp | Deferred) else None
            )
            assert await ledger.record_many([Change(delivery, after, tried, leaf=b"leaf")], now=NOW) == [True]
            delivery = after


async def _hold(ledger: Ledger) -> None:
    await ledger.accept_many([a_message(f"to be held {n}", to=(HELD,), subject="one lane") for n in range(2)])
    assert await ledger.hold(HELD, at=NOW, audit=an_audit_row())


async def _name_files(ledger: Ledger) -> None:
    file = HeldFile(a_digest("file"), 11, "application/pdf")
    assert await ledger.grant_file(file, SENDER, at=MORNING, is_present=lambda _: True)
    book = findings_book_of(ledger)
    looked = Looked("pdf", "valid", "", (Signature("valid", signer="Nguyễn Văn Mẫu"),))
    assert await book.keep(Findings(file.sha256, looked, MORNING, "clean", "clamd", MORNING + 0.5))
    assert await book.keep(Findings(file.sha256, looked, MORNING, about=a_digest("another")))
    await ledger.accept_many([a_message("with a file", files=(file.sha256,), to=(OTHER,))])


async def _replay(ledger: Ledger, failures: Failures, replays: Replays) -> None:
    """One operation that has put one delivery back and has more before it, one that only was planned."""
    while await failures.look(limit=1):
        pass
    candidates = await replays.candidates(Sought(), None, now=NOW)
    for id_, phase in (("op-1", Phase.RUNNING), ("op-2", Phase.PLANNED)):
        made = Operation(
            id_, "replay", phase, Sought(recipient=OTHER), 0, Plan(window=(60, 120)), "đã sửa", "operator:mau",
            len(candidates), NOW, {"expired": 2}, 1, next_at=NOW,
        )  # fmt: skip
        await replays.plan(made, [each.place for each in candidates], an_audit_row("replay.started"))
    await replays.lease("one", now=NOW, until=NOW + 5)
    (turn,) = await replays.turns("op-1", 1)
    put_back = Move(
        turn.delivery.id, Change(turn.delivery, turn.delivery.after(Replayed(NOW))), an_audit_row("replayed")
    )
    assert await replays.move("op-1", [put_back], owner="one", next_at=NOW + 7, now=NOW) == [True]


async def _catch_up(ledger: Ledger, backfills: Backfills) -> None:
    """One request of a late subscriber that is half done, one that nobody has decided."""
    asked = Request("r-1", LATE, "document.issued", MORNING, None, "mới kết nối", NOW)
    request = await backfills.ask(asked, an_audit_row("request.asked"))
    await backfills.ask(replace(asked, id="r-2", contract="document.status"), an_audit_row("request.asked"))
    for phase in (backfill.Phase.APPROVED, backfill.Phase.RUNNING):
        assert await backfills.change(request.phase, replace(request, phase=phase), an_audit_row("request.moved"))
        request = replace(request, phase=phase)
    (request,) = await backfills.lease("one", now=NOW, until=NOW + 5)
    piece = await backfills.missed(request, after=0, limit=2)
    made = Made(piece, [a_delivery(f"plain {n}", recipient=LATE) for n in range(2)], {"expired": 1})
    assert await backfills.make(request, made, owner="one", audit=an_audit_row("request.slice"), now=NOW)
