"""A certificate authority in small, and documents that its people signed: what the inspection is to judge."""

# mypy: disable-error-code="no-untyped-call"
# The library that makes the documents tells the types of what it reads, not of all that it writes.

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asn1crypto import keys as asn1_keys  # type: ignore[import-untyped]
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, SimpleSigner, fields, sign_pdf
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

#: The moment at which everything here is judged.
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SIGNER = "Nguyễn Văn Mẫu"


@dataclass
class Person:
    """Somebody with a key and a certificate."""

    key: Any
    certificate: x509.Certificate

    @property
    def asn1(self) -> Any:
        return asn1_x509.Certificate.load(self.certificate.public_bytes(serialization.Encoding.DER))

    @property
    def asn1_key(self) -> Any:
        der = self.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return asn1_keys.PrivateKeyInfo.load(der)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        return bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


@dataclass
class Authority:
    """An authority; ``write`` puts its root and its list of revoked certificates into a province's folder."""

    name: str = "CA thử nghiệm"
    #: What its dates count from.
    now: datetime = NOW
    me: Person = field(init=False)
    revoked: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        built = _begun(name, name, key, self.now - timedelta(days=3650), self.now + timedelta(days=3650))
        usage = _usage(key_cert_sign=True, crl_sign=True)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.me = Person(key, built.add_extension(usage, critical=True).sign(key, hashes.SHA256()))

    def person(self, name: str = SIGNER, *, since: int = -300, until: int = 300, stamps: bool = False) -> Person:
        """Whom it vouches for, from and until so many days from ``now``."""
        key: Any = rsa.generate_private_key(65537, 2048) if stamps else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.COUNTRY_NAME, "VN")]
        )
        built = _begun(
            subject,
            self.me.certificate.subject,
            key,
            self.now + timedelta(days=since),
            self.now + timedelta(days=until),
        )
        built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        built = built.add_extension(_usage(digital_signature=True, content_commitment=not stamps), critical=True)
        if stamps:
            built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        built = built.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.me.key.public_key()), critical=False
        )
        return Person(key, built.sign(self.me.key, hashes.SHA256()))

    def revoke(self, person: Person) -> None:
        """For the last ten days its signature has been worth nothing."""
        self.revoked[person.certificate.serial_number] = self.now - timedelta(days=10)

    def write(self, folder: Path, *, crl: bool = True, until: int = 7) -> None:
        """Root and list, the latter in force until so many days from ``now``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.pem").write_bytes(self.me.pem())
        if crl:
            (folder / f"{self.name}.crl").write_bytes(self.crl(until=until))

    def crl(self, *, until: int = 7) -> bytes:
        """The list of revoked certificates, issued yesterday (or a week before its end)."""
        begun = min(self.now - timedelta(days=1), self.now + timedelta(days=until - 7))
        built = x509.CertificateRevocationListBuilder().issuer_name(self.me.certificate.subject)
        built = built.last_update(begun).next_update(self.now + timedelta(days=until))
        for serial, at in self.revoked.items():
            one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
            built = built.add_revoked_certificate(one.build())
        built = built.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.me.key.public_key()), critical=False
        )
        signed = built.add_extension(x509.CRLNumber(len(self.revoked) + 1), critical=False)
        return signed.sign(self.me.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _begun(subject: x509.Name, issuer: x509.Name, key: Any, since: datetime, until: datetime) -> Any:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(**given: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
        " crl_sign encipher_only decipher_only"
    ).split()
    return x509.KeyUsage(**{name: given.get(name, False) for name in names})


# ------------------------------------------------------------------------------------------------------------ documents


def a_pdf(text: str = "CONG VAN 01/VP", *, pages: int = 1) -> bytes:
    """A document of so many pages, not signed."""
    writer = PdfFileWriter()
    for number in range(pages):
        content = generic.StreamObject(stream_data=f"BT /F1 24 Tf 72 700 Td ({text} {number}) Tj ET".encode())
        font = generic.DictionaryObject(
            {
                generic.pdf_name("/Type"): generic.pdf_name("/Font"),
                generic.pdf_name("/Subtype"): generic.pdf_name("/Type1"),
                generic.pdf_name("/BaseFont"): generic.pdf_name("/Courier"),
            }
        )
        resources = generic.DictionaryObject(
            {generic.pdf_name("/Font"): generic.DictionaryObject({generic.pdf_name("/F1"): font})}
        )
        box = generic.ArrayObject(map(generic.NumberObject, (0, 0, 595, 842)))
        writer.insert_page(PageObject(contents=writer.add_object(content), media_box=box, resources=resources))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def signed_pdf(
    pdf: bytes, person: Person, *, name: str = "Signature1", stamped_by: Person | None = None, at: datetime = NOW
) -> bytes:
    """The document with one signature more; ``stamped_by`` says that it was there at ``at``."""
    signer = SimpleSigner(person.asn1, person.asn1_key, cert_registry=SimpleCertificateStore())
    meta = PdfSignatureMetadata(field_name=name, md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES)
    stamper = None if stamped_by is None else DummyTimeStamper(stamped_by.asn1, stamped_by.asn1_key, fixed_dt=at)
    out = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    with ThreadPoolExecutor(1) as apart:  # the library brings an event loop of its own
        apart.submit(sign_pdf, writer, meta, signer, timestamper=stamper, output=out).result()
    return out.getvalue()


def with_another_page(pdf: bytes) -> bytes:
    """The document with a page more, added afterwards as an update: what was signed is still there byte for byte."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    stream = generic.StreamObject(stream_data=b"BT ET")
    box = generic.ArrayObject(map(generic.NumberObject, (0, 0, 595, 842)))
    page = PageObject(contents=writer.add_object(stream), media_box=box, resources=generic.DictionaryObject())
    writer.insert_page(page)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
