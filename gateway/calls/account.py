"""What each account at another program needs: its secret, read at the moment of use, and what a status means to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.calls.caller import Answer
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, Text, TransientFailure

REFUSED: Final = (
    "tài khoản bị từ chối: đơn vị vận hành trục cần sửa tài khoản hoặc khoá rồi mở lại hàng chờ - the account is"
    " refused: the operator of the bus must mend it and release the queue"
)
_REFUSED: Final = frozenset({401, 403})
_TOO_LARGE: Final = 413
#: The shortest secret by which anybody may log in to the bus itself (characters).
SHORTEST: Final = 16
#: How long whoever logs in with a wrong one waits for the answer, whatever was wrong (seconds).
WRONG_LOGIN: Final = 0.2


def secret_in(file: str, read_secret: Callable[[str], bytes]) -> str:
    """The secret in a file, as header fields can hold it; raises TransientFailure naming the file alone."""
    try:
        secret = read_secret(file).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not secret or not secret.isprintable():
        raise TransientFailure(f"the secret in {file} cannot be read; the operator must mend the file")
    return secret


def check_long_enough(file: str, read_secret: Callable[[str], bytes], where: str) -> None:
    """Raises Misconfigured naming ``where`` for a secret that can be guessed; one that cannot be read is told later."""
    try:
        secret = secret_in(file, read_secret)
    except TransientFailure:
        return
    if len(secret) < SHORTEST:
        raise Misconfigured(
            where,
            Text(
                f"Khoá trong {file} ngắn hơn {SHORTEST} ký tự", f"The secret in {file} is under {SHORTEST} characters"
            ),
            Text(
                f"Đặt khoá ngẫu nhiên từ {SHORTEST} ký tự và báo cho đơn vị gọi cửa này.",
                f"Make a random one of at least {SHORTEST} characters, and tell it to whoever calls this door.",
            ),
        )


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
