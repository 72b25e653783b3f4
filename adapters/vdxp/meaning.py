"""What a FAIL of the axis means: for a document as the table of its codes says, for credentials a rest and an alarm."""

from __future__ import annotations

from typing import Final

from gateway.core.documents.axis_error import ERRORS, failure_of
from gateway.core.faults import DeliveryFailure, TransientFailure

#: How long a system whose credentials were refused is left alone (seconds).
CREDENTIALS_REST: Final = 900.0
#: Codes by which the axis says that it has a trouble itself.
_ITS_OWN: Final = frozenset({"20", "21"})
#: ErrorCode of a wrong system id or secret.
CREDENTIALS: Final = "15"


class CredentialsRefused(TransientFailure):
    """The axis does not accept who we are: nothing about the message, and nothing that time mends."""


def credentials_refused(status: int | None) -> CredentialsRefused:
    """Our own id or secret was refused: tried again rarely, until the operator puts it right."""
    meaning = ERRORS[CREDENTIALS].meaning
    return CredentialsRefused(
        f"[{CREDENTIALS}] {meaning.vi}: đơn vị vận hành cần kiểm tra system_id và secret_file - {meaning.en}:"
        " the operator of the bus must check system_id and secret_file",
        status,
        CREDENTIALS_REST,
    )


def refusal(code: str, status: int, *, attempt: int) -> DeliveryFailure:
    """What a FAIL with ``code`` means for a document at its ``attempt``."""
    return credentials_refused(status) if code == CREDENTIALS else failure_of(code, attempt=attempt, status=status)


class Declined(TransientFailure):
    """The axis answered in good order that it will not do what it was asked; nothing was out of order on the way."""


def trouble(code: str, status: int) -> TransientFailure:
    """What a FAIL means for anything else that was asked: it is asked again later, whatever the code."""
    failure = failure_of(code, attempt=1, status=status)
    kind = TransientFailure if code in _ITS_OWN else Declined
    return kind(failure.detail, status)
