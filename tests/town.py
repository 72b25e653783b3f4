"""A small town of agencies in memory: keys, certificates, agreements, steps over the reference ledger, a set clock.

A test sends by the front door (:meth:`Town.send`), lets agencies fail by a script (:class:`Desk`), lets time pass
(:meth:`Town.pass_time`) and asks what became of it (:meth:`Town.delivery`). Nothing waits for real time, nothing
leaves the process, and what is tested are the product's own steps.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

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
from gateway.core.delivery import Delivery
from gateway.core.directory import Agency, Certificate, Directory, System, read_certificate
from gateway.core.documents.registrar import Registrar
from gateway.core.envelope import seal
from gateway.core.faults import Fault, Rejected, Text, TransientFailure
from gateway.core.moments import format_moment
from gateway.core.retry import RetryPolicy
from gateway.ports import Accepted, Attempt, Collected, HandedOver, Ledger, Parcel, Record, Spool, Uncollectable
from gateway.relay.accept import Accept
from gateway.relay.backfill import Backfill
from gateway.relay.collect import Collect
from gateway.relay.dispatch import Dispatch
from gateway.relay.operate import Operate
from gateway.relay.outage import Outages
from gateway.relay.proof import Proofs
from gateway.relay.proposals import Proposals
from gateway.relay.pull import Pull
from gateway.relay.registers import Registers
from gateway.relay.report import Report
from gateway.relay.requests import Requests
from gateway.relay.second_way import SecondWay
from gateway.relay.settle import Settlement
from gateway.relay.sweep import Sweep
from gateway.relay.translate import Translate
from gateway.store.memory import MemoryLedger
from gateway.store.memory_agency_lists import MemoryAgencyLists
from gateway.store.memory_backfills import MemoryBackfills
from gateway.store.sqlite.agency_lists import SqliteAgencyLists
from gateway.store.sqlite.backfills import SqliteBackfills
from gateway.store.sqlite.ledger import SqliteLedger
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
class Shelf:
    """The spool in small: bytes by SHA-256 in memory."""

    content: dict[str, bytes] = field(default_factory=dict)

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep a stream."""
        kept = b"".join([chunk async for chunk in chunks])
        if len(kept) > limit:
            raise Rejected("too-large", Text("Tệp quá lớn.", "The file is too large."))
        sha256 = hashlib.sha256(kept).hexdigest()
        self.content[sha256] = kept
        return sha256, len(kept)

    async def adopt(self, whole: Path, sha256: str) -> None:
        """Keep a whole file."""
        self.content[sha256] = await asyncio.to_thread(whole.read_bytes)

    def open(self, sha256: str) -> BinaryIO:
        """The bytes."""
        if sha256 not in self.content:
            raise FileNotFoundError(sha256)
        return io.BytesIO(self.content[sha256])

    def is_present(self, sha256: str) -> bool:
        """Whether the bytes are held."""
        return sha256 in self.content

    def remove(self, sha256: str) -> None:
        """Forget the bytes."""
        self.content.pop(sha256, None)


@dataclass(slots=True)
class Desk:
    """An agency's end in small: takes parcels, or fails as the script says, one entry a try.

    Where it is the desk of an agency that cannot send, ``outbox`` holds what waits to be collected, and
    ``settled`` what it was told about it.
    """

    script: list[BaseException] = field(default_factory=list)
    #: The subject of a message on which this agency's software always fails.
    poison: str | None = None
    parcels: list[Parcel] = field(default_factory=list)
    proof: Callable[[Parcel], bytes | None] = lambda _: None
    outbox: list[Collected | Uncollectable] = field(default_factory=list)
    settled: list[tuple[str, tuple[str, Text] | None]] = field(default_factory=list)

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Take the parcel, or raise the next failure of the script."""
        if self.script:
            raise self.script.pop(0)
        if parcel.event["subject"] == self.poison:
            raise TransientFailure("the recipient answered with status 500", 500)
        self.parcels.append(parcel)
        return HandedOver(200, self.proof(parcel))

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """What waits in the outbox: the same again until it is settled."""
        if self.script:
            raise self.script.pop(0)
        return self.outbox[:limit]

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """The item is dealt with: gone from the outbox."""
        self.outbox = [item for item in self.outbox if item.token != token]
        self.settled.append((token, refusal))

    async def close(self) -> None:
        """Nothing to let go."""


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait, in real time and for at most half a minute, until something that runs beside the test has come about."""
    for _ in range(6000):
        if await is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came about")


def document(**override: Any) -> dict[str, Any]:
    """The data of a document that its contract takes: the first good example of document.issued/1.0 without files."""
    version = CATALOG.find("document.issued", "1.0")
    assert version is not None
    example = next(each for each in version.examples if "sha256" not in str(each.data))
    return {**example.data, **override}


@dataclass(slots=True)
class Town:
    """Agencies under H33, all steps wired: H33.05 sends and wants all outcomes, H33.16 takes documents, H33.20 pulls
    them, H33.30 reads version 2.0 of them. One agreement lets all of them write to each other."""

    ledger: Ledger
    clock: SetClock
    files: Spool
    signers: dict[str, jws.Signer]
    directory: Directory
    catalog: Catalog = field(default_factory=lambda: CATALOG)
    desks: dict[str, Desk] = field(default_factory=dict)
    broker: LocalBroker = field(default_factory=LocalBroker)
    registers: Registers = field(init=False)
    accept: Accept = field(init=False)
    dispatch: Dispatch = field(init=False)
    pull: Pull = field(init=False)
    sweep: Sweep = field(init=False)
    operate: Operate = field(init=False)
    outages: Outages = field(init=False)
    report: Report = field(init=False)
    collect: Collect = field(init=False)
    requests: Requests = field(init=False)
    proposals: Proposals = field(init=False)
    backfill: Backfill = field(init=False)

    def __post_init__(self) -> None:
        own = self.signers[GATEWAY]
        settlement = Settlement(lambda: self.directory)
        self.outages = Outages(self.ledger)
        proofs = Proofs(lambda: self.directory, self.clock.now)
        translate = Translate(self.ledger, lambda: self.catalog, own, GATEWAY)
        self.registers = Registers(self.ledger, lambda: self.directory, self.clock)
        self.accept = Accept(
            self.ledger,
            self.broker,
            lambda: self.directory,
            lambda: self.catalog,
            own,
            lambda system: self.signers[system.name],
            frozenset({"inbox"}),
            self.clock,
            line_of=Registrar().line,
            registers=self.registers,
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
            outages=self.outages,
            clock=self.clock,
            owner="push:town",
            on_announced=self.pull.notify,
        )
        self.operate = Operate(self.ledger, lambda: self.directory, settlement, self.clock)
        self.report = Report(self.ledger, self.accept, lambda: self.directory, self.clock)
        self.sweep = Sweep(
            self.ledger,
            self.files,
            settlement,
            self.report,
            self.clock,
            self.accept.refusals,
            self.broker.announce,
            self.outages.down,
        )
        self.collect = Collect(
            self.ledger,
            self.files,
            SecondWay(self.accept, lambda: self.directory),
            lambda: self.directory,
            lambda system: self.desk(system.name),
            lambda system: system.adapter == "folder",
            self.clock,
            file_limit=1024,
        )
        backfills = backfills_of(self.ledger)
        self.requests = Requests(
            backfills, lambda: self.directory, lambda: self.catalog, self.clock, lambda: str(uuid.uuid4())
        )
        self.proposals = Proposals(agency_lists_of(self.ledger), lambda: self.directory, self.clock)
        self.backfill = Backfill(
            backfills,
            lambda: self.directory,
            lambda: self.catalog,
            frozenset({"inbox"}),
            self.clock,
            "backfill:town",
            self.broker.announce,
        )

    def system(self, name: str) -> System:
        """A system as today's registry has it."""
        found = self.directory.system(name)
        assert found is not None
        return found

    def change(self, name: str, **fields: Any) -> None:
        """The registry changes: one system's fields."""
        code = name.partition("/")[0]
        changed = replace(self.system(name), **fields)
        self.enrol(replace(self.directory.agencies[code], systems=(changed,)))

    def enrol(self, agency: Agency) -> None:
        """The registry changes: one agency more, or in place of the one with its code."""
        agencies = {**self.directory.agencies, agency.code: agency}
        self._renew(list(agencies.values()), self.directory.agreements)

    def agree(self, *agreements: Agreement) -> None:
        """The registry changes: these agreements and no others."""
        self._renew(list(self.directory.agencies.values()), agreements)

    def _renew(self, agencies: Sequence[Agency], agreements: Sequence[Agreement]) -> None:
        version = self.directory.version + 1
        self.directory = Directory(agencies, agreements, gateway=GATEWAY, version=version)

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

    async def sent(self, source: str = "H33.05/dms", **override: Any) -> Accepted:
        """Send one message of which nothing but acceptance is expected."""
        answer = await self.send(source, **override)
        assert isinstance(answer, Accepted), answer
        return answer

    async def refused(self, source: str = "H33.05/dms", **override: Any) -> Fault:
        """Send one message of which nothing but a refusal is expected."""
        answer = await self.send(source, **override)
        assert isinstance(answer, Fault), answer
        return answer

    async def record(self, message: Accepted | str) -> Record:
        """What the ledger says about a message."""
        found = await self.ledger.find((message if isinstance(message, str) else message.id).lower())
        assert found is not None
        return found

    async def delivery(self, message: Accepted | str, recipient: str = "H33.16/dms") -> Delivery:
        """A message's delivery to one recipient, as it is now."""
        record = await self.record(message)
        return next(each.delivery for each in record.deliveries if each.delivery.recipient == recipient)

    async def attempts(self, message: Accepted | str, recipient: str = "H33.16/dms") -> tuple[Attempt, ...]:
        """The attempts of a message's delivery to one recipient."""
        record = await self.record(message)
        return next(each.attempts for each in record.deliveries if each.delivery.recipient == recipient)

    async def journal(self, kind: str) -> list[dict[str, Any]]:
        """The leaves of one kind (``receipt`` or ``audit``) that the journal holds, read."""
        leaves = await self.ledger.journal(limit=10_000)
        return [json.loads(body) for _, its_kind, body in leaves if its_kind == kind and body]

    def taken_by(self, name: str) -> list[str]:
        """The ids of the messages that a desk took, in order."""
        return [parcel.message for parcel in self.desk(name).parcels]

    async def work(self) -> None:
        """Dispatch what is due now, and nothing later."""
        for _ in range(50):
            await self.dispatch._round()
            tasks = self.dispatch.under_way()
            if not tasks:
                return
            await asyncio.wait(tasks, timeout=0.05)  # the next round calls off what hangs

    async def catch_up(self) -> None:
        """Drive what late subscribers may have until nothing is left to do but wait."""
        self.clock.moment += 1  # when a gateway looks again
        while await self.backfill.once() < 0.1:
            pass

    async def pass_time(self, seconds: float, *, step: float = 1.0) -> None:
        """Let time pass in steps, sweeping and dispatching at each."""
        end = self.clock.moment + seconds
        while self.clock.moment < end:
            self.clock.moment = min(end, self.clock.moment + step)
            await self.sweep.once()
            await self.work()


def backfills_of(ledger: Ledger) -> MemoryBackfills | SqliteBackfills:
    """What keeps the requests of late subscribers beside this ledger."""
    if isinstance(ledger, SqliteLedger):
        return SqliteBackfills(ledger)
    assert isinstance(ledger, MemoryLedger)
    return MemoryBackfills(ledger)


def agency_lists_of(ledger: Ledger) -> MemoryAgencyLists | SqliteAgencyLists:
    """What keeps lists of agencies beside this ledger."""
    if isinstance(ledger, SqliteLedger):
        return SqliteAgencyLists(ledger)
    return MemoryAgencyLists(ledger)


def a_town(files: Spool | None = None, ledger: Ledger | None = None, **extra: Mapping[str, Any]) -> Town:
    """A town in the MORNING; ``extra`` overrides fields of systems by their agency's code, e.g. ``H33_16={...}``."""
    signers: dict[str, jws.Signer] = {}
    agencies: list[Agency] = []
    signers[GATEWAY], _ = a_pair(GATEWAY)
    wishes: dict[str, dict[str, Any]] = {
        "H33.05": {
            "subscriptions": wishes_for("receipt.delivered", "receipt.refused", "receipt.expired", "receipt.discarded")
        },
        "H33.16": {"subscriptions": wishes_for("document.issued")},
        "H33.20": {"subscriptions": wishes_for("document.issued"), "adapter": "inbox"},
        "H33.30": {"subscriptions": wishes_for("document.issued", version="2.0")},
    }
    for code, fields in wishes.items():
        name = f"{code}/dms"
        signers[name], certificate = a_pair(name)
        made = {"adapter": "webhook", "certificates": (certificate,), **fields, **extra.get(code.replace(".", "_"), {})}
        system = System(name=name, agency=code, **made)
        agencies.append(Agency(code, f"Cơ quan {code}", "province", (f"000.00.{code[-2:]}.H33",), "H33", (system,)))
    directory = Directory(agencies, [an_agreement()], gateway=GATEWAY, version=1)
    return Town(ledger or MemoryLedger(), SetClock(), files or Shelf(), signers, directory)


def wishes_for(*contracts: str, version: str = "1.0", **fields: Any) -> dict[str, Subscription]:
    """Subscriptions to these contracts, all alike; ``fields`` are the Subscription's own."""
    fields.setdefault("retry", RetryPolicy(first=5, factor=2, cap=3600, deadline=14 * 86400))
    return {name: Subscription(name, version, **fields) for name in contracts}


def an_agreement(**override: Any) -> Agreement:
    """The town's agreement: all below H33 may send documents to everybody, from 2018 to 2030."""
    made: dict[str, Any] = {
        "id": "VB-2018",
        "title": "Trao đổi văn bản",
        "basis": "QĐ 28/2018/QĐ-TTg",
        "purpose": "van-ban",
        "senders": ("H33.*",),
        "receivers": ("*",),
        "contracts": ("document.*",),
        "valid_from": date(2018, 9, 6),
        "valid_until": date(2030, 12, 31),
    }
    return Agreement(**{**made, **override})
