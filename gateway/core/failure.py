"""Why a delivery failed or is stuck, as a class, a stable fingerprint and words: failures alike fall into one group.

The fingerprint of a failure does not change with what differs between two deliveries that failed alike: ids, numbers,
times and addresses in what the far side said are masked. It does change with destination, contract, class and cause,
so that whoever acts on a group acts on one thing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.explanations import EXPLANATIONS, Explanation

#: A queued delivery counts as stuck after so many failed attempts, or after so long (seconds); a leased one when its
#: lease ended so long ago and nobody took it back.
STUCK_ATTEMPTS: Final = 5
STUCK_AFTER: Final = 3600.0
STUCK_LEASE: Final = 60.0
#: Characters of a text that count.
_LONGEST: Final = 200

Kind = Literal["dead", "stuck", "held"]


@dataclass(frozen=True, slots=True)
class Symptom:
    """What is known of one failed delivery: why the bus gave up (``cause``), and how its last attempt ended.

    ``cause`` is ``refused``, ``deadline``, ``attempts``, or None while it is not dead. ``outcome`` is that of the
    attempt (``refused``, ``failed``, ``timeout``, ``lapsed``), None where there was none.
    """

    recipient: str
    contract: str
    cause: str | None = None
    outcome: str | None = None
    status: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A symptom understood: the name of its class, the text that is alike, and the fingerprint (12 hex digits)."""

    error: str
    text: str
    fingerprint: str


def diagnose(symptom: Symptom, *, error: str | None = None) -> Diagnosis:
    """What a failure is; ``error`` where the class is known otherwise (``held``, ``behind-dead``, …)."""
    named = error or error_class(symptom)
    text = normalised(symptom.detail or "")
    parts = (symptom.recipient, symptom.contract, named, symptom.cause or "", text)
    digest = hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return Diagnosis(named, text, digest[:12])


def stuck_class(symptom: Symptom, *, is_pulled: bool, is_tried: bool) -> str | None:
    """The class of a queued delivery that is stuck where its last attempt does not say it; None where it does."""
    if symptom.outcome == "lapsed" or (symptom.outcome is not None and is_tried):
        return None
    return "unfetched" if is_pulled else "waiting"


# ------------------------------------------------------------------------------------------------- classes

#: Status of the far side (RFC 9110) -> class, for what was not refused for good.
_OF_STATUS: Final = {
    401: "unauthorised", 403: "unauthorised", 407: "unauthorised", 404: "not-found", 405: "not-found",
    408: "timeout", 410: "gone", 425: "busy", 429: "busy", 503: "busy",
}  # fmt: skip
_REFUSED: Final = {413: "too-large", 415: "unsupported"}
#: What is refused for good before the far side was asked.
_BY_WORDS_ALONE: Final = frozenset({"untranslatable", "unwritable", "too-large", "signature"})
#: What an attempt without a status said -> class; the first that fits.
_OF_WORDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), error)
    for pattern, error in (
        (r"^signature: (invalid|revoked|unknown-signer|expired|unsigned|not-checked)\b", "signature"),
        (r"gateway ended during", "poison"),
        (r"no rules lead|rules from .* give invalid data", "untranslatable"),
        (r"no longer registered", "unregistered"),
        (r"cannot say|unwritable|attachments make a file", "unwritable"),
        (r"reads no message over", "too-large"),
        (r"queue takes no more", "queue-full"),
        (r"rabbitmq|recipient's queue|queue .* declared", "broker"),
        (r"spool", "file-damaged"),
        (r"folder|file .* cannot be", "folder"),
        (r"dns|name or service|resolve|not known|nodename", "name-unknown"),
        (r"certificate|ssl|tls", "tls"),
        (r"not allowed|forbidden address|link-local|own listener|private", "address-refused"),
        (r"refused|connectorerror|cannot connect|unreachable|no route", "connection-refused"),
        (r"timed? ?out|no answer", "timeout"),
        (r"disconnected|reset|broken|closed|payload|oserror|connection failed", "connection-broken"),
        (r"fetches its messages itself", "unfetched"),
        (r"unforeseen", "unforeseen"),
    )
)


def error_class(symptom: Symptom) -> str:
    """The class of a failure: a key of :data:`gateway.core.explanations.EXPLANATIONS`."""
    match symptom.outcome:
        case None:
            return symptom.cause if symptom.cause in EXPLANATIONS else "unknown"
        case "refused":
            found = _REFUSED.get(symptom.status or 0)
            by_words = _by_words(symptom.detail) if symptom.status is None else None
            return found or (by_words if by_words in _BY_WORDS_ALONE else None) or "refused"
        case "timeout":
            return "timeout"
        case "lapsed":
            return "lapsed"
        case _:
            if symptom.status is None:
                return _by_words(symptom.detail) or "unknown"
            return _OF_STATUS.get(symptom.status) or _by_hundreds(symptom.status)


def _by_hundreds(status: int) -> str:
    return {3: "redirected", 5: "server-error"}.get(status // 100, "odd-answer")


def _by_words(detail: str | None) -> str | None:
    return next((error for pattern, error in _OF_WORDS if detail and pattern.search(detail)), None)


def explained(error: str) -> Explanation:
    """What a class means and what to do next, in both languages; for a class of a later version, that of unknown."""
    return EXPLANATIONS.get(error, EXPLANATIONS["unknown"])


# ---------------------------------------------------------------------------------------------------- text

_MASKS: Final = tuple(
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "<id>"),
        (r"\[[0-9A-Fa-f:.%]*:[0-9A-Fa-f:.%]*\](?::\d+)?", "<address>"),
        (r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?)?", "<time>"),
        (r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?![\d.:])", "<time>"),
        (r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>]+", "<address>"),
        (r"[^\s<>@]+@[^\s<>@]+", "<address>"),
        (r"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?", "<address>"),
        (r"(?<![^\W_])(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[0-9A-Za-z_-]{16,}", "<id>"),
        (r"(?<![^\W_])(?=[A-Fa-f]*\d)(?=\d*[A-Fa-f])[0-9A-Fa-f]{8,}(?![^\W_])", "<id>"),
        (r"\d+(?:[.,:]\d+)*", "<n>"),
    )
)


def normalised(text: str) -> str:
    """``text`` with ids, times, addresses and numbers masked, blanks made one, cut to 200 characters.

    No digit is left, and what is normalised stays as it is when normalised again.
    """
    shown = " ".join(text.split())
    for pattern, mask in _MASKS:
        shown = pattern.sub(mask, shown)
    return shown[:_LONGEST].rstrip()
