"""Failures alike fall into one group: what differs between them is masked, what matters is not; all is explained."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.explanations import EXPLANATIONS
from gateway.core.failure import Symptom, diagnose, error_class, explained, normalised, stuck_class

TEXTS = st.text(max_size=300) | st.text("abcdefT0123456789:.-[]/@ ", max_size=80)
SYMPTOMS = st.builds(
    Symptom,
    st.sampled_from(["H33.16/dms", "H33.20/dms"]),
    st.sampled_from(["document.issued/1.0", "document.issued/2.0"]),
    st.sampled_from([None, "refused", "deadline", "attempts"]),
    st.sampled_from([None, "refused", "failed", "timeout", "lapsed"]),
    st.none() | st.integers(100, 599),
    st.none() | TEXTS,
)


@given(TEXTS)
def test_what_is_normalised_is_short_has_no_digits_and_stays_as_it_is(text: str) -> None:
    once = normalised(text)
    assert len(once) <= 200
    assert not re.search(r"\d", once)
    assert normalised(once) == once


@given(SYMPTOMS)
def test_every_failure_has_a_class_that_is_explained_in_both_languages(symptom: Symptom) -> None:
    found = explained(error_class(symptom))
    assert error_class(symptom) in EXPLANATIONS
    assert all((found.meaning.vi, found.meaning.en, found.next_step.vi, found.next_step.en))


@given(SYMPTOMS)
def test_a_fingerprint_is_twelve_hex_digits_and_always_the_same(symptom: Symptom) -> None:
    found = diagnose(symptom)
    assert re.fullmatch(r"[0-9a-f]{12}", found.fingerprint)
    assert diagnose(symptom) == found


PARTICULARS = st.tuples(st.uuids(), st.integers(0), st.ip_addresses(), st.integers(0, 59))


@given(PARTICULARS, PARTICULARS)
def test_ids_numbers_times_and_addresses_make_no_difference(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    def said(id_: object, number: object, address: object, second: object) -> Symptom:
        shown = f"[{address}]" if ":" in str(address) else address
        detail = f"document {id_} at line {number} from {shown}:443 on 2026-11-22T01:02:{second:02}Z"
        return Symptom("H33.16/dms", "document.issued/1.0", "refused", "refused", 422, detail)

    assert diagnose(said(*one)) == diagnose(said(*other))


@given(SYMPTOMS, SYMPTOMS)
def test_destination_contract_class_and_cause_each_make_another_group(one: Symptom, other: Symptom) -> None:
    def parts(of: Symptom) -> tuple[object, ...]:
        return of.recipient, of.contract, error_class(of), of.cause or "", normalised(of.detail or "")

    assert (diagnose(one).fingerprint == diagnose(other).fingerprint) == (parts(one) == parts(other))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("connection failed: ClientConnectorError", "connection failed: ClientConnectorError"),
        ("no answer within 20 s", "no answer within <n> s"),
        ("thiếu trang 3/12 của văn bản 1234/UBND-VP", "thiếu trang <n>/<n> của văn bản <n>/UBND-VP"),
        ("at 08:15:02.120 from 10.0.0.7:51234", "at <time> from <address>"),
        ("see https://a.example.vn:8443/x?id=7 now", "see <address> now"),
        ("key 9f86d081884c7d659a2feaa0c55ad015 unknown", "key <id> unknown"),
        ("  many\n\tblanks  ", "many blanks"),
        ("", ""),
    ],
)
def test_a_text_keeps_its_words(text: str, shown: str) -> None:
    assert normalised(text) == shown


@pytest.mark.parametrize(
    ("outcome", "status", "detail", "error"),
    [
        ("refused", 400, "the recipient refused the message with status 400", "refused"),
        ("refused", 422, None, "refused"),
        ("refused", 413, None, "too-large"),
        ("refused", 415, None, "unsupported"),
        ("refused", None, "thiếu trang cuối", "refused"),
        ("refused", None, "no rules lead from a/1.0 to a/2", "untranslatable"),
        ("refused", None, "the rules from a/1.0 to a/2 give invalid data", "untranslatable"),
        ("refused", None, "edXML cannot say record.changed; the system should not subscribe to it", "unwritable"),
        ("failed", 401, None, "unauthorised"),
        ("failed", 403, None, "unauthorised"),
        ("failed", 404, None, "not-found"),
        ("failed", 410, None, "gone"),
        ("failed", 429, None, "busy"),
        ("failed", 503, None, "busy"),
        ("failed", 500, None, "server-error"),
        ("failed", 302, None, "redirected"),
        ("failed", 418, None, "odd-answer"),
        ("failed", 408, None, "timeout"),
        ("timeout", None, "no answer within 20 s", "timeout"),
        ("failed", None, "connection failed: ClientConnectorError", "connection-refused"),
        ("failed", None, "connection failed: ClientConnectorDNSError", "name-unknown"),
        ("failed", None, "connection failed: ClientConnectorCertificateError", "tls"),
        ("failed", None, "connection failed: ServerDisconnectedError", "connection-broken"),
        ("failed", None, "the system is no longer registered", "unregistered"),
        ("failed", None, "the folder inbox cannot be written: No space left on device", "folder"),
        ("failed", None, "the file 9f86 is damaged in the spool; the operator must restore it", "file-damaged"),
        ("refused", None, "the recipient reads no message over 4194304 bytes", "too-large"),
        ("failed", None, "the recipient's queue takes no more: it is full, as …", "queue-full"),
        ("failed", None, "the recipient's queue was gone; it is made again", "broker"),
        ("failed", None, "the connection to RabbitMQ failed: ConnectionRefusedError", "broker"),
        ("failed", None, "RabbitMQ refuses the gateway's user or password ([broker] url)", "broker"),
        ("failed", None, "the queue lgsp.agency.H33.16.dms or its exchange was declared in another way", "broker"),
        ("failed", None, "unforeseen: KeyError", "unforeseen"),
        ("failed", None, "???", "unknown"),
        ("lapsed", None, None, "lapsed"),
        (None, None, None, "deadline"),
    ],
)
def test_each_way_to_fail_has_its_class(outcome: str, status: int, detail: str, error: str) -> None:
    assert error_class(Symptom("H33.16/dms", "a/1.0", "deadline", outcome, status, detail)) == error


def test_what_waits_untried_is_told_apart_by_who_must_move() -> None:
    untried = Symptom("H33.16/dms", "a/1.0")
    assert stuck_class(untried, is_pulled=True, is_tried=False) == "unfetched"
    assert stuck_class(untried, is_pulled=False, is_tried=False) == "waiting"
    failing = Symptom("H33.16/dms", "a/1.0", None, "failed", 500)
    assert stuck_class(failing, is_pulled=False, is_tried=True) is None
    # tried before a replay, and not since
    assert stuck_class(failing, is_pulled=False, is_tried=False) == "waiting"


def test_a_class_of_a_later_version_is_explained_as_unknown() -> None:
    assert explained("never heard of") == EXPLANATIONS["unknown"]


@pytest.mark.parametrize("error", EXPLANATIONS)
def test_every_explanation_says_who_must_do_what(error: str) -> None:
    found = EXPLANATIONS[error]
    assert found.meaning.vi != found.meaning.en
    assert found.meaning.vi.endswith(".")
    assert found.next_step.en.endswith(".")
