"""Who may call a system's door: by address, by a secret, by both; and nobody by what a header says of addresses."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from gateway.calls.gate import SETTINGS, Gate
from gateway.core.content import InMemory
from gateway.core.faults import Misconfigured, Rejected, TransientFailure
from gateway.core.visit import Call

SECRET = "khoá-của-cổng".encode("ascii", "ignore").decode() + "-0123456789"


def read_secret(path: str) -> bytes:
    if path != "keys/caller":
        raise FileNotFoundError(path)
    return f"{SECRET}\n".encode()


def a_call(address: str = "10.1.2.3", **fields: str) -> Call:
    return Call(
        "POST", "", {}, {name.replace("_", "-"): value for name, value in fields.items()}, InMemory(b""), address
    )


def a_gate(**settings: Any) -> Gate:
    return Gate.of(settings, read_secret, "H33.16/dms")


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("address", "is_let_in"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.1.3.3", False),
        ("fd00::1", True),
        ("fd00::1%eth0", True),
        ("fd01::1", False),
        ("", False),
        ("nowhere", False),
    ],
)
def test_a_caller_may_be_known_by_its_address(address: str, is_let_in: bool) -> None:
    assert a_gate(callers=["10.1.2.0/24", "fd00::/16"]).lets_in(a_call(address)) is is_let_in


def test_what_a_header_says_about_addresses_is_never_believed() -> None:
    lying = a_call("192.0.2.1", x_forwarded_for="10.1.2.3", forwarded="for=10.1.2.3", x_real_ip="10.1.2.3")
    assert not a_gate(callers=["10.1.2.0/24"]).lets_in(lying)


@pytest.mark.parametrize(
    ("settings", "fields", "is_let_in"),
    [
        ({}, {"authorization": f"Bearer {SECRET}"}, True),
        ({}, {"authorization": f"bearer {SECRET}"}, True),
        ({}, {"authorization": SECRET}, True),
        ({}, {"authorization": "Bearer other"}, False),
        ({}, {"authorization": f"Bearer {SECRET}x"}, False),
        ({}, {"authorization": "Bearer "}, False),
        ({}, {}, False),
        ({"caller_header": "X-API-Key"}, {"x-api-key": SECRET}, True),
        ({"caller_header": "X-API-Key"}, {"x-api-key": f"{SECRET}, {SECRET}"}, False),
        ({"caller_header": "X-API-Key"}, {"authorization": f"Bearer {SECRET}"}, False),
        ({"caller_user": "cổng"}, {"authorization": basic("cổng", SECRET)}, True),
        ({"caller_user": "cổng"}, {"authorization": basic("khác", SECRET)}, False),
        ({"caller_user": "cổng"}, {"authorization": basic("cổng", "other")}, False),
        ({"caller_user": "cổng"}, {"authorization": f"Bearer {SECRET}"}, False),
        ({"caller_user": "cổng"}, {"authorization": "Basic ?"}, False),
        ({"caller_user": "cổng"}, {"authorization": "Basic ổ"}, False),
        ({"caller_header": "X-API-Key"}, {"x-api-key": "\udcff"}, False),
    ],
)
def test_a_caller_may_be_known_by_a_secret(
    settings: Mapping[str, Any], fields: Mapping[str, str], is_let_in: bool
) -> None:
    gate = a_gate(caller_secret_file="keys/caller", **settings)
    assert gate.lets_in(a_call(**{name.replace("-", "_"): value for name, value in fields.items()})) is is_let_in


def test_address_and_secret_together_mean_both() -> None:
    gate = a_gate(callers=["10.1.2.0/24"], caller_secret_file="keys/caller", caller_header="X-API-Key")
    assert gate.lets_in(a_call("10.1.2.3", x_api_key=SECRET))
    assert not gate.lets_in(a_call("10.1.3.3", x_api_key=SECRET))
    assert not gate.lets_in(a_call("10.1.2.3", x_api_key="other"))


def test_who_did_not_prove_itself_is_told_so_and_nothing_else() -> None:
    with pytest.raises(Rejected) as refused:
        a_gate(caller_secret_file="keys/caller").check(a_call(authorization="Bearer mistaken"))
    assert refused.value.problem == "unauthenticated"
    assert SECRET not in repr(refused.value)
    assert "mistaken" not in repr(refused.value)


def test_a_secret_that_cannot_be_read_lets_nobody_in_and_names_its_file() -> None:
    with pytest.raises(TransientFailure, match="keys/gone"):
        a_gate(caller_secret_file="keys/gone").lets_in(a_call(authorization="Bearer "))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"callers": []},
        {"callers": ["10.1.2.3/8"]},
        {"callers": ["somewhere"]},
        {"caller_user": "cổng"},
        {"caller_header": "X-API-Key"},
        {"callers": ["10.0.0.0/8"], "caller_header": "X-API-Key"},
        {"caller_secret_file": "keys/caller", "caller_header": "X-API-Key", "caller_user": "cổng"},
        {"caller_secret_file": "keys/caller", "caller_header": "X API"},
    ],
)
def test_a_gate_that_proves_nobody_or_contradicts_itself_is_not_opened(settings: Mapping[str, Any]) -> None:
    with pytest.raises(Misconfigured) as mistake:
        a_gate(**settings)
    assert mistake.value.where.startswith("H33.16/dms")
    assert mistake.value.wrong.vi != mistake.value.wrong.en


def test_an_adapter_with_a_proof_of_its_own_needs_no_gate() -> None:
    assert Gate.if_set({}, read_secret, "H33.16/dms") is None
    assert Gate.if_set({"callers": ["10.0.0.0/8"]}, read_secret, "H33.16/dms") is not None


def test_the_settings_of_a_gate_are_described_in_both_languages() -> None:
    for rule in SETTINGS.values():
        jsonschema.Draft202012Validator.check_schema(dict(rule))
        assert " - " in rule["description"]
