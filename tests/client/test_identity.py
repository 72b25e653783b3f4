"""A system's key is found by its name or named; what cannot be used is told with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.client.identity import find_files, read_signer
from gateway.config.keys import new_key_pem, self_signed
from gateway.core.directory import read_certificate
from gateway.core.faults import Misconfigured
from gateway.core.jws import PrivateKey


def pair(folder: Path, name: str, key: PrivateKey, end: str = ".pem") -> Path:
    path = folder / f"{name}{end}"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / f"{name}.crt").write_bytes(self_signed(key, name))
    return path


@pytest.mark.parametrize("end", [".pem", ".key"])
def test_a_key_is_found_by_the_name_of_its_system(tmp_path: Path, end: str) -> None:
    path = pair(tmp_path, "H33.05-dms", new_key_pem()[0], end)
    assert find_files(tmp_path, "H33.05/dms") == (path, tmp_path / "H33.05-dms.crt")


def test_a_key_that_is_not_there_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        find_files(tmp_path, "H33.05/dms")
    assert "--key" in caught.value.right.vi


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (new_key_pem()[0], "EdDSA"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (rsa.generate_private_key(65537, 2048), "PS256"),
    ],
    ids=["Ed25519", "P-256", "RSA-2048"],
)
def test_each_kind_of_key_signs_by_its_own_algorithm(tmp_path: Path, key: PrivateKey, alg: str) -> None:
    path = pair(tmp_path, "a", key)
    signer = read_signer(path, tmp_path / "a.crt")
    assert (signer.alg, signer.thumbprint) == (alg, read_certificate((tmp_path / "a.crt").read_text()).thumbprint)


def test_what_cannot_be_used_names_its_file(tmp_path: Path) -> None:
    good = pair(tmp_path, "a", new_key_pem()[0])
    other = pair(tmp_path, "b", new_key_pem()[0])
    odd = pair(tmp_path, "c", ec.generate_private_key(ec.SECP384R1()))
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for key, certificate, named in (
        (tmp_path / "none.pem", good.with_suffix(".crt"), "none.pem"),
        (junk, good.with_suffix(".crt"), "junk.pem"),
        (odd, odd.with_suffix(".crt"), "c.pem"),
        (good, tmp_path / "none.crt", "none.crt"),
        (good, junk, "junk.pem"),
        (good, other.with_suffix(".crt"), "b.crt"),
    ):
        with pytest.raises(Misconfigured) as caught:
            read_signer(key, certificate)
        assert caught.value.where.endswith(named)
