"""Ed25519: the signatures of RFC 8032, judged as OpenSSL judges them; more strictly what nobody honest makes."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ed25519 import sign, verify

#: RFC 8032, section 7.1: secret key, public key, message, signature.
RFC_8032 = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
}
#: The order of the group, and the prime of the field.
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a key of these tests").digest())
PUBLIC = KEY.public_key()
#: Every point of small order, in each spelling that a lax reader takes.
SMALL = [
    *((y | sign_bit << 255).to_bytes(32, "little") for y in (0, 1, PRIME - 1, PRIME, PRIME + 1) for sign_bit in (0, 1)),
    *(
        bytes.fromhex(point)
        for point in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        )
    ),
]

#: A key with a part of order 4, under which every fourth message or so verifies, and a signature whose point has a part
#: of order 8, which is good to those alone who multiply both sides by 8.
ODD = [
    (
        "431b63e53ab45e6506ea9ee7f603366b7370a68f7465f3fda4ffd99dbef0f7d6",
        b"8",
        (
            "f87a22889707d326b221b2dba4102625f99227c2febe06664c8d9409eb213e21"
            "eaed804b049cae59f73359a73ac8551662b16343538b70cce16db9bab7bda405"
        ),
        True,
    ),
    (
        "431b63e53ab45e6506ea9ee7f603366b7370a68f7465f3fda4ffd99dbef0f7d6",
        b"0",
        (
            "f87a22889707d326b221b2dba4102625f99227c2febe06664c8d9409eb213e21"
            "ce4f3b87c41ce2a77be7912fc27ed149848eda9325eaaf8e4a8afc39e080470a"
        ),
        False,
    ),
    (
        "f27cb81402e6860c926ff81f393d14340e41a70bc0b0195cf64a90b348cb2fc4",
        b"m",
        (
            "fb15ddd1cd7684fa60e25fe9df39afdc2b12d6908402179723b4d66311f8694a"
            "92ee07d3ed5011251f2fa481fef1c090d03fb3cc7f88e11132a329129a55c604"
        ),
        False,
    ),
]


def openssl_takes(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("name", RFC_8032)
def test_the_vectors_of_the_standard_are_signed_and_verified(name: str) -> None:
    secret, public, message, signature = (bytes.fromhex(text) for text in RFC_8032[name])
    key = Ed25519PrivateKey.from_private_bytes(secret)
    assert key.public_key().public_bytes_raw() == public
    assert sign(key, message) == signature
    assert verify(Ed25519PublicKey.from_public_bytes(public), signature, message)


@given(st.binary(max_size=300), st.integers(0, 511), st.binary(min_size=1, max_size=300))
def test_a_signature_and_each_damaged_one_are_judged_as_openssl_judges_them(
    message: bytes, bit: int, other: bytes
) -> None:
    signature = KEY.sign(message)
    assert sign(KEY, message) == signature
    damaged = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
    for each, said in ((signature, message), (damaged, message), (signature, other), (signature, message + other)):
        assert verify(PUBLIC, each, said) == openssl_takes(PUBLIC, each, said)


@given(st.binary(max_size=50))
def test_a_second_form_of_a_good_signature_is_refused(message: bytes) -> None:
    signature = sign(KEY, message)
    larger = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(PUBLIC, signature[:32] + larger.to_bytes(32, "little"), message)


@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 128])
def test_a_signature_of_another_length_is_refused_without_an_error(length: int) -> None:
    assert not verify(PUBLIC, (sign(KEY, b"") + bytes(64))[:length], b"")
    assert not verify(PUBLIC, bytes(length), b"message")


@pytest.mark.parametrize("point", SMALL, ids=bytes.hex)
def test_a_key_or_a_point_of_small_order_signs_nothing(point: bytes) -> None:
    zero = (0).to_bytes(32, "little")
    for message in (b"%d" % number for number in range(16)):  # OpenSSL takes some of these
        assert not verify(Ed25519PublicKey.from_public_bytes(point), point + zero, message)
        assert not verify(PUBLIC, point + zero, message)


@pytest.mark.parametrize(("key", "message", "signature", "is_good"), ODD)
def test_a_key_or_a_point_with_a_small_part_is_judged_as_openssl_judges_it(
    key: str, message: bytes, signature: str, is_good: bool
) -> None:
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    assert verify(public, bytes.fromhex(signature), message) is is_good
    assert openssl_takes(public, bytes.fromhex(signature), message) is is_good
