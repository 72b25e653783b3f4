"""Signatures in PDF (PAdES and its elders): held to the bytes they cover, and to what was added afterwards."""

from __future__ import annotations

import io
from typing import Final

from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import enumerate_sig_fields
from pyhanko.sign.general import ValueErrorWithMessage
from pyhanko.sign.validation import EmbeddedPdfSignature, async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel

from gateway.core.findings import Signature
from gateway.trust.inspection.signer import Court, certificates_of

MOST: Final = 64
_BLANK: Final = b"\0\t\n\f\r "


class Unreadable(Exception):
    """No verdict can be given, for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def signatures_in(data: bytes, court: Court) -> list[Signature]:
    """Every signature of the file, in its order; raises Unreadable."""
    try:
        reader = PdfFileReader(io.BytesIO(data))
        if reader.encrypted and reader.decrypt("").status is AuthStatus.FAILED:
            raise Unreadable("encrypted")
        fields = [(name, field) for name, value, field in enumerate_sig_fields(reader, filled_status=True)]
    except (PdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise Unreadable("unreadable") from error
    if len(fields) > MOST:
        raise Unreadable("too-many")
    found = [await _one(data, reader, name, field.get_object(), court) for name, field in fields]
    return [each for each in found if each is not None]


async def _one(data: bytes, reader: PdfFileReader, name: str, field: object, court: Court) -> Signature | None:
    """What one signature is worth; a stamp over the whole document that holds is nobody's signature, so None."""
    try:
        embedded = EmbeddedPdfSignature(reader, field, name)  # type: ignore[arg-type]
        if embedded.sig_object_type == "/DocTimeStamp":
            stamp = await async_validate_pdf_timestamp(embedded, court.context())
            return None if stamp.intact and stamp.valid else Signature("invalid", "broken")
        status = await async_validate_pdf_signature(embedded, signer_validation_context=court.context())
        others = certificates_of(embedded.signed_data)
    except (PdfError, ValueErrorWithMessage, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Signature("invalid", "broken")
    is_last = embedded.signed_revision == reader.xrefs.total_revisions - 1
    covers_all = is_last and not data[sum(list(embedded.byte_range)[2:]) :].strip(_BLANK)
    return await court.signature(
        status, others, covers_all=covers_all, changed=_is_changed(status, covers_all=covers_all, is_last=is_last)
    )


def _is_changed(status: PdfSignatureStatus, *, covers_all: bool, is_last: bool) -> bool:
    """Whether the file says more than was signed, beyond what signing lets others add."""
    if status.coverage is None or status.coverage < SignatureCoverageLevel.ENTIRE_REVISION:
        return True
    if is_last:
        return not covers_all  # what stands behind it is no update of the document
    return not status.docmdp_ok or status.modification_level is ModificationLevel.OTHER
