"""Private keys and certificates as files: read, made, matched; with words for whoever must mend them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from gateway.config.documents import read_text
from gateway.core.directory import Certificate, read_certificate
from gateway.core.faults import Misconfigured, Text
from gateway.core.jws import PrivateKey, PublicKey, is_usable

#: Self-signed certificates that init and apply make last ten years: they are trusted by registration alone.
LIFETIME: Final = timedelta(days=3652)
_USABLE: Final = Text("Ed25519, P-256 hoặc RSA 2048 đến 4096 bit", "Ed25519, P-256 or RSA of 2048 to 4096 bits")


def read_key(path: Path, shown: str) -> PrivateKey:
    """The private key in a PKCS#8 PEM file; raises Misconfigured where it is missing, broken or of a wrong kind."""
    if not is_there(path):
        raise Misconfigured(
            shown,
            Text("Thiếu tệp khoá bí mật", "The private key file is missing"),
            Text(
                "Hãy khôi phục tệp từ bản sao lưu hoặc sửa đường dẫn; tạo khoá mới bằng:"
                f" openssl genpkey -algorithm ed25519 -out {shown}",
                "Restore it from the backup or mend the path; make a new key with:"
                f" openssl genpkey -algorithm ed25519 -out {shown}",
            ),
        )
    text = read_text(path, shown)
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Misconfigured(
            shown,
            Text("Tệp không phải khoá bí mật PKCS#8 PEM không mật khẩu", "Not a PKCS#8 PEM key without a password"),
            Text(
                f"Hãy chuyển đổi bằng: openssl pkcs8 -topk8 -nocrypt -in CŨ -out {shown}",
                f"Convert it with: openssl pkcs8 -topk8 -nocrypt -in OLD -out {shown}",
            ),
        ) from None
    if not is_usable(key):
        raise Misconfigured(
            shown,
            Text("Loại khoá này không dùng được", "This kind of key cannot be used"),
            Text(f"Phải là khoá {_USABLE.vi}.", f"It must be {_USABLE.en}."),
        )
    return key  # type: ignore[return-value]


def read_certificate_file(path: Path, shown: str) -> Certificate:
    """The certificate in a PEM file; raises Misconfigured where it is missing, broken or of an unusable key."""
    if not is_there(path):
        raise Misconfigured(
            shown,
            Text("Thiếu tệp chứng thư", "The certificate file is missing"),
            Text(
                "Hãy xin chứng thư của cơ quan (tệp PEM) rồi đặt vào đúng chỗ, hoặc sửa đường dẫn.",
                "Ask the agency for its certificate (PEM) and put it there, or mend the path.",
            ),
        )
    text = read_text(path, shown)
    try:
        return read_certificate(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        is_key = "the key is none of" in str(error)
        raise Misconfigured(
            shown,
            Text("Khoá trong chứng thư thuộc loại không dùng được", "The certificate's key is of an unusable kind")
            if is_key
            else Text("Tệp không phải chứng thư X.509 dạng PEM", "Not an X.509 certificate in PEM"),
            Text(f"Khoá phải là {_USABLE.vi}.", f"The key must be {_USABLE.en}.")
            if is_key
            else Text(
                f"Nếu tệp dạng DER, hãy chuyển đổi: openssl x509 -inform der -in CŨ -out {shown}",
                f"If it is DER, convert it: openssl x509 -inform der -in OLD -out {shown}",
            ),
        ) from None


def is_there(path: Path) -> bool:
    """Whether something is at ``path``; also where that cannot be told, as reading it then tells why."""
    try:
        return path.exists()
    except OSError:
        return True


def is_pair(key: PrivateKey, certificate: Certificate) -> bool:
    """Whether the certificate speaks of this key."""
    return _spki(key.public_key()) == _spki(certificate.key)


def not_a_pair(certificate: str, key: str) -> Misconfigured:
    """The fault where a certificate speaks of another key."""
    return Misconfigured(
        certificate,
        Text(f"Chứng thư không phải của khoá {key}", f"The certificate is not of the key {key}"),
        Text(
            "Hãy đặt đúng cặp khoá và chứng thư cạnh nhau.",
            "Put key and certificate of one pair in place.",
        ),
    )


def new_key_pem() -> tuple[ed25519.Ed25519PrivateKey, bytes]:
    """A new Ed25519 key and its PKCS#8 PEM."""
    key = ed25519.Ed25519PrivateKey.generate()
    return key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def self_signed(key: PrivateKey, name: str, *, now: datetime | None = None) -> bytes:
    """A self-signed certificate (PEM) with subject ``CN=name``, valid from a day ago for ten years."""
    now = datetime.now(UTC) if now is None else now
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, digest)
    )
    return made.public_bytes(Encoding.PEM)


def write_new(path: Path, content: bytes, *, mode: int) -> None:
    """A new file with exactly these permissions, on disk when this returns; raises FileExistsError where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
