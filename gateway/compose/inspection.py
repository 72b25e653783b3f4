"""What looks at files, put together: the book of findings, the process apart, clamd, and what the province wants."""

from __future__ import annotations

from collections.abc import Callable

from gateway.compose.choices import findings_book_of
from gateway.config.settings import Settings
from gateway.core.directory import Directory
from gateway.ports import Clock, Ledger, Spool
from gateway.relay.clock import SystemClock
from gateway.relay.inspect import FileRules, Inspect
from gateway.trust.inspection.process import Bounds, SideProcess
from gateway.trust.scanning import Clamd


def inspect_on(
    settings: Settings,
    ledger: Ledger,
    spool: Spool,
    directory: Callable[[], Directory],
    clock: Clock | None = None,
) -> Inspect:
    """The step over an opened ledger; its examiner is to be closed."""
    checks = settings.checks
    bounds = Bounds(checks.size, checks.seconds, checks.memory)
    return Inspect(
        findings_book_of(ledger),
        SideProcess(settings.folder, settings.trust_roots, settings.trust_crls, bounds),
        Clamd(checks.clamd, checks.scan_seconds) if checks.clamd else None,
        spool,
        ledger,
        directory,
        clock or SystemClock(),
        FileRules(checks.policy, checks.blocking, checks.is_scan_required),
    )
