"""A small town of agencies in memory: keys, certificates, agreements, steps over the reference ledger, a set clock."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.broker.local import LocalBroker
from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core import jws
from gateway.core.agreement import Agreement, Subscription
from gateway.core.contract import Catalog
from gateway.core.directory import Agency, Certificate, Directory, System, read_certificate
from gateway.core.envelope import seal
from gateway.core.faults import DeliveryFailure, Fault, Text
from gateway.core.moments import format_moment
from gateway.core.retry import RetryPolicy
from gateway.ports import Accepted, Collected, HandedOver, Ledger, Parcel, Spool, Uncollectable
from gateway.relay.accept import Accept
from gateway.relay.dispatch import Dispatch
from gateway.relay.operate import Operate
from gateway.relay.proof import Proofs
from gateway.relay.pull import Pull
from gateway.relay.report import Report
from gateway.relay.settle import Settlement
from gateway.relay.sweep import Sweep
from gateway.relay.translate import Translate
from gateway.store.memory import MemoryLedger
from tests.build import MORNING

GATEWAY = "H33.14/lgsp"
CATALOG = read_catalog([builtin_folder()])
Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def a_pair(
    name: str, key: Key | None = None, *, days: tuple[float, float] = (-30, 3650), now: float = MORNING
) -> tuple[jws.Signer, Certificate]:
    """A key (Ed25519 unless one is given) and its self-signed certificate, in force between ``days`` from ``now``."""
    key = key or ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    moment = datetime.fromtimestamp(now, UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment + timedelta(days=days[0]))
        .not_valid_after(moment + timedelta(days=days[1]))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    certificate = read_certificate(made.public_bytes(Encoding.PEM).decode())
    return jws.Signer(key, jws.default_alg(key), certificate.thumbprint), certificate


@dataclass(slots=True)
class SetClock:
    """Time that moves only when told; chance that is always the same."""

    moment: float = MORNING
    luck: float = 0.5

    def now(self) -> float:
        """The moment that was set."""
        return self.moment

    def chance(self) -> float:
        """The luck that was set."""
        return self.luck

    async def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.moment += seconds
        await asyncio.sleep(0)


@dataclass(slots=True)
class Desk:
    """An agency's end in small: takes parcels, or fails as the script says, one entry a try."""

    script: list[DeliveryFailure] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    proof: Callable[[Parcel], bytes | None] = lambda _: None

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Take the parcel, or raise the next failure of the script."""
        if self.script:
            raise self.script.pop(0)
        self.parcels.append(parcel)
        return HandedOver(200, self.proof(parcel))

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """Nothing to collect."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Nothing to let go."""


def document(**override: Any) -> dict[str, Any]:
    """The data of a document that its contract takes: the first good example of document.issued/1.0 without files."""
    version = CATALOG.find("document.issued", "1.0")
    assert version is not None
    example = next(each for each in version.examples if "sha256" not in str(each.data))
    return {**example.data, **override}


@dataclass(slots=True)
class Town:
    """Agencies H33.05, H33.16, H33.20 (pulls) and H33.30 (reads 2.0) under H33, one agreement, all steps wired."""

    ledger: Ledger
    clock: SetClock
    files: Spool
    signers: dict[str, jws.Signer]
    directory: Directory
    catalog: Catalog = field(default_factory=lambda: CATALOG)
    desks: dict[str, Desk] = field(default_factory=dict)
    broker: LocalBroker = field(default_factory=LocalBroker)
    accept: Accept = field(init=False)
    dispatch: Dispatch = field(init=False)
    pull: Pull = field(init=False)
    sweep: Sweep = field(init=False)
    operate: Operate = field(init=False)
    report: Report = field(init=False)

    def __post_init__(self) -> None:
        own = self.signers[GATEWAY]
        settlement = Settlement(lambda: self.directory)
        proofs = Proofs(lambda: self.directory, self.clock.now)
        translate = Translate(self.ledger, lambda: self.catalog, own, GATEWAY)
        self.accept = Accept(
            self.ledger,
            self.broker,
            lambda: self.directory,
            lambda: self.catalog,
            own,
            lambda system: self.signers[system.name],
            frozenset({"inbox"}),
            self.clock,
        )
        self.pull = Pull(self.ledger, translate, settlement, proofs, self.clock, self.broker.announce)
        self.dispatch = Dispatch(
            ledger=self.ledger,
            broker=self.broker,
            directory=lambda: self.directory,
            adapter_of=lambda system: self.desk(system.name),
            is_pushed=lambda system: system.adapter != "inbox",
            translate=translate,
            settlement=settlement,
            proofs=proofs,
            clock=self.clock,
            owner="push:town",
            on_announced=self.pull.notify,
        )
        self.operate = Operate(self.ledger, lambda: self.directory, settlement, self.clock)
        self.report = Report(self.ledger, self.accept, lambda: self.directory, self.clock)
        self.sweep = Sweep(
            self.ledger, self.files, settlement, self.report, self.clock, self.accept.refusals, self.broker.announce
        )

    def desk(self, name: str) -> Desk:
        """The agency end of a system."""
        return self.desks.setdefault(name, Desk())

    def event(self, source: str = "H33.05/dms", **override: Any) -> dict[str, Any]:
        """A CloudEvent that the bus takes; ``None`` leaves an attribute out."""
        made: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": source,
            "type": "document.issued",
            "dataschema": "urn:lgsp:contract:document.issued:1.0",
            "subject": "H33.05,2026/11/23,1/STC-VP",
            "time": format_moment(self.clock.now()),
            "datacontenttype": "application/json",
            "to": "H33.16",
            "data": document(),
            **override,
        }
        return {name: value for name, value in made.items() if value is not None}

    def envelope(self, source: str = "H33.05/dms", **override: Any) -> bytes:
        """That event, signed by its source."""
        return seal(self.event(source, **override), self.signers[source])

    async def send(self, source: str = "H33.05/dms", **override: Any) -> Accepted | Fault:
        """Send one message by the front door."""
        return (await self.accept.sealed_many([self.envelope(source, **override)], address="192.0.2.1"))[0]

    async def work(self) -> None:
        """Dispatch what is due now, and nothing later."""
        for _ in range(50):
            await self.dispatch._round()
            tasks = set(self.dispatch._tasks)
            if not tasks:
                return
            await asyncio.wait(tasks)

    async def pass_time(self, seconds: float, *, step: float = 1.0) -> None:
        """Let time pass in steps, sweeping and dispatching at each."""
        end = self.clock.moment + seconds
        while self.clock.moment < end:
            self.clock.moment = min(end, self.clock.moment + step)
            await self.sweep.once()
            await self.work()


def a_town(files: Spool, ledger: Ledger | None = None, **extra: Mapping[str, Any]) -> Town:
    """A town in the MORNING; ``extra`` overrides fields of systems by local agency name, e.g. ``H33_16={...}``."""
    signers: dict[str, jws.Signer] = {}
    agencies: list[Agency] = []
    signers[GATEWAY], _ = a_pair(GATEWAY)
    wishes: dict[str, dict[str, Any]] = {
        "H33.05": {
            "subscriptions": _wish("receipt.delivered", "receipt.refused", "receipt.expired", "receipt.discarded")
        },
        "H33.16": {"subscriptions": _wish("document.issued")},
        "H33.20": {"subscriptions": _wish("document.issued"), "adapter": "inbox"},
        "H33.30": {"subscriptions": _wish("document.issued", version="2.0")},
    }
    for code, fields in wishes.items():
        name = f"{code}/dms"
        signers[name], certificate = a_pair(name)
        made = {"adapter": "webhook", "certificates": (certificate,), **fields, **extra.get(code.replace(".", "_"), {})}
        system = System(name=name, agency=code, **made)
        agencies.append(Agency(code, f"Cơ quan {code}", "province", (f"000.00.{code[-2:]}.H33",), "H33", (system,)))
    agreement = Agreement(
        "VB-2018", "Trao đổi văn bản", "QĐ 28/2018/QĐ-TTg", "van-ban", ("H33.*",), ("*",), ("document.*",),
        date(2018, 9, 6), date(2030, 12, 31),
    )  # fmt: skip
    directory = Directory(agencies, [agreement], gateway=GATEWAY, version=1)
    return Town(ledger or MemoryLedger(), SetClock(), files, signers, directory)


def _wish(*contracts: str, version: str = "1.0") -> dict[str, Subscription]:
    retry = RetryPolicy(first=5, factor=2, cap=3600, deadline=14 * 86400)
    return {name: Subscription(name, version, retry=retry) for name in contracts}
