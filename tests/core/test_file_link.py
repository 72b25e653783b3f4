"""A link to a file is the gateway's word for so many days, and is nothing else than that."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.core.file_link import TYP, file_link, linked_file
from gateway.core.jws import Signer, b64url
from tests.build import MORNING
from tests.town import a_pair

SHA256 = hashlib.sha256(b"a scan").hexdigest()
SIGNER, CERTIFICATE = a_pair("gateway")
DAY = 86400


def a_link(
    *, signer: Signer = SIGNER, sha256: str = SHA256, name: str = "Đơn.pdf", days: int = 30, at: float = MORNING
) -> str:
    return file_link("https://lgsp.example.vn", signer, sha256, name, now=at, days=days)


def token_of(link: str) -> str:
    return link.removeprefix("https://lgsp.example.vn/files/").partition("/")[0]


def test_a_link_leads_to_its_file_and_says_its_name() -> None:
    link = a_link()
    assert linked_file(token_of(link), [CERTIFICATE], MORNING) == SHA256
    assert unquote(link.rpartition("/")[2]) == "Đơn.pdf"
    assert link.isascii()


def test_a_link_fits_where_addresses_are_kept() -> None:
    assert len(a_link(name="x" * 500 + ".pdf")) < 600


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "-..-etc-passwd"),
        ("a\\b?c#d%e.pdf", "a-b-c-d-e.pdf"),
        ("..", "file"),
        ("", "file"),
        ("a\r\nb", "a-b"),
        ("x" * 200 + ".pdf", "x" * 96 + ".pdf"),
        ("x" * 200, "x" * 100),
    ],
)
def test_a_name_is_one_part_of_the_address_and_no_more(name: str, shown: str) -> None:
    assert unquote(a_link(name=name).partition("/files/")[2].partition("/")[2]) == shown


def test_a_link_is_good_for_its_days_and_no_longer() -> None:
    token = token_of(a_link(days=1))
    assert linked_file(token, [CERTIFICATE], MORNING + DAY) == SHA256
    assert linked_file(token, [CERTIFICATE], MORNING + 2 * DAY) is None


def test_links_of_one_day_for_one_file_are_one() -> None:
    assert a_link(at=MORNING) == a_link(at=MORNING + 600)


def test_a_link_stays_good_when_the_gateway_has_a_new_key() -> None:
    _, newer = a_pair("gateway")
    assert linked_file(token_of(a_link()), [newer, CERTIFICATE], MORNING) == SHA256
    assert linked_file(token_of(a_link()), [newer], MORNING) is None


def test_a_key_on_p_256_makes_links_too() -> None:
    signer, certificate = a_pair("gateway", ec.generate_private_key(ec.SECP256R1()))
    assert linked_file(token_of(a_link(signer=signer)), [certificate], MORNING) == SHA256


@pytest.mark.parametrize("typ", ["ce+jws", "receipt+jws", "at+jwt", "JWT", "lgsp-receipt+jws"])
def test_nothing_else_that_the_gateway_signs_is_a_link(typ: str) -> None:
    said = {"sha256": b64url(bytes.fromhex(SHA256)), "exp": int(MORNING) + DAY}
    assert linked_file(SIGNER.sign(TYP, json.dumps(said).encode()).decode(), [CERTIFICATE], MORNING) == SHA256
    assert linked_file(SIGNER.sign(typ, json.dumps(said).encode()).decode(), [CERTIFICATE], MORNING) is None


@pytest.mark.parametrize(
    "said",
    [
        b"{}",
        b"[]",
        b"not json",
        json.dumps({"sha256": SHA256}).encode(),
        json.dumps({"sha256": "AAAA", "exp": 4e9}).encode(),
        json.dumps({"sha256": "?", "exp": 4e9}).encode(),
        json.dumps({"sha256": b64url(b"x" * 32), "exp": "later"}).encode(),
        json.dumps({"sha256": ["x"], "exp": 4e9}).encode(),
    ],
)
def test_what_says_no_file_and_no_end_is_no_link(said: bytes) -> None:
    assert linked_file(SIGNER.sign(TYP, said).decode(), [CERTIFICATE], MORNING) is None


def test_a_link_that_was_altered_in_any_place_is_none() -> None:
    token = token_of(a_link())
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        assert linked_file(token[:place] + other + token[place + 1 :], [CERTIFICATE], MORNING) is None


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "ế", "x" * 5000])
def test_rubbish_is_no_link(token: str) -> None:
    assert linked_file(token, [CERTIFICATE], MORNING) is None


def test_a_key_of_the_same_name_that_is_another_makes_no_link() -> None:
    stranger, _ = a_pair("gateway")
    token = token_of(a_link(signer=replace(stranger, thumbprint=CERTIFICATE.thumbprint)))
    assert linked_file(token, [CERTIFICATE], MORNING) is None


@pytest.mark.parametrize("sha256", ["", "x" * 64, SHA256.upper(), SHA256 + "0"])
def test_only_a_file_has_a_link(sha256: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        a_link(sha256=sha256)
