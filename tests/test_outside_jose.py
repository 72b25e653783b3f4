"""An outside judge: envelopes and receipts verified, and envelopes made, by JOSE code that the product does not use."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import joserfc.errors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwk
from joserfc import jws as outside

from gateway.core import jws
from gateway.core.directory import read_certificate
from gateway.ports import Accepted
from tests.town import GATEWAY, Key, Town, a_pair, a_town

# RFC 9864 prefers the name Ed25519; agencies' software still writes EdDSA, and the interface takes both.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")

VECTORS = Path(__file__).resolve().parent / "vectors" / "envelope"
ALGORITHMS = ["EdDSA", "Ed25519", "ES256", "PS256", "RS256"]
#: The outside judge looks at signatures; what the bus forbids beyond them is the bus's own matter.
JUDGE = outside.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
JUDGE.max_header_length = JUDGE.max_payload_length = 1024 * 1024
KEYS: list[tuple[Key, str]] = [
    (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
    (ec.generate_private_key(ec.SECP256R1()), "ES256"),
    (rsa.generate_private_key(65537, 2048), "PS256"),
    (rsa.generate_private_key(65537, 2048), "RS256"),
]


def outside_key(key: Any) -> Any:
    """A key of ours, public or private, as the outside judge holds it, by way of PEM."""
    if isinstance(key, Key):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    else:
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return jwk.OKPKey.import_key(pem)
    is_on_a_curve = isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey)
    return jwk.ECKey.import_key(pem) if is_on_a_curve else jwk.RSAKey.import_key(pem)


def verified(compact: bytes, key: Any) -> Any:
    """The payload, as the outside judge read it. Raises where the signature is not the key's."""
    return json.loads(outside.deserialize_compact(compact, outside_key(key), registry=JUDGE).payload)


def town_of(key: Key, alg: str) -> Town:
    """A town in which H33.05 signs with this key."""
    town = a_town()
    signer, certificate = a_pair("H33.05/dms", key)
    town.signers["H33.05/dms"] = jws.Signer(key, alg, signer.thumbprint)
    town.change("H33.05/dms", certificates=(certificate,))
    return town


@pytest.mark.parametrize(("key", "alg"), KEYS)
async def test_an_envelope_of_ours_is_verified_outside(key: Key, alg: str) -> None:
    town = town_of(key, alg)
    event = town.event()
    raw = town.envelope(**event)
    assert verified(raw, key.public_key()) == event
    (answer,) = await town.accept.sealed_many([raw], address="")
    assert isinstance(answer, Accepted)


@pytest.mark.parametrize(("key", "alg"), KEYS)
async def test_an_envelope_made_outside_is_taken(key: Key, alg: str) -> None:
    town = town_of(key, alg)
    certificate = x509.load_pem_x509_certificate(town.system("H33.05/dms").certificates[0].pem.encode())
    by_thumbprint = {"x5t#S256": town.signers["H33.05/dms"].thumbprint}
    by_chain = {"x5c": [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]}
    private = outside_key(key)
    for named in (by_thumbprint, by_chain, {**by_thumbprint, **by_chain}):
        header = {"typ": "ce+jws", "alg": alg, **named}
        payload = json.dumps(town.event(), ensure_ascii=False).encode()
        compact = outside.serialize_compact(header, payload, private, registry=JUDGE)
        (answer,) = await town.accept.sealed_many([compact.encode()], address="")
        assert isinstance(answer, Accepted), answer


@pytest.mark.parametrize("key", [KEYS[0][0], KEYS[2][0]])
async def test_the_gateways_receipts_are_verified_outside_with_the_key_that_it_publishes(key: Key) -> None:
    public = key.public_key()
    assert not isinstance(public, rsa.RSAPublicKey)
    kid = jws.key_id(public)
    published = jwk.KeySet.import_key_set({"keys": [dict(jws.public_jwk(public, kid))]})
    signer, _ = a_pair(GATEWAY, key)
    town = a_town()
    town.signers[GATEWAY] = jws.Signer(key, signer.alg, signer.thumbprint, kid)
    town = Town(town.ledger, town.clock, town.files, town.signers, town.directory)
    answer = await town.sent()
    told = outside.deserialize_compact(answer.receipt, published, registry=JUDGE)  # chosen by its kid
    header = told.headers()
    assert (header["typ"], header["kid"]) == ("receipt+jws", kid)
    assert header["alg"] in {"ES256", "EdDSA"}
    assert json.loads(told.payload)["id"] == answer.id
    (leaf,) = await town.journal("receipt")
    assert json.loads(told.payload) == leaf


async def test_translations_and_outcomes_are_verified_outside() -> None:
    town = a_town()
    await town.sent(to="H33.30")
    await town.pass_time(3)
    for name, kind in (("H33.30/dms", "document.issued"), ("H33.05/dms", "receipt.delivered")):
        (parcel,) = town.desk(name).parcels
        event = verified(parcel.body, town.signers[GATEWAY].key.public_key())
        assert (event["source"], event["type"]) == (GATEWAY, kind)


async def test_what_the_bus_seals_for_a_system_is_verified_outside_with_that_systems_certificate() -> None:
    town = a_town(H33_05={"sealing": "gateway"})
    event = town.event()
    answer = await town.accept.unsigned(town.system("H33.05/dms"), json.dumps(event).encode())
    assert isinstance(answer, Accepted)
    raw = await town.ledger.envelope(answer.id)
    assert raw is not None
    certificate = town.system("H33.05/dms").certificates[0]
    assert verified(raw, certificate.key) == {**event, "sealedby": GATEWAY}


@pytest.mark.parametrize("key", [KEYS[0][0], KEYS[2][0]])
def test_the_name_of_a_key_is_the_same_outside(key: Key) -> None:
    public = key.public_key()
    assert not isinstance(public, rsa.RSAPublicKey)
    assert jws.key_id(public) == outside_key(public).thumbprint()


def vectors(prefix: str) -> list[str]:
    return sorted(path.stem for path in VECTORS.glob(f"{prefix}_*.json"))


def read(name: str) -> tuple[bytes, Any]:
    """A vector's envelope, and the key of the system whose certificate its header names."""
    raw = json.loads((VECTORS / f"{name}.json").read_text())["envelope"].encode("latin-1")
    certificates = json.loads((VECTORS / "certificates.json").read_text()).values()
    registered = [read_certificate(pem) for pem in certificates]
    named = jws.split(raw).header.thumbprint
    return raw, next(each.key for each in registered if each.thumbprint == named)


@pytest.mark.parametrize("name", vectors("taken"))
def test_the_outside_judge_verifies_each_vector_that_is_taken(name: str) -> None:
    raw, key = read(name)
    assert verified(raw, key)["specversion"] == "1.0"


@pytest.mark.parametrize("name", vectors("bad_signature"))
def test_the_outside_judge_refuses_each_vector_whose_signature_is_bad(name: str) -> None:
    raw, key = read(name)
    with pytest.raises(joserfc.errors.BadSignatureError):
        verified(raw, key)
