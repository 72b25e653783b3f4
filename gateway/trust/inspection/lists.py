"""Whom the province trusts to vouch for signers: roots and lists of revoked certificates, read from its folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from asn1crypto import crl, pem, x509  # type: ignore[import-untyped]

#: A file larger than this is no certificate and no list (bytes).
LARGEST: Final = 128 * 2**20
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class TrustLists:
    """Files below ``folder`` that patterns name; read again when any of them changes. Unreadable ones are left out.

    A certificate that signs itself is a root; any other only helps to find the way to one.
    """

    folder: Path
    root_patterns: Sequence[str]
    crl_patterns: Sequence[str]
    roots: list[x509.Certificate] = field(default_factory=list)
    helpers: list[x509.Certificate] = field(default_factory=list)
    crls: list[crl.CertificateList] = field(default_factory=list)
    #: 12 hex digits of the SHA-256 over all files.
    digest: str = ""
    _stamp: _Stamp | None = None

    def refresh(self) -> None:
        """Look at the files as they are now."""
        roots, lists = _found(self.folder, self.root_patterns), _found(self.folder, self.crl_patterns)
        stamp = tuple(_stamps([*roots, *lists]))
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self.roots, self.helpers, self.crls = [], [], []
        hashed = hashlib.sha256()
        for path in roots:
            for der in _parts(path, hashed):
                try:
                    certificate = x509.Certificate.load(der)
                    is_root = certificate.self_issued
                except (ValueError, TypeError):
                    continue
                (self.roots if is_root else self.helpers).append(certificate)
        for path in lists:
            for der in _parts(path, hashed):
                try:
                    revoked = crl.CertificateList.load(der)
                    _ = revoked.issuer.hashable
                except (ValueError, TypeError):
                    continue
                self.crls.append(revoked)
        self.digest = hashed.hexdigest()[:12]


def _found(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def _stamps(paths: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue
        yield str(path), found.st_mtime_ns, found.st_size


def _parts(path: Path, hashed: hashlib._Hash) -> Iterator[bytes]:
    """What a file holds, in DER."""
    try:
        if path.stat().st_size > LARGEST:
            return
        data = path.read_bytes()
    except OSError:
        return
    hashed.update(hashlib.sha256(data).digest())
    if not pem.detect(data):
        yield data
        return
    try:
        for _, _, der in pem.unarmor(data, multiple=True):
            yield der
    except ValueError:
        return
