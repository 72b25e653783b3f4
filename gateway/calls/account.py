"""What each account at another program needs: its secret, read at the moment of use, and what a status means to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.calls.caller import Answer
from gateway.core.faults import DestinationGone, PermanentFailure, TransientFailure

REFUSED: Final = (
    "tài khoản bị từ chối: đơn vị vận hành trục cần sửa tài khoản hoặc khoá rồi mở lại hàng chờ - the account is"
    " refused: the operator of the bus must mend it and release the queue"
)
_REFUSED: Final = frozenset({401, 403})
_TOO_LARGE: Final = 413


def secret_in(file: str, read_secret: Callable[[str], bytes]) -> str:
    """The secret in a file, as header fields can hold it; raises TransientFailure naming the file alone."""
    try:
        secret = read_secret(file).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not secret or not secret.isprintable():
        raise TransientFailure(f"the secret in {file} cannot be read; the operator must mend the file")
    return secret


def succeeded(answer: Answer, now: float) -> Answer:
    """``answer`` where its status is a success; ``now`` is seconds since 1970.

    Raises DestinationGone where the account is refused, PermanentFailure where the file is too large, else
    TransientFailure with the wish that the far side may have.
    """
    if answer.is_success:
        return answer
    if answer.status in _REFUSED:
        raise DestinationGone(REFUSED, answer.status)
    if answer.status == _TOO_LARGE:
        raise PermanentFailure("the far side finds the file too large (413)", answer.status)
    wish = answer.retry_after(now)
    raise TransientFailure(f"the far side answered with status {answer.status}", answer.status, wish)
