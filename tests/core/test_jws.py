"""Compact JWS as far as the bus uses it: strict base64url, four algorithms, keys that fit, no say for the sender."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import jws
from gateway.core.directory import Agency, Directory, System, read_certificate
from gateway.core.judgement import Judge
from gateway.core.moments import parse_moment
from tests.town import CATALOG, GATEWAY, Key, a_pair, an_agreement, wishes_for

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "envelope"
ALL = sorted(path.stem for path in VECTORS.glob("*.json") if path.stem != "certificates")
EIGHT_O_CLOCK = parse_moment("2026-11-23T08:00:00+07:00") or 0.0
ED, P256, RSA = (
    ed25519.Ed25519PrivateKey.generate(),
    ec.generate_private_key(ec.SECP256R1()),
    rsa.generate_private_key(65537, 2048),
)
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEYS: list[tuple[Key, str]] = [(ED, "EdDSA"), (ED, "Ed25519"), (P256, "ES256"), (RSA, "PS256"), (RSA, "RS256")]


@pytest.fixture(scope="module")
def judge() -> Judge:
    """The bus's picture of the vectors' signers, and one recipient."""
    certificates = json.loads((VECTORS / "certificates.json").read_text())
    systems = [
        System(name, name.partition("/")[0], "webhook", certificates=(read_certificate(pem),))
        for name, pem in certificates.items()
    ]
    systems.append(System("H33.16/dms", "H33.16", "webhook", subscriptions=wishes_for("document.issued")))
    agencies = [Agency(each.agency, each.agency, "province", parent="H33", systems=(each,)) for each in systems]
    return Judge(Directory(agencies, [an_agreement()], gateway=GATEWAY), CATALOG)


def rsa_key_of(bits: int) -> rsa.RSAPublicKey:
    """A public key of that size; whether anybody has the private one does not matter."""
    return rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) | 1).public_key()


def compact(head: dict[str, Any] | bytes, payload: bytes = b"{}") -> bytes:
    """Unsigned, but in form."""
    raw = head if isinstance(head, bytes) else json.dumps(head).encode()
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (raw, payload, b"signature"))


def refusal_of(raw: bytes) -> str | None:
    """Why these bytes are no JWS; None where they are one."""
    try:
        jws.split(raw)
    except jws.NotAJws as refusal:
        return str(refusal)
    return None


@pytest.mark.parametrize("name", ALL)
def test_each_vector_is_judged_as_it_says(name: str, judge: Judge) -> None:
    vector = json.loads((VECTORS / f"{name}.json").read_text())
    judged = judge.sealed(vector["envelope"].encode("latin-1"), EIGHT_O_CLOCK)
    expect = vector["expect"]
    if expect.get("problem") is None:
        assert judged.fault is None
        assert judged.event is not None
        assert judged.event.id == expect["id"]
    else:
        assert judged.fault is not None
        assert judged.fault.problem == expect["problem"]
        assert expect["because"] in judged.fault.detail.en


def test_there_are_vectors_for_what_is_taken_and_for_each_stage_that_refuses() -> None:
    chapters = {name.split("_", 1)[0] for name in ALL}
    assert chapters == {"taken", "malformed", "bad", "unknown", "untrusted"}
    assert len(ALL) > 80


@given(st.binary(max_size=64))
def test_base64url_reads_back_what_it_wrote(data: bytes) -> None:
    text = jws.b64url(data)
    assert "=" not in text
    assert jws.b64url_decode(text.encode()) == data


@given(st.text("ABCDwxyz0189-_+/= \n", max_size=12))
def test_base64url_has_one_spelling_only(text: str) -> None:
    try:
        data = jws.b64url_decode(text.encode())
    except jws.NotAJws:
        return
    assert jws.b64url(data) == text


def plainly_read(text: bytes) -> bytes | None:
    """Strict base64url in the simplest way: the alphabet alone, and the one spelling that writing gives."""
    if set(text) - set(LETTERS):
        return None
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return data if base64.urlsafe_b64encode(data).rstrip(b"=") == text else None


@given(st.integers(150, 600), st.integers(0), st.integers(0, 255))
def test_a_wrong_character_anywhere_in_a_long_text_is_found(length: int, place: int, other: int) -> None:
    text = bytearray(base64.urlsafe_b64encode(hashlib.shake_256(b"bytes").digest(length)).rstrip(b"="))
    text[place % len(text)] = other
    try:
        read = jws.b64url_decode(bytes(text))
    except jws.NotAJws:
        read = None
    assert read == plainly_read(bytes(text))


@given(st.binary(max_size=200))
def test_whatever_comes_in_is_a_jws_or_is_refused_by_name(raw: bytes) -> None:
    assert refusal_of(raw) != ""


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x, max_size=3)))
def test_no_value_of_a_header_member_surprises_the_reader(value: object) -> None:
    for member in ("alg", "typ", "kid", "x5t#S256", "x5c"):
        assert refusal_of(compact({"alg": "EdDSA", "typ": "ce+jws", member: value})) != ""


@pytest.mark.parametrize(("key", "alg"), KEYS)
def test_each_algorithm_fits_its_kind_of_key_and_no_other(key: Key, alg: str) -> None:
    assert jws.fits(alg, key)
    assert jws.fits(alg, key.public_key())
    for other, _ in KEYS:
        if type(other) is not type(key):
            assert not jws.fits(alg, other)
            assert not jws.fits(alg, other.public_key())


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", "RS512", "eddsa", ""])
def test_no_other_algorithm_fits_any_key(alg: str) -> None:
    assert not any(jws.fits(alg, key) for key, _ in KEYS)


@pytest.mark.parametrize(
    ("bits", "is_taken"), [(1024, False), (2047, False), (2048, True), (4096, True), (4097, False)]
)
def test_rsa_keys_have_2048_to_4096_bits(bits: int, is_taken: bool) -> None:
    key = rsa_key_of(bits)
    assert key.key_size == bits
    assert jws.is_usable(key) is is_taken


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
        None,
    ],
)
def test_other_kinds_of_keys_are_of_no_use(key: object) -> None:
    assert not jws.is_usable(key)


@pytest.mark.parametrize(("key", "alg"), KEYS)
def test_what_one_key_signed_no_other_verifies(key: Key, alg: str) -> None:
    signer = jws.Signer(key, alg, jws.b64url(bytes(32)))
    taken_apart = jws.split(signer.sign("ce+jws", b'{"a":1}'))
    assert jws.verify(key.public_key(), taken_apart)
    assert not jws.verify(key.public_key(), taken_apart._replace(signing_input=taken_apart.signing_input + b"A"))
    strangers: list[jws.PublicKey] = [
        ed25519.Ed25519PrivateKey.generate().public_key(),
        ec.generate_private_key(ec.SECP256R1()).public_key(),
        rsa_key_of(2048),
    ]
    assert not any(jws.verify(stranger, taken_apart) for stranger in strangers if jws.fits(alg, stranger))


@pytest.mark.parametrize(("key", "alg"), KEYS)
@given(signature=st.binary(max_size=300))
def test_no_made_up_signature_verifies_or_surprises(key: Key, alg: str, signature: bytes) -> None:
    header = jws.Header(alg, None, None, None, ())
    assert not jws.verify(key.public_key(), jws.Compact(header, b"{}", b"e30.e30", signature))


def test_a_signature_in_the_other_padding_of_rsa_does_not_verify() -> None:
    signed = jws.split(jws.Signer(RSA, "PS256", jws.b64url(bytes(32))).sign("ce+jws", b"{}"))
    assert not jws.verify(RSA.public_key(), signed._replace(header=replace(signed.header, alg="RS256")))


def test_the_leaf_of_x5c_names_the_signer_as_its_thumbprint_would() -> None:
    _, certificate = a_pair("H33.05/dms")
    der = x509.load_pem_x509_certificate(certificate.pem.encode())
    leaf = base64.b64encode(der.public_bytes(Encoding.DER)).decode()
    split = jws.split(compact({"alg": "EdDSA", "x5c": [leaf]}))
    assert split.header.thumbprint == certificate.thumbprint
    assert split.header.chain == (base64.b64decode(leaf),)


def test_a_header_of_the_same_bytes_is_read_alike_each_time() -> None:
    raw = compact({"alg": "EdDSA", "typ": "ce+jws", "kid": "k"})
    assert jws.split(raw) == jws.split(raw)
    assert jws.split(raw).header == jws.Header("EdDSA", "ce+jws", "k", None, ())


def test_a_kid_that_is_no_text_is_ignored_as_any_other_member() -> None:
    assert jws.split(compact({"alg": "EdDSA", "kid": {"a": 1}, "cty": 7})).header.kid is None


def test_what_the_gateway_signs_names_its_certificate_and_its_key_in_the_jwks() -> None:
    signer = jws.Signer(P256, "ES256", jws.b64url(bytes(32)), kid=jws.key_id(P256.public_key()))
    head = json.loads(jws.b64url_decode(signer.sign("receipt+jws", b"{}").split(b".")[0]))
    assert head == {
        "typ": "receipt+jws",
        "alg": "ES256",
        "x5t#S256": jws.b64url(bytes(32)),
        "kid": jws.key_id(P256.public_key()),
    }


def test_the_bus_writes_one_algorithm_for_each_kind_of_key() -> None:
    assert [jws.default_alg(key) for key in (ED, P256, RSA)] == ["EdDSA", "ES256", "PS256"]
    assert jws.default_alg(P256.public_key()) == "ES256"


def test_a_published_key_says_what_it_signs_with_and_nothing_secret() -> None:
    assert {**jws.public_jwk(P256.public_key(), "a"), "x": "", "y": ""} == {
        "kty": "EC", "crv": "P-256", "x": "", "y": "", "alg": "ES256", "use": "sig", "kid": "a",
    }  # fmt: skip
    assert jws.public_jwk(ED.public_key(), "b")["alg"] == "EdDSA"
    with pytest.raises(ValueError, match="Ed25519 and P-256"):
        jws.public_jwk(RSA.public_key(), "c")


def test_the_name_of_a_key_is_its_thumbprint_of_rfc_7638() -> None:
    # the example of RFC 8037, appendix A.3
    example = ed25519.Ed25519PublicKey.from_public_bytes(
        jws.b64url_decode(b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    )
    assert jws.key_id(example) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_thumbprint_of_a_certificate_is_the_sha_256_of_its_der_form() -> None:
    _, certificate = a_pair("H33.05/dms")
    loaded = x509.load_pem_x509_certificate(certificate.pem.encode())
    assert jws.b64url_decode(jws.thumbprint(loaded).encode()) == hashlib.sha256(
        loaded.public_bytes(Encoding.DER)
    ).digest()  # fmt: skip
