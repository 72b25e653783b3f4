"""Writes the envelope vectors beside it: each file one envelope and what the bus must say to it.

It builds every JWS byte by byte over bare primitives, so that the vectors do not rest on the code they test. Each
run makes keys of its own, forgets them, and leaves their certificates in ``certificates.json``: other bytes, the
same meaning. Run it from the repository's root: ``python -m tests.vectors.envelope.make``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

HERE = Path(__file__).resolve().parent
Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_NEW: dict[str, Callable[[], Key]] = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}
#: name -> kind of key, first and last year of the certificate; all but the stranger are registered.
SIGNERS = {
    "H33.05/dms": ("Ed25519", 2026, 2036),
    "H33.06/dms": ("P-256", 2026, 2036),
    "H33.07/dms": ("RSA", 2026, 2036),
    "H33.08/dms": ("Ed25519", 2020, 2022),
    "H33.09/dms": ("Ed25519", 2030, 2036),
    "stranger": ("Ed25519", 2026, 2036),
}
ED, EC, RSA = "H33.05/dms", "H33.06/dms", "H33.07/dms"
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "0192f3c1-7b2e-7c40-8a11-3f0c5d6e7f80",
    "source": ED,
    "type": "document.issued",
    "dataschema": "urn:lgsp:contract:document.issued:1.0",
    "subject": "H33.05,2026/11/23,118/STC-VP",
    "time": "2026-11-23T08:00:00+07:00",
    "datacontenttype": "application/json",
    "to": "H33.16",
    "data": {
        "documentId": "H33.05,2026/11/23,118/STC-VP",
        "issuingOrganId": "H33.05",
        "subject": "V/v rà soát hạ tầng số",
        "confidentiality": "none",
    },
}


def b64(data: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@dataclass
class Signer:
    """A key with its certificate, DER."""

    key: Key
    certificate: bytes

    @property
    def thumbprint(self) -> str:
        """The ``x5t#S256``."""
        return b64(hashlib.sha256(self.certificate).digest()).decode()

    def sign(self, alg: str, signed: bytes) -> bytes:
        """The signature in the shape of RFC 7518; HMAC takes the public key for its secret, as an attacker would."""
        if alg == "HS256":
            public = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return hmac.new(public, signed, "sha256").digest()
        if alg == "none":
            return b""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(signed)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return self.key.sign(signed, pss if alg == "PS256" else padding.PKCS1v15(), hashes.SHA256())


@dataclass
class Maker:
    """The signers, and the vectors made so far by file name."""

    signers: dict[str, Signer]
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def head(self, name: str, **override: Any) -> bytes:
        """A header of ``name``; ``None`` leaves a member out, ``x5t`` stands for ``x5t#S256``."""
        usual = {ED: "EdDSA", EC: "ES256", RSA: "PS256"}.get(name, "EdDSA")
        members = {"typ": "ce+jws", "alg": usual, "x5t": self.signers[name].thumbprint, **override}
        told = {"x5t#S256" if k == "x5t" else k: v for k, v in members.items() if v is not None}
        return json.dumps(told).encode()

    def jws(
        self, name: str = ED, *, head: bytes | None = None, payload: bytes | None = None, alg: str | None = None
    ) -> bytes:
        """A compact JWS of ``payload`` (the usual event of ``name``) under ``head``, signed as its ``alg`` says."""
        head = head if head is not None else self.head(name)
        payload = payload if payload is not None else event(source=name)
        signed = b64(head) + b"." + b64(payload)
        return signed + b"." + b64(self.signers[name].sign(alg or json.loads(head)["alg"], signed))

    def vector(self, file: str, says: str, envelope: bytes, problem: str | None = None, because: str = "") -> None:
        """One vector: ``problem`` None where the bus takes it; ``because`` is part of what it tells the sender."""
        expect = {"problem": problem, "because": because} if problem else {"id": EVENT["id"]}
        self.made[file] = {"says": says, "expect": expect, "envelope": envelope.decode("latin-1")}


def event(**override: Any) -> bytes:
    """The usual event as bytes; ``None`` leaves an attribute out."""
    members = {name: value for name, value in {**EVENT, **override}.items() if value is not None}
    return json.dumps(members, ensure_ascii=False).encode()


def taken(make: Maker) -> None:
    """Envelopes that the bus takes."""
    make.vector("taken_ed25519_as_eddsa", "An Ed25519 key may sign as EdDSA.", make.jws())
    make.vector("taken_ed25519_by_its_own_name", "… and as Ed25519.", make.jws(head=make.head(ED, alg="Ed25519")))
    make.vector("taken_p256_as_es256", "A P-256 key signs as ES256.", make.jws(EC))
    make.vector("taken_rsa_as_ps256", "An RSA key may sign as PS256.", make.jws(RSA))
    make.vector("taken_rsa_as_rs256", "… and as RS256.", make.jws(RSA, head=make.head(RSA, alg="RS256")))
    leaf, other = (base64.b64encode(make.signers[n].certificate).decode() for n in (ED, EC))
    make.vector(
        "taken_named_by_x5c",
        "The signer may be named by its certificate.",
        make.jws(head=make.head(ED, x5t=None, x5c=[leaf])),
    )
    make.vector(
        "taken_named_twice_alike",
        "By both, where they name the same leaf; four certificates are not too many.",
        make.jws(head=make.head(ED, x5c=[leaf, other, other, other])),
    )
    make.vector(
        "taken_other_header_members",
        "Other members of the header are ignored.",
        make.jws(head=make.head(ED, kid="khoá 1", cty="application/cloudevents+json", iat=1, deep={"a": [{"b": []}]})),
    )
    room = 16 * 1024 - len(make.head(ED, note=""))
    full = make.head(ED, note="n" * room)
    make.vector("taken_header_of_16_kib", "A header of 16 KiB is not too long.", make.jws(head=full))
    make.vector(
        "taken_unknown_extension", "An unknown extension is kept.", make.jws(payload=event(dossierstep="thẩm định"))
    )
    make.vector(
        "taken_null_extension",
        "An attribute that is null counts as unset, as CloudEvents says.",
        make.jws(payload=event().replace(b'"to": "H33.16"', b'"to": "H33.16", "sealedby": null, "bus": null')),
    )
    deep = b"[" * 62 + b"]" * 62
    make.vector(
        "taken_depth_64",
        "64 levels are not too deep: the event, its data, and 62 lists.",
        make.jws(payload=event().replace(b'"data": {', b'"data": {"x": ' + deep + b", ")),
    )
    make.vector(
        "taken_large_integer",
        "An integer that a double can hold is no fault, however long.",
        make.jws(payload=event().replace(b'"data": {', b'"data": {"x": 1' + b"0" * 308 + b", ")),
    )
    make.vector(
        "taken_lower_case_time", "RFC 3339 lets t and z be small.", make.jws(payload=event(time="2026-11-23t01:00:00z"))
    )


def misshapen(make: Maker) -> None:
    """Not a compact JWS of strict base64url."""
    good = make.jws()
    head, payload, signature = good.split(b".")
    because = "base64url"
    for file, says, envelope in (
        ("padded_header", "Padding in the header.", head + b"=." + payload + b"." + signature),
        ("padded_payload", "Padding in the payload.", head + b"." + payload + b"==." + signature),
        ("padded_signature", "Padding in the signature.", good + b"=="),
        ("standard_alphabet", "A character of base64's other alphabet.", head + b".+" + payload[1:] + b"." + signature),
        ("line_break", "A line break within.", head + b"." + payload[:40] + b"\n" + payload[40:] + b"." + signature),
        ("blank_before", "A blank before.", b" " + good),
        ("blank_behind", "A blank behind.", good + b" "),
        ("length_of_one", "A rest of one character.", good + b"AAA"),
        ("trailing_bits", "Trailing bits that are not zero.", good[:-1] + bytes([good[-1] + 1])),
        ("not_ascii", "A letter with a diacritic.", head + b"." + payload[:-2] + "đ".encode() + b"." + signature),
    ):
        make.vector(f"malformed_{file}", says, envelope, "malformed-envelope", because)
    parts = "three parts"
    make.vector("malformed_two_parts", "Two parts.", head + b"." + payload, "malformed-envelope", parts)
    make.vector("malformed_four_parts", "Four parts.", good + b"." + signature, "malformed-envelope", parts)
    as_json = json.dumps({"payload": payload.decode(), "protected": head.decode(), "signature": signature.decode()})
    make.vector("malformed_json_form", "The JSON serialization.", as_json.encode(), "malformed-envelope", parts)
    make.vector("malformed_empty", "Nothing at all.", b"", "malformed-envelope", parts)
    make.vector("malformed_detached", "A detached payload.", head + b".." + signature, "malformed-envelope", "JSON")


def misheaded(make: Maker) -> None:
    """Headers that the bus refuses."""
    leaf, other = (base64.b64encode(make.signers[n].certificate).decode() for n in (ED, EC))
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("no_typ", "No typ.", {"typ": None}, "typ"),
        ("other_typ", "The typ of another door.", {"typ": "receipt+jws"}, "typ"),
        ("typ_in_capitals", "typ is compared exactly.", {"typ": "CE+JWS"}, "typ"),
        ("typ_as_media_type", "… also without application/.", {"typ": "application/ce+jws"}, "typ"),
        ("alg_none", "No algorithm.", {"alg": "none"}, "alg"),
        ("alg_hmac", "HMAC under the public key.", {"alg": "HS256"}, "alg"),
        ("alg_es384", "An algorithm of another curve.", {"alg": "ES384"}, "alg"),
        ("alg_missing", "No alg.", {"alg": None}, "alg"),
        ("alg_other_case", "An alg in small letters.", {"alg": "eddsa"}, "alg"),
        ("alg_of_another_key", "An alg that does not fit the key.", {"alg": "ES256"}, "does not fit"),
        ("jwk", "A key in the header.", {"jwk": jwk}, "jwk"),
        ("jku", "A place of keys in the header.", {"jku": "https://keys.example.vn/jwks.json"}, "jku"),
        ("x5u", "A place of a certificate in the header.", {"x5u": "https://keys.example.vn/leaf.pem"}, "x5u"),
        ("b64", "b64, even where it says what holds anyway.", {"b64": True}, "b64"),
        ("crit", "crit.", {"crit": ["exp"], "exp": 1}, "crit"),
        ("crit_empty", "crit, even empty.", {"crit": []}, "crit"),
        ("no_signer", "Nobody named; kid alone names nobody.", {"x5t": None, "kid": "H33.05/dms"}, "name the signer"),
        ("two_signers", "x5t#S256 and x5c name different leaves.", {"x5c": [other]}, "different certificates"),
        ("x5t_of_sha1", "A thumbprint of 20 bytes.", {"x5t": b64(bytes(20)).decode()}, "32 bytes"),
        ("x5t_padded", "A thumbprint with padding.", {"x5t": make.signers[ED].thumbprint + "="}, "base64url"),
        ("x5t_null", "A thumbprint that is no text.", {"x5t": 7}, "32 bytes"),
        ("x5c_of_five", "Five certificates.", {"x5c": [leaf] * 5}, "one to four"),
        ("x5c_of_none", "An empty chain.", {"x5c": []}, "one to four"),
        ("x5c_as_text", "A chain that is no list.", {"x5c": leaf}, "one to four"),
        ("x5c_not_a_certificate", "Something else in the chain.", {"x5c": [leaf, "AAAA"]}, "not a certificate"),
        ("x5c_of_version_2", "A certificate of a version there is none of.", {"x5c": [_version_2(leaf)]}, "not a cert"),
        ("x5c_not_base64", "A chain in base64url.", {"x5c": [leaf[:-4] + "-_-_"]}, "not a certificate"),
    ]
    for file, says, override, because in cases:
        head = make.head(ED, **override)
        alg = "EdDSA" if override.get("alg", 0) not in {"HS256", "none"} else override["alg"]
        make.vector(f"malformed_{file}", says, make.jws(head=head, alg=alg), "malformed-envelope", because)
    plain = make.head(ED)
    for file, says, head, because in (
        ("header_doubled_member", "A doubled member.", plain[:-1] + b', "alg": "EdDSA"}', "doubled member"),
        ("header_not_json", "A header that is no JSON.", b"ce+jws", "strict JSON"),
        ("header_a_list", "A header that is no object.", b"[" + plain + b"]", "not a JSON object"),
        ("header_over_16_kib", "A byte over 16 KiB.", make.head(ED, note="n" * 16384)[:16383] + b'"}', "16 KiB"),
    ):
        envelope = make.jws(head=head, alg="EdDSA")
        make.vector(f"malformed_{file}", says, envelope, "malformed-envelope", because)


def _version_2(leaf: str) -> str:
    der = base64.b64decode(leaf)
    at = der.index(b"\xa0\x03\x02\x01\x02") + 4
    return base64.b64encode(der[:at] + b"\x01" + der[at + 1 :]).decode()


def mispaid(make: Maker) -> None:
    """Payloads that are not strict JSON, or no event."""
    plain = event()

    def with_data(inner: bytes) -> bytes:
        return plain.replace(b'"data": {', b'"data": {"x": ' + inner + b", ")

    too_deep = b"[" * 63 + b"]" * 63
    for file, says, payload, because in (
        ("doubled_member", "A doubled member.", plain[:-1] + b', "to": "H33.20"}', "doubled member"),
        ("doubled_escaped", "… also where one is escaped.", plain[:-1] + b', "t\\u006f": "H33.20"}', "doubled member"),
        ("doubled_within", "… also far within.", with_data(b'{"a": 1, "a": 1}'), "doubled member"),
        ("nan", "NaN.", with_data(b"NaN"), "strict JSON"),
        ("infinity", "Infinity.", with_data(b"-Infinity"), "strict JSON"),
        ("number_1e400", "A number outside a double.", with_data(b"1e400"), "outside a double"),
        ("number_of_400_digits", "An integer outside a double.", with_data(b"9" * 400), "outside a double"),
        ("lone_surrogate", "Half a surrogate pair.", with_data(b'"\\ud83d"'), "strict JSON"),
        ("swapped_surrogates", "A pair the wrong way round.", with_data(b'"\\ude00\\ud83d"'), "strict JSON"),
        ("depth_65", "65 levels.", with_data(too_deep), "deeper than 64"),
        ("depth_10000", "Ten thousand levels.", b"[" * 10_000, "strict JSON"),
        ("byte_order_mark", "A byte order mark.", b"\xef\xbb\xbf" + plain, "strict JSON"),
        ("utf_16", "Another encoding.", plain.decode().encode("utf-16"), "strict JSON"),
        ("invalid_utf_8", "A byte that is no UTF-8.", with_data(b'"\xff"'), "strict JSON"),
        ("surrogate_in_utf_8", "A surrogate as UTF-8.", with_data(b'"\xed\xa0\x80"'), "strict JSON"),
        ("overlong_utf_8", "An overlong form.", with_data(b'"\xc0\xaf"'), "strict JSON"),
        ("control_character", "A bare control character.", with_data(b'"\x01"'), "strict JSON"),
        ("trailing_garbage", "Something after the end.", plain + b" x", "strict JSON"),
        ("trailing_comma", "A comma too many.", plain[:-1] + b",}", "strict JSON"),
        ("two_events", "Two events.", plain + plain, "strict JSON"),
        ("batch_of_events", "A list of events.", b"[" + plain + b"]", "one JSON object"),
        ("not_an_event", "A text.", b'"event"', "one JSON object"),
        ("nothing", "Nothing.", b"", "strict JSON"),
    ):
        make.vector(f"malformed_payload_{file}", says, make.jws(payload=payload), "malformed-envelope", because)


def misused(make: Maker) -> None:
    """Who signed, and what for."""
    good = make.jws()
    head, payload, signature = good.split(b".")
    other_payload = b64(event(subject="something else"))
    es = make.jws(EC)
    es_key = make.signers[EC].key
    assert isinstance(es_key, ec.EllipticCurvePrivateKey)
    der = es_key.sign(es.rpartition(b".")[0], ec.ECDSA(hashes.SHA256()))
    ps = make.jws(RSA).rpartition(b".")[2]
    rs_head = b64(make.head(RSA, alg="RS256"))
    for file, says, envelope in (
        ("changed_payload", "The payload was changed.", head + b"." + other_payload + b"." + signature),
        ("changed_header", "The header was changed.", b64(make.head(ED, cty="x")) + b"." + payload + b"." + signature),
        ("no_signature", "There is no signature.", head + b"." + payload + b"."),
        ("short_signature", "Half a signature.", head + b"." + payload + b"." + b64(bytes(32))),
        ("es256_in_der", "An ECDSA signature in ASN.1.", es.rpartition(b".")[0] + b"." + b64(der)),
        ("es256_of_zeros", "An ECDSA signature of zeros.", es.rpartition(b".")[0] + b"." + b64(bytes(64))),
        ("rs256_header_ps256_signature", "The other padding.", rs_head + b"." + b64(event(source=RSA)) + b"." + ps),
    ):
        make.vector(f"bad_signature_{file}", says, envelope, "bad-signature", "does not fit")
    make.vector("unknown_signer", "Nobody registered it.", make.jws("stranger"), "unknown-signer", "registered")
    for file, says, name in (
        ("ended", "The certificate's dates have passed.", "H33.08/dms"),
        ("not_begun", "The certificate's dates have not come.", "H33.09/dms"),
    ):
        make.vector(f"untrusted_{file}", says, make.jws(name), "untrusted-certificate", "outside its dates")
    untrue = make.jws(payload=event(source=EC))
    make.vector("untrusted_other_source", "Signed as another.", untrue, "untrusted-certificate", "not registered")
    nobody = make.jws(payload=event(source="H33.99/dms"))
    make.vector("untrusted_unknown_source", "Signed as nobody.", nobody, "untrusted-certificate", "not registered")


def new_signer(name: str) -> Signer:
    """A key of the kind that ``name`` has, and its certificate."""
    kind, first, last = SIGNERS[name]
    key = _NEW[kind]()
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(first, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(last, 1, 1, tzinfo=UTC))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return Signer(key, certificate.public_bytes(Encoding.DER))


def main() -> None:
    """Write all vectors, and the certificates of their signers by system."""
    make = Maker({name: new_signer(name) for name in SIGNERS})
    for chapter in (taken, misshapen, misheaded, mispaid, misused):
        chapter(make)
    certificates = {
        name: x509.load_der_x509_certificate(signer.certificate).public_bytes(Encoding.PEM).decode()
        for name, signer in make.signers.items()
        if name != "stranger"
    }
    (HERE / "certificates.json").write_text(json.dumps(certificates, indent=1) + "\n")
    for file, vector in make.made.items():
        text = json.dumps(vector, ensure_ascii=False, indent=1)
        (HERE / f"{file}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
