"""Client secrets are kept as salted scrypt hashes, operators' tokens as SHA-256."""

from __future__ import annotations

import hashlib
import re

import pytest

from gateway.config.secret import hash_secret, hash_token, is_secret


def test_a_hash_is_salt_and_digest_in_hex_and_fits_its_secret_alone() -> None:
    stored = hash_secret(b"mat-khau")
    assert re.fullmatch(r"[0-9a-f]{32}\$[0-9a-f]{64}", stored)
    assert is_secret(stored, b"mat-khau")
    assert not is_secret(stored, b"mat-khau ")


def test_the_same_secret_never_makes_the_same_hash_twice() -> None:
    assert hash_secret(b"mat-khau") != hash_secret(b"mat-khau")


def test_the_hash_is_scrypt_as_the_registry_promises() -> None:
    salt, _, digest = hash_secret(b"mat-khau", bytes(16)).partition("$")
    assert salt == "00" * 16
    assert digest == hashlib.scrypt(b"mat-khau", salt=bytes(16), n=2**14, r=8, p=1, dklen=32).hex()


@pytest.mark.parametrize("stored", ["", "$", "xx$yy", "00$", "00" * 16])
def test_a_broken_hash_fits_nothing(stored: str) -> None:
    assert not is_secret(stored, b"mat-khau")


def test_a_token_is_kept_as_its_digest() -> None:
    assert hash_token("abc") == hashlib.sha256(b"abc").hexdigest()
