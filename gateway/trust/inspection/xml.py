"""Signatures in XML (XML-DSig, XAdES): each is held to its references, then its certificate is judged like any."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from asn1crypto import x509 as asn1_x509  # type: ignore[import-untyped]
from cryptography import x509
from lxml import etree
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from gateway.core.findings import Signature
from gateway.trust.inspection.pdf import MOST, Unreadable
from gateway.trust.inspection.signer import Court, Standing, name_of, thumbprint

_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_XADES: Final = "{http://uri.etsi.org/01903/v1.3.2#}"
_EDXML: Final = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
_MOST_CERTIFICATES: Final = 10
#: Transforms that the verifier follows; with any other it would call a good signature bad.
_KNOWN: Final = (
    "http://www.w3.org/2000/09/xmldsig#",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2006/12/xml-c14n11",
)


class _Verifier(XMLVerifier):
    """Verifies the so-many-th signature of a document: the library itself looks for one by a path alone."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def _get_signature(self, root: etree._Element) -> etree._Element:
        return list(root.iter(f"{_DS}Signature"))[self._number]


async def signatures_in(data: bytes, court: Court) -> list[Signature]:
    """Every signature of the document, in its order; raises Unreadable."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable("unreadable") from error
    if root.getroottree().docinfo.doctype:
        raise Unreadable("unsupported")
    if etree.QName(root).namespace == _EDXML:
        raise Unreadable("edxml-block")
    found = list(root.iter(f"{_DS}Signature"))
    if len(found) > MOST:
        raise Unreadable("too-many")
    return [await _one(root, number, signature, court) for number, signature in enumerate(found)]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a signature says of itself."""

    uris: tuple[str, ...]
    methods: tuple[str, ...]
    transforms: tuple[str, ...]
    certificates: tuple[asn1_x509.Certificate, ...]
    signed_at: float | None


def _read(signature: etree._Element) -> _Said:
    references = signature.findall(f"{_DS}SignedInfo/{_DS}Reference")
    methods = [*signature.iter(f"{_DS}SignatureMethod"), *signature.iter(f"{_DS}DigestMethod")]
    told = [each.text or "" for each in signature.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")]
    certificates = []
    for each in told[:_MOST_CERTIFICATES]:
        certificate = asn1_x509.Certificate.load(base64.b64decode("".join(each.split()), validate=True))
        _ = certificate.subject
        certificates.append(certificate)
    return _Said(
        tuple(each.get("URI", "") for each in references),
        tuple(each.get("Algorithm", "") for each in methods),
        tuple(each.get("Algorithm", "") for each in signature.iterfind(f"{_DS}SignedInfo//{_DS}Transform")),
        tuple(certificates),
        _moment(next(signature.iter(f"{_XADES}SigningTime"), None)),
    )


def _moment(told: etree._Element | None) -> float | None:
    try:
        at = datetime.fromisoformat((told.text or "").strip()) if told is not None else None
    except ValueError:
        return None
    return None if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


async def _one(root: etree._Element, number: int, signature: etree._Element, court: Court) -> Signature:
    try:
        said = _read(signature)
    except (binascii.Error, ValueError, TypeError):
        return Signature("invalid", "broken")
    held = _holds(root, number, said)
    if isinstance(held, Standing):
        first = said.certificates[0] if said.certificates else None
        return _told(held, first, said)
    others = [each for each in said.certificates if each is not held]
    return _told(await court.standing(held, others), held, said)


def _told(standing: Standing, certificate: asn1_x509.Certificate | None, said: _Said) -> Signature:
    return Signature(
        standing.verdict,
        standing.reason,
        signer="" if certificate is None else name_of(certificate),
        certificate="" if certificate is None else thumbprint(certificate),
        signed_at=said.signed_at,
        covers_all="" in said.uris,
    )


def _holds(root: etree._Element, number: int, said: _Said) -> Standing | asn1_x509.Certificate:
    """The certificate under whose key everything that is referred to is as it was signed; else what is wrong."""
    if any("sha1" in each or "md5" in each for each in said.methods):
        return Standing("invalid", "weak-algorithm")
    if any(uri and not uri.startswith("#") for uri in said.uris):
        return Standing("not-checked", "external")
    if any(not each.startswith(_KNOWN) for each in said.transforms):
        return Standing("not-checked", "unsupported")
    if not said.certificates:
        return Standing("unknown-signer", "no-trusted-root")
    wrong = Standing("invalid", "broken")
    for each in said.certificates:
        try:
            certificate = x509.load_der_x509_certificate(each.dump())
            # Dates are the court's: here the bytes alone are held to the key.
            at = certificate.not_valid_before_utc + timedelta(seconds=1)
            config = SignatureConfiguration(expect_references=False, verification_time=at)
            _Verifier(number).verify(root, x509_cert=certificate, expect_config=config)
        except InvalidInput:
            wrong = Standing("not-checked", "unsupported")
        except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError, LookupError):
            wrong = Standing("invalid", "broken")
        else:
            return each
    return wrong
