"""Signatures in CMS (PKCS #7): with their content inside, or detached from a file that lies beside."""

from __future__ import annotations

from asn1crypto import cms, core, pem  # type: ignore[import-untyped]
from pyhanko.sign.general import ValueErrorWithMessage
from pyhanko.sign.validation import async_validate_detached_cms

from gateway.core.findings import Signature
from gateway.trust.inspection.pdf import MOST, Unreadable
from gateway.trust.inspection.signer import Court, certificates_of


async def signatures_in(data: bytes, court: Court, content: bytes | None) -> list[Signature]:
    """Every signature of the file; ``content`` is the file beside it, where that is what it signs.

    Raises Unreadable: ``detached`` where it signs what is not here, ``certificates-only`` where it signs nothing.
    """
    try:
        der = pem.unarmor(data)[2] if pem.detect(data) else data
        held = cms.ContentInfo.load(der)
        if held["content_type"].native != "signed_data":
            raise Unreadable("unsupported")
        signed = held["content"]
        signers = list(signed["signer_infos"])
        inner = signed["encap_content_info"]["content"]
        is_detached = inner is core.VOID or inner.native is None
        inside = None if is_detached else bytes(inner)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unreadable("unreadable") from error
    if not signers:
        raise Unreadable("certificates-only")
    if len(signers) > MOST:
        raise Unreadable("too-many")
    if inside is None:
        if content is None:
            raise Unreadable("detached")
        inside = content
    return [await _one(signed, each, inside, court) for each in signers]


async def _one(signed: cms.SignedData, signer: cms.SignerInfo, content: bytes, court: Court) -> Signature:
    """What one of several signers vouches for: each is judged as if alone, as the library takes one at a time."""
    try:
        alone = signed.copy()
        alone["signer_infos"] = cms.SignerInfos([signer])
        alone["encap_content_info"] = {"content_type": signed["encap_content_info"]["content_type"].native}
        status = await async_validate_detached_cms(content, alone, signer_validation_context=court.context())
        others = certificates_of(signed)
    except (ValueErrorWithMessage, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Signature("invalid", "broken")
    return await court.signature(status, others, covers_all=True)
