"""Who looks at files, in small: an examiner that knows verdicts by digest, a scanner that finds what it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.content import Content
from gateway.core.findings import Looked
from gateway.ports import Clock, Ledger, Spool
from gateway.ports.findings import Scan, ScannerAway
from gateway.relay.inspect import FileRules, Inspect
from gateway.store.memory import MemoryLedger
from gateway.store.memory_findings import MemoryFindings
from tests.town import Town

UNKNOWN = Looked("none", "not-checked", "unknown-kind", by="a test")


@dataclass
class Lens:
    """Tells of a file (or of a signature and the file beside it) what it was told before; ``asked`` keeps count."""

    verdicts: dict[str | tuple[str, str], Looked] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def look(self, file: Content, beside: Content | None = None, *, now: float) -> Looked:
        """What it knows of the file."""
        for each in (file, beside):
            if each is not None:
                each.open().close()
        self.asked.append(file.sha256)
        return self.verdicts.get(file.sha256 if beside is None else (file.sha256, beside.sha256), UNKNOWN)

    async def close(self) -> None:
        """Nothing to let go."""


@dataclass
class Nose:
    """Smells malware where ``bad`` occurs in a file; away while ``is_away``; too small for what is over ``most``."""

    bad: bytes = b"X5O-MALWARE"
    is_away: bool = False
    most: int = 2**30
    scanned: int = 0

    async def scan(self, file: Content) -> Scan:
        """What it smells."""
        if self.is_away:
            raise ScannerAway("no answer in time")
        self.scanned += 1
        if file.size > self.most:
            return Scan("failed", "too-large", "a nose")
        with file.open() as opened:
            return (
                Scan("infected", "Test.Malware", "a nose") if self.bad in opened.read() else Scan("clean", "", "a nose")
            )


def an_inspect(
    ledger: Ledger, spool: Spool, clock: Clock, town: Town, *, lens: Lens | None = None, nose: Nose | None = None,
    rules: FileRules | None = None,
) -> Inspect:  # fmt: skip
    """The step over the reference book."""
    assert isinstance(ledger, MemoryLedger)
    made = rules or FileRules()
    return Inspect(MemoryFindings(ledger), lens or Lens(), nose, spool, ledger, lambda: town.directory, clock, made)
