"""Who an agency's system is: its private key and the certificate that is registered for it."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.core.directory import read_certificate
from gateway.core.faults import Misconfigured, Text
from gateway.core.jws import Signer, default_alg, is_usable


def find_files(folder: Path, system: str) -> tuple[Path, Path]:
    """The key and certificate of ``system`` in ``folder``: ``H33.05-dms.pem`` (or ``.key``) and ``H33.05-dms.crt``.

    Raises Misconfigured where there is no such key.
    """
    stem = system.replace("/", "-")
    key = next((path for end in (".pem", ".key") if (path := folder / f"{stem}{end}").is_file()), None)
    if key is None:
        raise Misconfigured(
            str(folder / f"{stem}.pem"),
            Text(f"Không tìm thấy khoá của {system}", f"There is no key of {system}"),
            Text(
                "Hãy chỉ rõ bằng --key TỆP --cert TỆP, hoặc đặt khoá và chứng thư (.crt) vào thư mục này.",
                "Name it with --key FILE --cert FILE, or put key and certificate (.crt) into this folder.",
            ),
        )
    return key, folder / f"{stem}.crt"


def read_signer(key_path: Path, certificate_path: Path) -> Signer:
    """A signer from a PEM key and its PEM certificate; raises Misconfigured where they cannot be used together."""
    try:
        key = load_pem_private_key(key_path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(key_path, error) from None
    if not is_usable(key):
        raise _unusable(key_path, ValueError())
    try:
        certificate = read_certificate(certificate_path.read_text("utf-8"))
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise Misconfigured(
            str(certificate_path),
            Text(f"Không đọc được chứng thư ({reason})", f"The certificate cannot be read ({reason})"),
            Text(
                "Cần chứng thư PEM đã đăng ký với trục; chỉ rõ bằng --cert TỆP.",
                "It must be the PEM certificate that is registered with the bus; name it with --cert FILE.",
            ),
        ) from None
    if key.public_key() != certificate.key:
        raise Misconfigured(
            str(certificate_path),
            Text(f"Chứng thư không phải của khoá {key_path}", f"The certificate is not of the key {key_path}"),
            Text("Hãy chỉ đúng cặp bằng --key và --cert.", "Name the matching pair with --key and --cert."),
        )
    return Signer(key, default_alg(key), certificate.thumbprint)  # type: ignore[arg-type]


def _unusable(path: Path, error: Exception) -> Misconfigured:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return Misconfigured(
        str(path),
        Text(f"Không dùng được khoá này ({reason})", f"The key cannot be used ({reason})"),
        Text(
            "Cần khoá PKCS#8 PEM không mật khẩu, loại Ed25519, P-256 hoặc RSA 2048 đến 4096 bit.",
            "It must be PKCS#8 PEM without a password: Ed25519, P-256 or RSA of 2048 to 4096 bits.",
        ),
    )
