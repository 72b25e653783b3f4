"""Judges a signer's certificate: who vouches for it, and whether it was in force and not revoked at a moment."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from asn1crypto import cms, x509  # type: ignore[import-untyped]
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import StandardCMSSignatureStatus, TimestampSignatureStatus
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    InsufficientRevinfoError,
    InvalidCertificateError,
    NotYetValidError,
    PathBuildingError,
    PathError,
    RevokedError,
    ValidationError,
)

from gateway.core.findings import Signature, Verdict
from gateway.trust.inspection.lists import TrustLists

_LONGEST_NAME: Final = 300
_DOCUMENTS: Final = KeyUsageConstraints(key_usage={"digital_signature", "non_repudiation"})
#: Digests that protect nothing any more.
WEAK: Final = frozenset({"sha1", "md5", "md2"})


class Standing(NamedTuple):
    """What a certificate is worth, and why."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Court:
    """Judges by these lists, as of ``now`` (seconds since 1970). Asks nobody over the network."""

    lists: TrustLists
    now: float

    def context(self, at: datetime | None = None) -> ValidationContext:
        """The library's own way to be told all that: at ``at``, which a trusted stamp vouches for, or now.

        ``require``: with ``hard-fail`` it takes a revoked certificate that names no place of a list for a good one.
        """
        return ValidationContext(
            trust_roots=self.lists.roots,
            other_certs=self.lists.helpers,
            crls=self.lists.crls,
            ocsps=(),
            allow_fetching=False,
            revocation_mode="require",
            moment=at or datetime.fromtimestamp(self.now, UTC),
            # Today's list tells, too, what was revoked before a moment of the past.
            retroactive_revinfo=at is not None,
            weak_hash_algos=WEAK,
        )

    async def standing(
        self,
        certificate: x509.Certificate,
        others: Iterable[x509.Certificate],
        at: datetime | None = None,
    ) -> Standing:
        """What ``certificate`` was worth at ``at``; ``others`` came with it and vouch for nothing by themselves."""
        validator = CertificateValidator(certificate, list(others), validation_context=self.context(at))
        try:
            if certificate.key_usage_value is not None:  # without it a key is for anything (RFC 5280, 4.2.1.3)
                _DOCUMENTS.validate(certificate)
            await validator.async_validate_usage(set())  # type: ignore[no-untyped-call]
        except PathBuildingError:
            return Standing("unknown-signer", "no-trusted-root")
        except RevokedError:
            return Standing("revoked", "certificate-revoked")
        except ExpiredError:
            return Standing("expired", "certificate-expired")
        except NotYetValidError:
            return Standing("invalid", "not-yet-valid")
        except InsufficientRevinfoError:
            return Standing("not-checked", "no-revocation-list")
        except DisallowedAlgorithmError:
            return Standing("invalid", "weak-algorithm")
        except InvalidCertificateError:
            return Standing("invalid", "usage")
        except (PathError, ValidationError):
            return Standing("invalid", "chain")
        return Standing("valid")

    async def signature(
        self,
        status: StandardCMSSignatureStatus,
        others: Iterable[x509.Certificate],
        *,
        covers_all: bool,
        changed: bool = False,
    ) -> Signature:
        """A signature whose bytes the library has held to their digests (``status``).

        ``changed``: the file was changed afterwards in a way that the signature does not allow.
        """
        stamped = _stamped_at(status.timestamp_validity)
        said = stamped or status.signer_reported_dt
        if not status.intact or not status.valid:
            standing = Standing("invalid", "changed" if status.valid else "broken")
        elif status.md_algorithm in WEAK:
            standing = Standing("invalid", "weak-algorithm")
        elif changed:
            standing = Standing("invalid", "changed")
        else:
            standing = await self.standing(status.signing_cert, others, stamped)
        return Signature(
            standing.verdict,
            standing.reason,
            signer=name_of(status.signing_cert),
            certificate=thumbprint(status.signing_cert),
            signed_at=None if said is None else said.timestamp(),
            is_stamped=stamped is not None,
            covers_all=covers_all,
        )


def _stamped_at(stamp: TimestampSignatureStatus | None) -> datetime | None:
    """When a trusted authority saw the signature; None where nobody vouches for it."""
    is_good = stamp is not None and stamp.valid and stamp.intact and stamp.trusted
    return stamp.timestamp if stamp is not None and is_good else None


def name_of(certificate: x509.Certificate) -> str:
    """Who signed, as text."""
    try:
        told = str(certificate.subject.human_friendly)
    except (ValueError, TypeError):
        return ""
    return "".join(each if each.isprintable() else "?" for each in told)[:_LONGEST_NAME]


def thumbprint(certificate: x509.Certificate) -> str:
    """The certificate's ``x5t#S256``."""
    return base64.urlsafe_b64encode(hashlib.sha256(certificate.dump()).digest()).rstrip(b"=").decode()


def certificates_of(signed: cms.SignedData) -> list[x509.Certificate]:
    """Certificates that came with a signature, as far as they can be read."""
    found = signed["certificates"]
    return [each.chosen for each in found if each.name == "certificate"] if found else []
