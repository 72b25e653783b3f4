"""Asking a provider through the bus: what is let through, what is refused and why, and that nothing of it is kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest
import structlog

from gateway.core.agency import Provision
from gateway.core.agreement import Agreement
from gateway.core.directory import Directory
from gateway.core.envelope import digest_of, seal
from gateway.core.faults import Fault, PermanentFailure, TimedOut, TransientFailure, Unanswered, Unavailable
from gateway.core.jws import split, verify
from gateway.core.query import Question, cut
from gateway.core.strictjson import parse_strict
from gateway.relay.query import Queries, Reply
from gateway.store.memory_queries import MemoryQueryLog
from tests.town import GATEWAY, Town, a_pair, a_town

ASKER, PROVIDER = "H33.05/dms", "H33.16/dms"
PURPOSE = "giai-quyet-tthc"
PERSON = "Nguyễn Văn Mẫu"
FOUND = {"name": PERSON, "birth": "1980-01-01", "gender": "1", "permanentAddress": {"province": "91", "detail": "Số 1"}}
AGREEMENT = Agreement(
    "DC-2026", "Tra cứu dân cư", "NĐ 47/2020/NĐ-CP", PURPOSE, ("H33.05",), ("H33.16",), ("citizen.lookup",),
    date(2026, 1, 1), date(2026, 12, 31),
)  # fmt: skip


@dataclass
class Office:
    """A town in which one office asks another about citizens."""

    town: Town
    queries: Queries
    log: MemoryQueryLog
    #: What the provider says, or raises.
    says: list[Reply | BaseException | Callable[[Question, bytes], Reply]] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    waits: float = 0.0

    def event(self, **override: Any) -> dict[str, Any]:
        data = {
            "officer": {"account": "mau.nv"}, "dossierCode": "H33.01-261123-0001", "personalNumber": "000000000001",
            "name": PERSON, **override.pop("data", {}),
        }  # fmt: skip
        return self.town.event(
            ASKER,
            **{
                "id": str(uuid.uuid4()), "type": "citizen.lookup", "subject": "000000000001", "purpose": PURPOSE,
                "dataschema": "urn:lgsp:contract:citizen.lookup:1.0", "to": "H33.16",
                "data": {name: value for name, value in data.items() if value is not None}, **override,
            },
        )  # fmt: skip

    async def ask(self, raw: bytes | None = None, *, by: str = ASKER, timeout: float = 5.0, **override: Any) -> Any:
        raw = seal(self.event(**override), self.town.signers[ASKER]) if raw is None else raw
        sealed = await self.queries.answer(raw, self.town.system(by), timeout=timeout)
        return parse_strict(split(sealed).payload)

    async def refused(self, raw: bytes | None = None, **override: Any) -> str:
        with pytest.raises(Fault) as fault:
            await self.ask(raw, **override)
        return fault.value.problem

    def agree(self, *agreements: Agreement) -> None:
        agencies = [
            replace(each, systems=tuple(replace(s, provides=(PROVIDES,)) if s.name == PROVIDER else s
                                        for s in each.systems))
            for each in self.town.directory.agencies.values()
        ]  # fmt: skip
        self.town.directory = Directory(agencies, agreements, gateway=GATEWAY)

    async def audited(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, kind, body in await self.town.ledger.journal() if kind == "audit"]


PROVIDES = Provision("citizen.lookup", "1.0", "http://127.0.0.1:9001/query")


@pytest.fixture
def office() -> Office:
    town = a_town()
    log = MemoryQueryLog(town.ledger)

    async def ask(question: Question, raw: bytes, seconds: float) -> Reply:
        made.asked.append(question)
        await asyncio.sleep(made.waits)
        said = made.says.pop(0) if made.says else Reply(data=FOUND)
        if isinstance(said, BaseException):
            raise said
        return said(question, raw) if callable(said) else said

    own, certificate = a_pair(GATEWAY)
    queries = Queries(
        log, town.ledger, lambda: town.directory, lambda: town.catalog, own, lambda: b"m" * 32, ask, town.clock,
        town.accept.turnstile,
    )  # fmt: skip
    made = Office(town, queries, log)
    made.key = certificate.key  # type: ignore[attr-defined]
    made.agree(AGREEMENT)
    return made


def answer_of(office: Office, found: dict[str, Any], **override: Any) -> Callable[[Question, bytes], Reply]:
    """The provider's own signed envelope."""

    def made(question: Question, raw: bytes) -> Reply:
        event = office.town.event(
            **{
                "source": PROVIDER,
                "type": "citizen.found", "dataschema": "urn:lgsp:contract:citizen.found:1.0", "to": ASKER,
                "subject": "000000000001", "data": found, "causationid": question.event.id,
                "queryid": question.event.id, "querydigest": digest_of(raw), **override,
            },
        )  # fmt: skip
        return Reply(envelope=seal(event, office.town.signers[PROVIDER]))

    return made


# ------------------------------------------------------------------------------------------------------ answers


async def test_what_the_provider_says_comes_back_sealed_by_the_bus_and_bound_to_the_query(office: Office) -> None:
    event = office.event()
    raw = seal(event, office.town.signers[ASKER])
    sealed = await office.queries.answer(raw, office.town.system(ASKER))

    assert verify(office.key, split(sealed))  # type: ignore[attr-defined]
    said = parse_strict(split(sealed).payload)
    assert said["data"] == FOUND
    assert (said["type"], said["source"], said["to"]) == ("citizen.found", GATEWAY, ASKER)
    assert (said["queryid"], said["querydigest"]) == (event["id"], digest_of(raw))
    assert said["originsource"] == PROVIDER
    assert said["origindigest"].startswith("sha-256:")


async def test_a_provider_that_signs_is_handed_on_byte_for_byte(office: Office) -> None:
    made = answer_of(office, FOUND)
    given: list[bytes] = []

    def said(question: Question, raw: bytes) -> Reply:
        reply = made(question, raw)
        given.append(reply.envelope or b"")
        return reply

    office.says.append(said)
    raw = seal(office.event(), office.town.signers[ASKER])
    assert await office.queries.answer(raw, office.town.system(ASKER)) == given[0]


async def test_a_signed_answer_that_must_be_cut_is_sealed_anew_and_names_its_origin(office: Office) -> None:
    office.agree(replace(AGREEMENT, fields={"citizen.found": ("/name", "/permanentAddress/province")}))
    office.says.append(answer_of(office, FOUND))
    said = await office.ask()
    assert said["data"] == {"name": PERSON, "permanentAddress": {"province": "91"}}
    assert (said["source"], said["originsource"]) == (GATEWAY, PROVIDER)


async def test_a_signed_answer_that_names_the_query_as_its_cause_alone_is_bound_by_the_bus(office: Office) -> None:
    office.says.append(answer_of(office, FOUND, queryid=None, querydigest=None))
    said = await office.ask()
    assert said["source"] == GATEWAY
    assert "querydigest" in said


async def test_only_the_members_that_are_asked_for_are_given(office: Office) -> None:
    said = await office.ask(data={"fields": ["/birth"]})
    assert said["data"].keys() == {"birth"}


async def test_of_several_agreements_each_gives_its_part(office: Office) -> None:
    name = replace(AGREEMENT, id="DC-1", fields={"citizen.found": ("/name",)})
    birth = replace(AGREEMENT, id="DC-2", fields={"citizen.found": ("/birth",)})
    office.agree(name, birth)
    assert (await office.ask())["data"] == {"name": PERSON, "birth": "1980-01-01"}
    assert office.asked[-1].agreements == ("DC-1", "DC-2")


# ------------------------------------------------------------------------------------------------------ refusals


async def test_more_members_than_the_agreement_gives_are_refused_and_nobody_is_asked(office: Office) -> None:
    office.agree(replace(AGREEMENT, fields={"citizen.found": ("/name",)}))
    assert await office.refused(data={"fields": ["/name", "/gender"]}) == "no-agreement"
    assert office.asked == []


@pytest.mark.parametrize("missing", ["dossierCode", "officer"])
async def test_without_the_dossier_or_the_officer_nobody_is_asked(office: Office, missing: str) -> None:
    assert await office.refused(data={missing: None}) == "contract-violation"
    assert office.asked == []


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ({"purpose": "thong-ke"}, "no-agreement"),
        ({"purpose": None}, "no-agreement"),
        ({"to": "H33.30"}, "no-agreement"),
        ({"to": "H33.99"}, "unknown-recipient"),
        ({"to": "H33.16 H33.30"}, "malformed-envelope"),
        ({"to": None}, "malformed-envelope"),
        ({"type": "document.issued", "dataschema": "urn:lgsp:contract:document.issued:1.0"}, "unknown-contract"),
        ({"type": "citizen.found", "dataschema": "urn:lgsp:contract:citizen.found:1.0"}, "unknown-contract"),
        ({"dataschema": "urn:lgsp:contract:citizen.lookup:3.0"}, "unknown-contract"),
        ({"queryid": str(uuid.uuid4())}, "malformed-envelope"),
    ],
)
async def test_what_no_agreement_contract_or_provider_allows_is_refused_by_name(
    office: Office, override: dict[str, Any], problem: str
) -> None:
    assert await office.refused(**override) == problem
    assert office.asked == []


async def test_after_the_end_of_the_agreement_nobody_is_asked(office: Office) -> None:
    office.agree(replace(AGREEMENT, valid_until=date(2026, 11, 1)))
    assert await office.refused() == "no-agreement"


async def test_an_agency_that_answers_no_such_query_is_told_so(office: Office) -> None:
    office.town.directory = Directory(
        [replace(each, systems=tuple(replace(s, provides=()) for s in each.systems))
         for each in office.town.directory.agencies.values()],
        [AGREEMENT], gateway=GATEWAY,
    )  # fmt: skip
    assert await office.refused() == "no-subscriber"


@pytest.mark.parametrize("late", [-121.0, 121.0])
async def test_a_query_of_two_minutes_ago_is_stale(office: Office, late: float) -> None:
    raw = seal(office.event(), office.town.signers[ASKER])
    office.town.clock.moment += late
    assert await office.refused(raw) == "stale"


async def test_another_systems_token_is_refused(office: Office) -> None:
    assert await office.refused(by=PROVIDER) == "forbidden"
    assert office.asked == []


async def test_an_id_is_answered_once_also_with_another_time_and_when_it_is_stale(office: Office) -> None:
    event = office.event()
    raw = seal(event, office.town.signers[ASKER])
    await office.ask(raw)
    assert await office.refused(raw) == "conflict"
    assert await office.refused(id=event["id"].upper()) == "conflict"
    office.town.clock.moment += 10_000
    assert await office.refused(raw) == "conflict"
    assert len(office.asked) == 1


async def test_of_two_at_once_one_is_asked(office: Office) -> None:
    office.waits = 0.02
    raw = seal(office.event(), office.town.signers[ASKER])
    said = await asyncio.gather(office.ask(raw), office.ask(raw), return_exceptions=True)
    assert sorted(type(each).__name__ for each in said) == ["Rejected", "dict"]
    assert len(office.asked) == 1


# ------------------------------------------------------------------------------------------------ the provider


async def test_no_such_record_is_an_answer_too(office: Office) -> None:
    raw = seal(office.event(), office.town.signers[ASKER])
    office.says.append(Reply())
    assert await office.refused(raw) == "no-record"
    assert await office.refused(raw) == "conflict"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (TransientFailure("down", 503), Unavailable),
        (PermanentFailure("no"), Unavailable),
        (TimedOut("late"), Unanswered),
    ],
)
async def test_a_provider_that_does_not_answer_leaves_the_id_free(
    office: Office, failure: Exception, kind: type[Fault]
) -> None:
    raw = seal(office.event(), office.town.signers[ASKER])
    office.says.append(failure)
    with pytest.raises(kind) as fault:
        await office.ask(raw)
    assert fault.value.problem == "provider-unavailable"
    assert fault.value.retry_after
    assert (await office.ask(raw))["data"] == FOUND


async def test_a_provider_that_is_too_slow_is_not_waited_for(office: Office) -> None:
    office.waits = 5.0
    with pytest.raises(Unanswered):
        await office.ask(timeout=0.1)


async def test_something_unforeseen_leaves_the_id_free(office: Office) -> None:
    raw = seal(office.event(), office.town.signers[ASKER])
    office.says.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await office.ask(raw)
    assert (await office.ask(raw))["data"] == FOUND


@pytest.mark.parametrize(
    "wrong",
    [
        {"queryid": str(uuid.uuid4())},
        {"querydigest": "sha-256:" + "0" * 64},
        {"queryid": None, "querydigest": None, "causationid": str(uuid.uuid4())},
        {"source": "H33.30/dms"},
        {"type": "receipt.delivered", "dataschema": "urn:lgsp:contract:receipt.delivered:1.0"},
        {"data": {"birth": "1980-01-01"}},
        {"dataschema": "urn:lgsp:contract:citizen.found:9.0"},
    ],
)
async def test_an_answer_to_something_else_is_none(office: Office, wrong: dict[str, Any]) -> None:
    office.says.append(answer_of(office, FOUND, **wrong))
    assert await office.refused() == "provider-unavailable"


async def test_an_answer_signed_by_somebody_else_is_none(office: Office) -> None:
    def forged(question: Question, raw: bytes) -> Reply:
        reply = answer_of(office, FOUND)(question, raw)
        event = parse_strict(split(reply.envelope or b"").payload)
        return Reply(envelope=seal(event, office.town.signers[ASKER]))

    office.says.append(forged)
    assert await office.refused() == "provider-unavailable"


# ----------------------------------------------------------------------------------------------------- the log


async def test_the_log_tells_who_asked_what_when_why_and_nothing_of_the_answer(office: Office) -> None:
    with structlog.testing.capture_logs() as lines:
        await office.ask()
        office.town.clock.moment += 1
        office.says.append(answer_of(office, {**FOUND, "gender": 7}))
        await office.refused()

    kept = repr((lines, await office.log.logged(), await office.audited()))
    for word in (PERSON, "1980-01-01", "000000000001", "Số 1"):
        assert word not in kept
    (_, first) = await office.log.logged()
    assert (first.asking.source, first.asking.provider, first.asking.purpose) == (ASKER, PROVIDER, PURPOSE)
    assert (first.asking.officer, first.asking.dossier) == ("mau.nv", "H33.01-261123-0001")
    assert first.outcome == "answered"
    assert first.answer is not None


async def test_who_looked_at_a_person_is_found_by_whoever_knows_the_number(office: Office) -> None:
    await office.ask()
    await office.ask(subject="000000000002")
    (found,) = await office.log.logged(mark=office.queries.mark(" 000000000002 "))
    assert found.asking.source == ASKER
    assert hashlib.sha256(b"000000000002").hexdigest() not in repr(await office.log.logged())


async def test_refusals_are_in_the_audit_with_their_reason(office: Office) -> None:
    await office.refused(purpose="thong-ke")
    (row,) = await office.audited()
    assert (row["audit"], row["details"]["problem"]) == ("query.refused", "no-agreement")


# --------------------------------------------------------------------------------------------------- cutting


def test_cutting_keeps_the_places_that_are_given_with_all_below_them() -> None:
    data = {"a": {"b": 1, "c": [2, 3]}, "people": [{"n": "x", "s": 1}, {"s": 2}, {"n": "y"}], "z": 0}
    assert cut(data, None) == data
    assert cut(data, frozenset({("a",)})) == {"a": data["a"]}
    assert cut(data, frozenset({("a", "c"), ("z",)})) == {"a": {"c": [2, 3]}, "z": 0}
    assert cut(data, frozenset({("people", "*", "n")})) == {"people": [{"n": "x"}, {"n": "y"}]}
    assert cut(data, frozenset({("nowhere",), ("z", "deeper")})) == {}
    assert cut(data, frozenset()) == {}
    # Every item, and of one of them more.
    assert cut(data, frozenset({("people", "*", "n"), ("people", "1", "s")})) == {
        "people": [{"n": "x"}, {"s": 2}, {"n": "y"}]
    }
    assert cut(data, frozenset({("people",), ("people", "0", "n")})) == {"people": data["people"]}


def test_cutting_a_large_answer_by_many_pointers_holds_up_nobody() -> None:
    data = {"list": [[number] for number in range(100_000)]}
    begun = time.process_time()
    assert cut(data, frozenset(("list", str(number)) for number in range(200))) == {"list": data["list"][:200]}
    assert time.process_time() - begun < 1.0
