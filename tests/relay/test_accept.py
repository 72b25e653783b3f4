"""The front door: the order of the checks, repeats, what is kept of the accepted and what of the refused."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.core import jws
from gateway.core.directory import Agency, System
from gateway.core.envelope import PRIORITIES, digest_of, seal
from gateway.core.faults import Fault
from gateway.core.moments import format_moment
from gateway.ports import Accepted, HeldFile
from tests.build import MORNING, a_digest, a_key
from tests.town import GATEWAY, Town, a_pair, a_town, an_agreement, document, wishes_for

DAY = 86400.0
STRANGER, _ = a_pair("stranger")


def a_crowded_town(**extra: Any) -> Town:
    """The town, an agency outside the agreement and one that subscribes to nothing."""
    town = a_town(**extra)
    town.agree(an_agreement(receivers=("H33.*",)))
    outside = System("H27/dms", "H27", "webhook", subscriptions=wishes_for("document.issued"))
    town.enrol(Agency("H27", "Tỉnh khác", "province", systems=(outside,)))
    town.enrol(Agency("H33.31", "Chưa đăng ký", "province", parent="H33"))
    return town


def a_file(name: str = "a", **override: Any) -> dict[str, Any]:
    return {"name": f"{name}.pdf", "mediaType": "application/pdf", "size": 7, "sha256": a_digest(name), **override}


def outcome(answer: Accepted | Fault) -> str:
    return answer.problem if isinstance(answer, Fault) else "accepted"


async def kept(town: Town) -> int:
    """How many deliveries the ledger holds."""
    return len(await town.ledger.deliveries(limit=10_000))


# -------------------------------------------------------------------------------------- the order of checks


@dataclass
class Draft:
    """An envelope in the making, into which faults are put before it is signed."""

    event: dict[str, Any]
    head: dict[str, Any]
    signer: jws.Signer
    inject: bytes = b""
    spoil: bool = False
    to: list[str] = field(default_factory=lambda: ["H33.16"])

    def signed(self) -> bytes:
        self.event["to"] = " ".join(self.to)
        payload = json.dumps(self.event, ensure_ascii=False).encode()[:-1] + self.inject + b"}"
        signed = b".".join(base64.urlsafe_b64encode(x).rstrip(b"=") for x in (json.dumps(self.head).encode(), payload))
        signature = jws.signature_of(self.signer.key, "EdDSA", signed if not self.spoil else b"another text")
        return signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")


def _put(**members: Any) -> Callable[[Draft], None]:
    return lambda draft: draft.event.update(members)


def _data(**members: Any) -> Callable[[Draft], None]:
    return lambda draft: draft.event["data"].update(members)


def _head(**members: Any) -> Callable[[Draft], None]:
    return lambda draft: draft.head.update(members)


#: Each check in the order of the interface: its name, what it answers, and a fault that only it should find.
FAULTS: list[tuple[str, str, Callable[[Draft], None]]] = [
    ("size", "too-large", _data(summary="x" * 900_000)),
    ("shape of the header", "malformed-envelope", _head(crit=["exp"])),
    ("shape of the payload", "malformed-envelope", lambda draft: setattr(draft, "inject", b',"to":"H33.20"')),
    ("signer", "unknown-signer", lambda draft: draft.head.update({"x5t#S256": STRANGER.thumbprint})),
    ("alg fits key", "malformed-envelope", _head(alg="PS256")),
    ("signature", "bad-signature", lambda draft: setattr(draft, "spoil", True)),
    ("certificate", "untrusted-certificate", _put(source="H33.16/dms")),
    ("attributes", "malformed-envelope", _put(datacontenttype="text/plain")),
    ("repeat", "conflict", _put(id=a_key("taken"))),
    ("time window", "stale", _put(time=format_moment(MORNING - 31 * DAY))),
    ("secrecy", "secret-content", _data(confidentiality="mật")),
    ("contract", "unknown-contract", _put(dataschema="urn:lgsp:contract:document.issued:7.0")),
    ("data", "contract-violation", _data(documentId="")),
    ("recipients known", "unknown-recipient", lambda draft: draft.to.append("H33.77")),
    ("agreement", "no-agreement", lambda draft: draft.to.append("H27")),
    ("subscriber", "no-subscriber", lambda draft: draft.to.append("H33.31")),
    ("files", "missing-file", _data(files=[a_file("nobody has it")])),
    ("expiry", "expired", _put(expirytime=format_moment(MORNING - 1))),
]


def a_draft(town: Town, *faults: Callable[[Draft], None]) -> bytes:
    signer = town.signers["H33.05/dms"]
    head = {"typ": "ce+jws", "alg": "EdDSA", "x5t#S256": signer.thumbprint}
    draft = Draft(town.event(id=a_key("fresh")), head, signer)
    for put_in in faults:
        put_in(draft)
    return draft.signed()


async def test_each_fault_alone_is_answered_by_its_own_check() -> None:
    town = a_crowded_town()
    await town.sent(id=a_key("taken"))
    bodies = [a_draft(town, fault) for _, _, fault in FAULTS]
    answers = await town.accept.sealed_many(bodies, address="192.0.2.1")
    assert [outcome(answer) for answer in answers] == [problem for _, problem, _ in FAULTS]
    assert outcome((await town.accept.sealed_many([a_draft(town)], address=""))[0]) == "accepted"


async def test_of_two_faults_the_earlier_check_answers() -> None:
    town = a_crowded_town()
    await town.sent(id=a_key("taken"))
    alone = await town.accept.sealed_many([a_draft(town, fault) for _, _, fault in FAULTS], address="")
    pairs = list(combinations(range(len(FAULTS)), 2))
    bodies = [a_draft(town, FAULTS[first][2], FAULTS[second][2]) for first, second in pairs]
    answers = await town.accept.sealed_many(bodies, address="")
    told = {
        (FAULTS[first][0], FAULTS[second][0]): answer.detail.en.split("(")[0]
        for (first, second), answer in zip(pairs, answers, strict=True)
        if isinstance(answer, Fault)
    }
    expected = {
        (FAULTS[first][0], FAULTS[second][0]): fault.detail.en.split("(")[0]
        for first, second in pairs
        if isinstance(fault := alone[first], Fault)
    }
    assert told == expected
    assert len(told) == len(pairs)


# -------------------------------------------------------------------------------------------------- accepted


async def test_what_is_accepted_is_kept_byte_for_byte_with_a_delivery_a_recipient() -> None:
    town = a_town()
    raw = town.envelope(to="H33.16 H33.20 H33.30", id=a_key("m").upper())
    (answer,) = await town.accept.sealed_many([raw], address="")
    assert isinstance(answer, Accepted)
    assert answer.id == a_key("m").upper()
    assert answer.recipients == ("H33.16/dms", "H33.20/dms", "H33.30/dms")
    assert await town.ledger.envelope(a_key("m")) == raw
    record = await town.record(answer)
    assert record.digest == digest_of(raw).removeprefix("sha-256:")
    assert [each.delivery.recipient for each in record.deliveries] == list(answer.recipients)


async def test_the_receipt_is_the_gateways_word_on_what_it_took() -> None:
    town = a_town()
    raw = town.envelope(to="H33.16", id=a_key("m").upper())
    (answer,) = await town.accept.sealed_many([raw], address="")
    assert isinstance(answer, Accepted)
    receipt = jws.split(answer.receipt.encode())
    assert jws.verify(town.signers[GATEWAY].key.public_key(), receipt)
    assert receipt.header.typ == "receipt+jws"
    assert json.loads(receipt.payload) == {
        "receipt": "accepted",
        "id": a_key("m").upper(),
        "digest": digest_of(raw),
        "source": "H33.05/dms",
        "type": "document.issued",
        "to": ["H33.16/dms"],
        "at": "2026-11-23T01:00:00.000Z",
        "gateway": GATEWAY,
    }
    assert await town.journal("receipt") == [json.loads(receipt.payload)]


async def test_without_a_taker_a_message_is_accepted_for_nobody() -> None:
    town = a_town()
    town.agree()
    answer = await town.sent(to=None)
    assert answer.recipients == ()
    assert await kept(town) == 0
    assert (await town.record(answer)).deliveries == ()


async def test_what_concerns_delivery_is_read_from_the_envelope() -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued")})
    moments = {"notbefore": format_moment(MORNING + 60), "expirytime": format_moment(MORNING + DAY)}
    for height, word in enumerate(PRIORITIES):
        answer = await town.sent(subject=word, priority=word, **moments)
        delivery = await town.delivery(answer)
        assert (delivery.priority, delivery.notbefore, delivery.expires) == (height, MORNING + 60, MORNING + DAY)
        assert (delivery.due, delivery.deadline) == (MORNING + 60, MORNING + 60 + 14 * DAY)


async def test_what_is_pulled_has_no_deadline() -> None:
    town = a_town()
    answer = await town.sent(to="H33.20")
    assert (await town.delivery(answer, "H33.20/dms")).deadline is None


async def test_recipients_are_frozen_at_acceptance() -> None:
    town = a_town()
    answer = await town.sent(to=None)
    town.change("H33.05/dms", subscriptions=wishes_for("document.issued"))
    town.agree()
    assert (await town.record(answer)).recipients == ("H33.16/dms", "H33.20/dms", "H33.30/dms")
    await town.work()
    assert town.taken_by("H33.16/dms") == [answer.id]


async def test_dispatchers_are_woken_for_the_recipients() -> None:
    town = a_town()
    await town.sent(to="H33.16 H33.20")
    assert await town.broker.wait(0) == {"H33.16/dms", "H33.20/dms"}


@pytest.mark.parametrize("count", [1, 7, 8, 20])
async def test_one_and_many_are_answered_alike_in_the_same_order(count: int) -> None:
    town = a_town()
    bodies = [town.envelope(id=a_key(number), to="H33.16" if number % 3 else "H99") for number in range(count)]
    answers = await town.accept.sealed_many(bodies, address="")
    assert [outcome(answer) for answer in answers] == [
        "accepted" if number % 3 else "unknown-recipient" for number in range(count)
    ]
    ids = [answer.id for answer in answers if isinstance(answer, Accepted)]
    assert ids == [a_key(number) for number in range(count) if number % 3]


async def test_lines_of_a_batch_are_accepted_in_their_order() -> None:
    town = a_town()
    await town.accept.sealed_many([town.envelope(id=a_key(number)) for number in range(10)], address="")
    for _ in range(10):
        await town.work()
    assert town.taken_by("H33.16/dms") == [a_key(number) for number in range(10)]


async def test_an_empty_batch_is_answered_with_nothing() -> None:
    assert await a_town().accept.sealed_many([], address="") == []


# -------------------------------------------------------------------------------------------------- repeats


async def test_the_same_payload_again_gets_the_first_answer_though_its_signature_differs() -> None:
    town = a_town(H33_05={"certificates": ()})
    signer, certificate = a_pair("H33.05/dms", ec.generate_private_key(ec.SECP256R1()))
    town.change("H33.05/dms", certificates=(certificate,))
    event = town.event()
    first, second = seal(event, signer), seal(event, signer)
    assert first != second
    (one,) = await town.accept.sealed_many([first], address="")
    (two,) = await town.accept.sealed_many([second], address="")
    assert isinstance(one, Accepted)
    assert isinstance(two, Accepted)
    assert (two.id, two.recipients, two.receipt, two.repeated) == (one.id, one.recipients, one.receipt, True)
    assert await town.ledger.envelope(one.id) == first
    assert await kept(town) == 1
    assert len(await town.journal("receipt")) == 1


async def test_the_same_id_with_another_payload_is_a_conflict() -> None:
    town = a_town()
    await town.sent(id=a_key("m"))
    for override in ({"subject": "another"}, {"to": "H33.20"}, {"dossierstep": "x"}):
        assert (await town.refused(id=a_key("m"), **override)).problem == "conflict"
    assert (await town.refused(id=a_key("m").upper())).problem == "conflict"


async def test_the_same_id_from_another_source_is_a_conflict_even_with_the_same_payload() -> None:
    town = a_town()
    own = town.directory.agencies["H33.05"]
    town.enrol(replace(own, systems=(*own.systems, replace(own.systems[0], name="H33.05/hr"))))
    event = town.event()
    await town.accept.sealed_many([seal(event, town.signers["H33.05/dms"])], address="")
    other = seal({**event, "source": "H33.05/hr"}, town.signers["H33.05/dms"])
    (answer,) = await town.accept.sealed_many([other], address="")
    assert outcome(answer) == "conflict"


async def test_a_repeat_gets_the_first_answer_whatever_has_changed_since() -> None:
    town = a_town()
    raw = town.envelope(expirytime=format_moment(MORNING + 60))
    (first,) = await town.accept.sealed_many([raw], address="")
    town.agree()
    town.clock.moment += 40 * DAY  # stale, expired, and no agreement any more
    (again,) = await town.accept.sealed_many([raw], address="")
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert (again.receipt, again.repeated) == (first.receipt, True)
    (other,) = await town.accept.sealed_many([town.envelope(id=first.id, subject="x", to="H99")], address="")
    assert outcome(other) == "conflict"


async def test_repeats_within_one_batch_are_one_message() -> None:
    town = a_town()
    raw = town.envelope(id=a_key("m"))
    answers = await town.accept.sealed_many([raw, raw, town.envelope(id=a_key("m"), subject="x")], address="")
    assert [outcome(answer) for answer in answers] == ["accepted", "accepted", "conflict"]
    assert [answer.repeated for answer in answers if isinstance(answer, Accepted)] == [False, True]


async def test_the_id_of_a_translation_is_taken_like_any_other() -> None:
    town = a_town()
    await town.sent(to="H33.30")
    await town.work()
    (parcel,) = town.desk("H33.30/dms").parcels
    assert (await town.refused(id=parcel.event["id"])).problem == "conflict"


# -------------------------------------------------------------------------------------------------- refused


async def test_of_what_a_known_signer_is_refused_only_an_audit_row_is_kept() -> None:
    town = a_town()
    refusal = await town.refused(to="H33.16 H99", subject="riêng")
    (row,) = await town.journal("audit")
    assert row["audit"] == "message.refused"
    assert row["actor"] == "H33.05/dms"
    assert row["details"]["problem"] == refusal.problem == "unknown-recipient"
    assert row["details"]["recipients"] == ["H99"]
    assert row["details"]["type"] == "document.issued"
    assert await kept(town) == 0
    assert await town.journal("receipt") == []
    assert await town.ledger.find(row["details"]["id"]) is None


async def test_an_id_that_was_refused_may_be_used_again() -> None:
    town = a_town()
    await town.refused(id=a_key("m"), to="H99")
    await town.sent(id=a_key("m"))


async def test_of_a_secret_nothing_is_kept_anywhere_but_that_there_was_one() -> None:
    town = a_town()
    secret = document(confidentiality="tuyệt mật", subject="Kế hoạch tác chiến", documentId="SECRET-ID")
    assert (await town.refused(subject="SECRET-SUBJECT", data=secret)).problem == "secret-content"
    leaves = b"".join(body for _, _, body in await town.ledger.journal()).decode()
    assert "secret-content" in leaves
    for word in ("Kế hoạch", "SECRET-ID", "SECRET-SUBJECT", "tuyệt mật"):
        assert word not in leaves


async def test_who_signed_for_another_is_named_in_the_audit() -> None:
    town = a_town()
    raw = seal(town.event("H33.16/dms"), town.signers["H33.05/dms"])
    (answer,) = await town.accept.sealed_many([raw], address="192.0.2.9")
    assert outcome(answer) == "untrusted-certificate"
    (row,) = await town.journal("audit")
    assert (row["actor"], row["details"]) == (
        "H33.05/dms",
        {"problem": "untrusted-certificate", "address": "192.0.2.9"},
    )


async def test_refusals_of_strangers_are_counted_by_address_minute_and_problem() -> None:
    town = a_town()
    stranger = seal(town.event(), STRANGER)
    await town.accept.sealed_many([b"junk", stranger, stranger], address="192.0.2.1")
    town.clock.moment += 60
    await town.accept.sealed_many([stranger], address="192.0.2.1")
    minute = int(MORNING // 60)
    assert town.accept.refusals == {
        ("192.0.2.1", minute, "malformed-envelope"): 1,
        ("192.0.2.1", minute, "unknown-signer"): 2,
        ("192.0.2.1", minute + 1, "unknown-signer"): 1,
    }
    assert await town.journal("audit") == []


async def test_one_bad_line_spoils_no_other() -> None:
    town = a_town()
    bodies = [town.envelope(), b"", town.envelope(to="H99"), b"x" * 2_000_000, town.envelope()]
    answers = await town.accept.sealed_many(bodies, address="")
    assert [outcome(answer) for answer in answers] == [
        "accepted", "malformed-envelope", "unknown-recipient", "too-large", "accepted",
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------------------- files


async def grant(town: Town, name: str, system: str) -> None:
    assert await town.ledger.grant_file(
        HeldFile(a_digest(name), 7, "application/pdf"), system, at=MORNING, is_present=lambda _: True
    )


async def test_a_message_names_only_files_that_its_source_uploaded_or_took() -> None:
    town = a_town()
    named: dict[str, Any] = {"data": document(files=[a_file("a"), a_file("b")])}
    assert (await town.refused(**named)).problem == "missing-file"
    await grant(town, "a", "H33.05/dms")
    await grant(town, "b", "H33.16/dms")
    refusal = await town.refused(**named)
    assert refusal.problem == "missing-file"
    assert a_digest("b") in refusal.detail.vi
    assert a_digest("a") not in refusal.detail.vi
    assert await kept(town) == 0


async def test_who_took_a_delivery_may_pass_its_files_on() -> None:
    town = a_town()
    await grant(town, "a", "H33.05/dms")
    files = document(files=[a_file("a")])
    assert (await town.refused("H33.16/dms", to="H33.30", data=files)).problem == "missing-file"
    await town.sent(data=files)
    await town.work()
    await town.sent("H33.16/dms", to="H33.30", data=files)


async def test_a_missing_file_is_told_before_expiry() -> None:
    town = a_town()
    past = format_moment(MORNING - 1)
    assert (await town.refused(data=document(files=[a_file("a")]), expirytime=past)).problem == "missing-file"
    await grant(town, "a", "H33.05/dms")
    assert (await town.refused(data=document(files=[a_file("a")]), expirytime=past)).problem == "expired"


# ------------------------------------------------------------------------------- what the bus signs for others


@pytest.fixture
def leaves_it() -> Town:
    """A town whose H33.05 leaves signing to the bus."""
    return a_town(H33_05={"sealing": "gateway"})


async def post(town: Town, system: str = "H33.05/dms", **override: Any) -> Accepted | Fault:
    body = json.dumps(town.event(**override), ensure_ascii=False).encode()
    return await town.accept.unsigned(town.system(system), body)


async def test_an_unsigned_event_is_signed_with_the_systems_own_key_and_says_so(leaves_it: Town) -> None:
    event = leaves_it.event()
    answer = await leaves_it.accept.unsigned(leaves_it.system("H33.05/dms"), json.dumps(event).encode())
    assert isinstance(answer, Accepted)
    raw = await leaves_it.ledger.envelope(answer.id)
    assert raw is not None
    sealed = jws.split(raw)
    assert json.loads(sealed.payload) == {**event, "sealedby": GATEWAY}
    assert sealed.header.thumbprint == leaves_it.signers["H33.05/dms"].thumbprint
    assert jws.verify(leaves_it.signers["H33.05/dms"].key.public_key(), sealed)


async def test_only_a_system_that_is_registered_so_may_leave_signing_to_the_bus() -> None:
    town = a_town()
    assert outcome(await post(town)) == "sealing-not-allowed"
    (row,) = await town.journal("audit")
    assert (row["actor"], row["details"]["problem"]) == ("H33.05/dms", "sealing-not-allowed")


@pytest.mark.parametrize("source", ["H33.16/dms", "H33.05/hr", "nobody"])
async def test_the_bus_signs_for_nobody_but_the_caller(leaves_it: Town, source: str) -> None:
    body = json.dumps({**leaves_it.event(), "source": source}).encode()
    assert outcome(await leaves_it.accept.unsigned(leaves_it.system("H33.05/dms"), body)) == "sealing-not-allowed"


async def test_an_unsigned_event_is_a_repeat_by_the_bytes_as_posted(leaves_it: Town) -> None:
    system = leaves_it.system("H33.05/dms")
    event = leaves_it.event()
    body = json.dumps(event).encode()
    first = await leaves_it.accept.unsigned(system, body)
    leaves_it.clock.moment += 40 * DAY
    again = await leaves_it.accept.unsigned(system, body)
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert (again.receipt, again.repeated) == (first.receipt, True)
    other_spelling = json.dumps(event, indent=1).encode()
    assert outcome(await leaves_it.accept.unsigned(system, other_spelling)) == "conflict"


@pytest.mark.parametrize("name", ["sealedby", "originsource", "originid", "origindigest", "rulesdigest", "queryid"])
async def test_also_unsigned_events_may_not_set_what_is_the_gateways_own(leaves_it: Town, name: str) -> None:
    assert outcome(await post(leaves_it, **{name: "x"})) == "malformed-envelope"


async def test_also_unsigned_events_are_strict_json_and_a_refusal_is_remembered(leaves_it: Town) -> None:
    system = leaves_it.system("H33.05/dms")
    for body in (b"", b"[]", b'{"a":1,"a":2}', b"junk"):
        assert outcome(await leaves_it.accept.unsigned(system, body)) == "malformed-envelope"
    assert [row["actor"] for row in await leaves_it.journal("audit")] == ["H33.05/dms"] * 4
    assert leaves_it.accept.refusals == {}


async def test_an_event_that_would_outgrow_an_envelope_is_too_large(leaves_it: Town) -> None:
    assert outcome(await post(leaves_it, data=document(summary="x" * 100_000))) == "accepted"
    assert outcome(await post(leaves_it, data=document(note="x" * 800_000))) == "too-large"
    assert outcome(await post(leaves_it, data=document(note="x" * 700_000))) == "accepted"


async def test_an_unsigned_event_meets_every_other_check(leaves_it: Town) -> None:
    for override, problem in (
        ({"to": "H99"}, "unknown-recipient"),
        ({"time": format_moment(MORNING + 301)}, "stale"),
        ({"data": document(confidentiality="mật")}, "secret-content"),
        ({"data": {"confidentiality": "none"}}, "contract-violation"),
        ({"source": None}, "malformed-envelope"),
    ):
        event = {k: v for k, v in {**leaves_it.event(), **override}.items() if v is not None}
        body = json.dumps(event).encode()
        assert outcome(await leaves_it.accept.unsigned(leaves_it.system("H33.05/dms"), body)) == problem


# ---------------------------------------------------------------------------------------------- races


async def test_two_that_come_at_once_with_one_id_are_one_message() -> None:
    town = a_town()
    raw = town.envelope(id=a_key("m"))
    other = town.envelope(id=a_key("m"), subject="x")
    one, two, three = await asyncio.gather(*(town.accept.sealed_many([body], address="") for body in (raw, raw, other)))
    assert [outcome(answer) for (answer,) in (one, two, three)] == ["accepted", "accepted", "conflict"]
    assert await kept(town) == 1
