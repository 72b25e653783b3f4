"""What the bus says about itself: one JSON object a line on stderr, fixed event names, counters for Prometheus.

A log line never holds a message's data, a token or a key: fields that could are removed by name, and an
exception is told by its type and the places it passed, never by its text.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO, cast

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

#: Every event name a log line may carry, and when it is written.
EVENTS: Final[dict[str, str]] = {
    "gateway.started": "it listens, accepts and delivers",
    "gateway.stopping": "it was asked to stop and finishes what it began",
    "gateway.stopped": "nothing runs any more",
    "worker.died": "a process of the gateway ended by itself; another one takes its place",
    "worker.silent": "a process of the gateway gave no sign of life for long and was ended",
    "worker.not-started": "a worker could not be started; it is tried again after a rest",
    "worker.not-renewed": "a new process did not become ready, so the old ones stay",
    "workers.renewed": "every process of the gateway was replaced by a new one, as SIGHUP asks",
    "registry.changed": "another version of the registry is in force",
    "law.changed": "the province's own rules and holidays were read anew and are in force",
    "law.unreadable": "the province's own rules and holidays hold a mistake; the last good ones stay in force",
    "keyring.unwritable": "today's certificate could not be put beside the older ones; keep it when replacing the key",
    "registry.unreadable": "a new version of the registry cannot be used; the last good one stays in force",
    "request.answered": "a request was answered: its door, its status, how long it took",
    "request.failed": "a request met something unforeseen; the answer carries the same reference",
    "delivery.attempted": "one try of one delivery ended, with everything about it",
    "delivery.suspected": "its tries ended with the gateway, again and again: tried apart from others, or given up",
    "destination.held": "a destination was put on hold",
    "destination.down": "a destination failed in a row; one delivery probes it now",
    "destination.back": "a destination answers again after an outage",
    "broker.connected": "announcements reach the other gateways through RabbitMQ",
    "broker.away": "RabbitMQ cannot be used now; this gateway looks for itself until it is back, and loses nothing",
    "broker.parked": "a message at RabbitMQ could not be read, or was given out too often; it lies in lgsp.parking",
    "broker.remade": "a queue at RabbitMQ no longer answered and was deleted and made anew; nothing is lost by that",
    "broker.differs": "a queue at RabbitMQ was made otherwise than this version makes it; it is used as it is",
    "failures.waiting": "deliveries died, are stuck or are not fetched, by group; again each day while they stay",
    "item.collected": "a message was fetched from a system that cannot send",
    "item.received": "a message came by a call of a system's own software to its door",
    "item.refused": "something fetched or handed in can never become a message, and why",
    "item.known": "something fetched or handed in is a document that all it is for were sent before",
    "status.unmatched": "a status has waited too long for the document that it reports on; nobody waits any longer",
    "collect.failed": "a system that cannot send could not be asked",
    "collect.silent": "a system that cannot send could not be asked for 15 minutes; again each day while that lasts",
    "collect.back": "a system of which collect.silent told can be asked again",
    "axis.credentials-refused": "the document axis refuses our own id or secret: nothing goes either way until mended",
    "axis.item-left": "something the document axis lists could not be fetched or settled, and is tried again later",
    "visit.failed": "a system's adapter could not answer a call to its door; the caller was told to come again",
    "adapter.failed": "an adapter raised something it should not have",
    "adapter.not-closed": "an adapter did not let go in time",
    "receipt.wrong": "a recipient's own receipt does not fit what was handed over",
    "operation.ended": "a replay or discard of many deliveries was done, or stopped because too many failed",
    "outcome.told": "an outcome message went to the sender",
    "document.words": "a document in the open holds words that may betray a secret: which rule, where; never the text",
    "document.late": "a document came to the bus after it had to be sent, by which rule",
    "duty.reminded": "an agency was reminded of what it owes for a document, or those above it were told",
    "duty.undelivered": "an issuer was told that its document has not reached an agency in time",
    "dossier.overdue": "a deadline of a dossier was passed: whose, of which hop; told once",
    "manifest.differs": "what a system and the bus say of a day differs: direction, contract, how many of a kind",
    "manifest.not-fetched": "a system that can be asked for its side of a day could not tell it",
    "register.claimed": "a system told of an item of a register first: it is its provider from now on",
    "register.second-provider": "another system told of an item that has a provider: refused until an approver decides",
    "query.ended": "a query was answered, had no answer, or was not answered: who asked whom, and the outcome",
    "payment.date-unproven": "a bank's notices are taken though their checksum does not cover when they were paid",
    "query.failed": "a provider did not answer a query, or not as its contract says; the kind of failure alone",
    "upload.kept": "a file came whole; the system that uploaded it may name it",
    "upload.refused": "a file came whole, but is not the one that was announced; it was dropped",
    "uploads.swept": "uploads that were given up before they were whole were forgotten",
    "request.ended": "what a late subscriber missed was delivered as far as it is due, or the request was cancelled",
    "file.inspected": "a file was looked into for signatures: its kind, the verdict and how long it took",
    "file.refused": "the scanner found malware in a file; nothing of it was kept",
    "scanner.away": "clamd could not be asked about a file",
    "inspection.away": "the process that looks into files could not be started",
    "inspection.ended": "the process that looks into files was ended over one of them, and why",
    "files.swept": "files that no message names were forgotten",
    "retention.applied": "what is older than [retention] allows was removed from the ledger, how many and which months",
    "directory.proposed": "a source of agencies gives another list than the one in force; it waits for an approver",
    "directory.not-fetched": "a system that keeps a list of agencies could not be asked; it is asked again later",
    "step.failed": "a recurring step met something unforeseen and will run again",
    "store.failed": "the ledger could not do what it was asked",
    "store.house-not-kept": "the database's own upkeep (numbers of the journal, months) failed and is tried again",
    "store.write-failed": "the database could not write; every caller concerned is told",
    "library.said": "a warning from a library",
}

#: Names of fields whose value must never reach a log.
_REMOVED: Final = frozenset(
    "data envelope body payload authorization token access_token client_assertion client_secret secret key"
    " private_key password assertion cookie".split()
)
_FRAMES: Final = 12

#: The logger of the whole house. Bind fields at the call: ``log.info("delivery.attempted", delivery_id=...)``.
log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def set_up(*, level: str = "info", stream: TextIO | Gathering | None = None, for_good: bool = False) -> None:
    """Send every log line from ``level`` up as one JSON object to ``stream`` (stderr by default).

    What libraries log through ``logging`` comes as ``library.said`` from warnings up, in the same form.
    ``for_good`` says that this process will not be set up again: loggers need not look for a change.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            without_secrets,
            exception_without_text,
            as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream or sys.stderr)),
        cache_logger_on_first_use=for_good,
    )
    root = logging.getLogger()
    root.handlers = [_FromLibraries()]
    root.setLevel(logging.WARNING)


class Gathering:
    """A stream that writes what came within a moment at once: under load, lines come faster than writing pays.

    Lines of another thread, or of a time without an event loop, are written at once, with all that came before.
    """

    #: Seconds that a line may wait.
    MOMENT: Final = 0.05
    #: What the system writes whole into a pipe that several processes share (bytes).
    WHOLE: Final = 4096

    def __init__(self, stream: TextIO, *, shared: bool = False) -> None:
        """``stream`` takes the lines in the end; :meth:`close` writes the last ones.

        ``shared``: other processes write there, too, so no more is written at once than stays in one piece.
        """
        self._stream = stream
        self._most = self.WHOLE if shared else None
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._is_awaited = False

    def write(self, line: str) -> None:
        """Take a line."""
        with self._lock:
            self._lines.append(line)

    def flush(self) -> None:
        """Write soon; at once where nobody would come back to it."""
        if self._is_awaited and threading.current_thread() is threading.main_thread():
            return
        try:
            asyncio.get_running_loop().call_later(self.MOMENT, self.close)
        except RuntimeError:
            self.close()
        else:
            self._is_awaited = True

    def close(self) -> None:
        """Write everything now."""
        self._is_awaited = False
        with self._lock:
            lines, self._lines = self._lines, []
            for text in _gathered(lines, self._most):
                self._stream.write(text)
                self._stream.flush()


def _gathered(lines: Sequence[str], most: int | None) -> Iterator[str]:
    """The lines in as few texts as may be, each of ``most`` bytes at most unless one line is longer."""
    if most is None:
        yield from ["".join(lines)] if lines else []
        return
    text, size = "", 0
    for line in lines:
        length = len(line.encode())
        if text and size + length > most:
            yield text
            text, size = "", 0
        text += line
        size += length
    if text:
        yield text


def without_secrets(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line with the values of telling fields removed; the field stays, so that the mistake is seen."""
    for name in _REMOVED & line.keys():
        line[name] = "[removed]"
    return line


def exception_without_text(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """``exc_info`` as the exception's type and the places it passed: its text may quote a message."""
    given = line.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        line["exception"] = f"{type(error).__module__}.{type(error).__qualname__}"
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        line["passed"] = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return line


def _short(filename: str) -> str:
    return "/".join(Path(filename).parts[-3:])


def as_json(_: Any, __: str, line: MutableMapping[str, Any]) -> str:
    """The line as one JSON object; what JSON does not know is written as its text."""
    try:
        return orjson.dumps(line, default=str).decode()
    except orjson.JSONEncodeError:  # a number beyond 64 bits, half a character from a library
        return json.dumps(line, separators=(",", ":"), default=str)


class _FromLibraries(logging.Handler):
    """Turns a library's record into a line of ours, without its exception's text."""

    def emit(self, record: logging.LogRecord) -> None:
        told = {"library": record.name, "said": record.getMessage()[:500]} if not record.exc_info else {
            "library": record.name, "said": str(record.msg)[:200], "exc_info": record.exc_info
        }  # fmt: skip
        log.log(record.levelno, "library.said", **told)


# ------------------------------------------------------------------------------------------------- counters

REGISTRY: Final = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)

REQUESTS: Final = Counter(
    "lgsp_requests", "Requests answered, by door, method and status", ["door", "method", "status"], registry=REGISTRY
)
REQUEST_SECONDS: Final = Histogram(
    "lgsp_request_seconds",
    "Seconds from a request's header to its answer, by door",
    ["door"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
MESSAGES: Final = Counter(
    "lgsp_messages",
    "Envelopes judged at the front door, by outcome (accepted, repeated, or a problem's name)",
    ["outcome"],
    registry=REGISTRY,
)
ATTEMPTS: Final = Counter(
    "lgsp_attempts", "Attempts to deliver, by recipient and outcome", ["recipient", "outcome"], registry=REGISTRY
)
ATTEMPT_SECONDS: Final = Histogram(
    "lgsp_attempt_seconds",
    "Seconds an attempt to deliver took",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
FAILURES: Final = Gauge(
    "lgsp_failures",
    "Deliveries that are dead, stuck (also: not fetched for long) or held, by the largest groups; see lgsp failed",
    ["recipient", "contract", "kind", "error"],
    registry=REGISTRY,
)
UNCOLLECTED: Final = Gauge(
    "lgsp_uncollected_seconds",
    "Seconds for which a system that the bus collects from could not be asked; absent where it can",
    ["system"],
    registry=REGISTRY,
)
WORDS: Final = Counter(
    "lgsp_document_words",
    "Documents in which words were met that may betray a secret, by rule",
    ["rule"],
    registry=REGISTRY,
)
LATE: Final = Counter(
    "lgsp_documents_late", "Documents that came after they had to be sent, by rule", ["rule"], registry=REGISTRY
)
REMINDERS: Final = Counter(
    "lgsp_reminders",
    "Reminders about documents, by rule and level (0: to the issuer, not delivered)",
    ["rule", "level"],
    registry=REGISTRY,
)
DOSSIERS_OVERDUE: Final = Counter(
    "lgsp_dossiers_overdue",
    "Deadlines of dossiers that were passed (what: the whole dossier, or one agency's part)",
    ["what"],
    registry=REGISTRY,
)
for _what in ("dossier", "hop"):  # of a series that begins at one, Prometheus sees no increase
    DOSSIERS_OVERDUE.labels(_what)
MANIFEST_GAPS: Final = Gauge(
    "lgsp_manifest_gaps", "Messages that the bus and a system do not both have, or nobody dealt with, by kind",
    ["system", "kind"], registry=REGISTRY,
)  # fmt: skip
QUERIES: Final = Counter(
    "lgsp_queries", "Queries asked, by contract and outcome (answered, empty, failed)", ["contract", "outcome"],
    registry=REGISTRY,
)  # fmt: skip
BODIES: Final = Gauge("lgsp_request_body_bytes", "Bytes of request bodies held in memory now", registry=REGISTRY)
BROKER_AWAY: Final = Gauge(
    "lgsp_broker_away", "1 while RabbitMQ cannot be used and this gateway looks for itself", registry=REGISTRY
)
PARKED: Final = Gauge("lgsp_broker_parked", "Messages in RabbitMQ's queue lgsp.parking", registry=REGISTRY)
PARKINGS: Final = Counter(
    "lgsp_broker_parkings",
    "Messages that this gateway laid into lgsp.parking, by reason (unreadable, redelivered)",
    ["reason"],
    registry=REGISTRY,
)
