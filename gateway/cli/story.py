"""The demo's story: real documents relayed or refused, a recipient down, a translation, a commune, receipts, counts."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.applying import apply_folder
from gateway.cli.convert import converted, mapping_of
from gateway.cli.example import OWN_KEYS, forget_example, make_example, samples
from gateway.cli.frame import Place
from gateway.cli.timeline import members_of
from gateway.cli.timeline import told as timeline
from gateway.client.bus import Bus
from gateway.client.identity import read_signer
from gateway.client.message import make_event, new_id
from gateway.compose import Gateway, open_ledger, running, stand_in
from gateway.config.settings import read_settings
from gateway.core import jws
from gateway.core.delivery import State
from gateway.core.envelope import digest_of, seal
from gateway.core.strictjson import parse_strict

PATIENCE: Final = 30.0
ALL_STATES: Final = tuple(state.value for state in State)


@dataclass(slots=True)
class Story:
    """One telling: where it happens, who takes part, what was seen, and whether all of it was as promised."""

    folder: Path
    language: str | None = None
    silent: bool = False
    dropped: int = 0
    relayed: int = 0
    refused: int = 0
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    receipts: int = 0
    identical: int = 0
    failures: list[str] = field(default_factory=list)
    wakes: list[str] = field(default_factory=list)
    gateway: Gateway = field(init=False)
    bus: Bus = field(init=False)
    office: Any = field(init=False)
    district: Any = field(init=False)
    finance: Any = field(init=False)
    health: Any = field(init=False)
    commune: Any = field(init=False)
    receiver: Any = field(init=False)

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost and every check held."""
        return self.lost == 0 and not self.failures

    def counts(self) -> dict[str, Any]:
        """The figures at the end."""
        return {
            "files": self.dropped,
            "relayed": self.relayed,
            "refused": self.refused,
            "sent": self.sent,
            "delivered": self.delivered,
            "receipts_verified": self.receipts,
            "identical_bytes": self.identical,
            "lost": self.lost,
            "failures": self.failures,
        }

    def chapter(self, vi: str, en: str) -> None:
        """A heading."""
        self.say("", "")
        self.say(f"▌ {vi}", f"▌ {en}")

    def say(self, vi: str, en: str) -> None:
        """One sentence, in Vietnamese, English, or both."""
        if self.silent:
            return
        if self.language != "en" or not en:
            click.echo(vi)
        if self.language != "vi" and en and en != vi:
            click.echo(click.style(en, dim=self.language is None))

    def check(self, holds: bool, vi: str, en: str) -> None:
        """A promise and whether it held."""
        mark = "✓" if holds else "✗"
        self.say(f"  {mark} {vi}", f"  {mark} {en}")
        if not holds:
            self.failures.append(en)

    async def until(self, ready: Callable[[], Any], what: str) -> bool:
        """Wait until ``ready`` says so, at most PATIENCE seconds; a wait in vain is a failure of the story."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if ready():
                return True
            await asyncio.sleep(0.05)
        self.failures.append(f"waited in vain for {what}")
        return False

    async def send(self, subject: str, to: str, data: dict[str, Any], version: str = "2.0") -> dict[str, Any]:
        """One document from H33.05/app, signed by itself; answers the 202 body after checking its receipt."""
        now = time.time()
        event = make_event(
            id=new_id(now, os.urandom(10)),
            source="H33.05/app",
            contract="document.issued",
            version=version,
            subject=subject,
            now=now,
            data=data,
            extensions={"to": to},
        )
        envelope = seal(event, self.signer("H33.05-app"))
        answer = await self.bus.send(envelope)
        await self.verify(answer["receipt"], digest_of(envelope))
        return answer

    def signer(self, stem: str) -> jws.Signer:
        """The key of a system of the example."""
        keys = self.folder / "keys"
        return read_signer(keys / f"{stem}.pem", keys / f"{stem}.crt")

    async def verify(self, receipt: str, digest: str) -> None:
        """Check a receipt as an agency would: against the published keys, and that it speaks of these bytes."""
        async with self.bus.session.get(f"{self.bus.url}/.well-known/jwks.json") as answer:
            keys = {key["kid"]: key for key in (await answer.json())["keys"]}
        taken = jws.split(receipt.encode())
        raw = base64.urlsafe_b64decode(keys[taken.header.kid or ""]["x"] + "==")
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        holds = jws.verify(Ed25519PublicKey.from_public_bytes(raw), taken)
        if holds and taken.header.typ == "receipt+jws" and parse_strict(taken.payload)["digest"] == digest:
            self.receipts += 1
        else:
            self.failures.append("a receipt does not verify")


async def told(story: Story, *, keep: bool) -> None:
    """Tell the whole story; with ``keep`` go on running until interrupted."""
    async with _stage(story):
        await _documents(story)
        await _outage(story)
        await _translation(story)
        await _commune(story)
        await _count(story)
        if keep:
            url = story.bus.url
            story.say(f"Trục vẫn chạy tại {url} (Ctrl-C để dừng).", f"The bus goes on at {url} (Ctrl-C ends it).")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def _stage(story: Story) -> AsyncIterator[None]:
    """The province and its agencies, up for the length of a ``with`` block."""
    sinks = stand_in("webhook")
    story.finance, story.health = sinks.WebhookSink(), sinks.WebhookSink()
    await story.finance.start()
    await story.health.start()
    make_example(story.folder, urls={"H33.08": story.finance.url, "H33.30": story.health.url})
    documents = stand_in("edxml_folder")
    story.office = documents.DocumentSystem(story.folder / "exchange" / "H33.05")
    story.district = documents.DocumentSystem(story.folder / "exchange" / "H33.07")
    settings = read_settings(story.folder)
    ledger = open_ledger(settings)
    await ledger.open()
    await apply_folder(ledger, settings, actor="demo", now=time.time())
    await ledger.close()
    inbox = stand_in("inbox").InboxClient
    try:
        async with running(settings) as story.gateway, Bus.reach(settings.public_url) as story.bus:
            story.commune = inbox(settings.public_url, "H33.07.03/dms", signer=story.signer("H33.07.03-dms"))
            story.receiver = inbox(settings.public_url, "H33.05/app", signer=story.signer("H33.05-app"))
            _introduce(story, settings.public_url)
            try:
                yield
            finally:
                await story.commune.close()
                await story.receiver.close()
    finally:
        await story.finance.stop()
        await story.health.stop()
        forget_example(story.folder)


def _introduce(story: Story, url: str) -> None:
    story.say(f"Một tỉnh nhỏ, trục liên thông tại {url}", f"A small province, its bus at {url}")
    for agency in story.gateway.picture.directory.agencies.values():
        systems = ", ".join(f"{system.local_name} ({system.adapter})" for system in agency.systems)
        story.say(
            f"  {agency.code:<10} {agency.name:<16} {systems}", f"  {agency.code:<10} {agency.name:<16} {systems}"
        )
    story.check(len(OWN_KEYS) == 4, "khoá và chứng thư đã tạo", "keys and certificates are made")


async def _documents(story: Story) -> None:
    folder, files = samples()
    story.dropped = len(files)
    story.chapter(
        f"Sở Nội vụ thả {len(files)} tệp vào thư mục gửi ({folder.name})",
        f"The office of home affairs drops {len(files)} files ({folder.name})",
    )
    raws = {path.name: path.read_bytes() for path in files}
    for name, raw in raws.items():
        story.office.send(raw, name)
    await story.until(lambda: len(story.office.sent()) + len(story.office.refused()) == len(files), "the files")
    notes = story.office.refused()
    story.relayed, story.refused = len(story.office.sent()), len(notes)
    for path in files:
        _verdict(story, path, notes.get(path.name))
    story.check(
        story.relayed + story.refused == len(files),
        f"{story.relayed} tệp được chuyển, {story.refused} tệp bị từ chối kèm lý do",
        f"{story.relayed} files relayed, {story.refused} refused with their reasons",
    )
    await _settled(story)
    digests = {hashlib.sha256(raw).hexdigest() for raw in raws.values()}
    arrived = [path.read_bytes() for path in story.district.inbox.glob("*.edxml")]
    arrived += [path.read_bytes() for path in story.office.inbox.glob("*.edxml")]
    story.identical = sum(hashlib.sha256(raw).hexdigest() in digests for raw in arrived)
    story.check(
        bool(arrived) and story.identical == len(arrived),
        f"{story.identical} tệp tới nơi giống bản gốc từng byte (SHA-256)",
        f"{story.identical} files arrived, each byte as it was sent (SHA-256)",
    )


def _verdict(story: Story, path: Path, note: str | None) -> None:
    """One file's line: relayed, with what is odd about it, or refused, with the reason left beside it."""
    members = converted(Place(story.folder, story.language), mapping_of("edxml"), path)
    if (note is None) != (members["result"] == "relayed"):
        story.failures.append(f"{path.name}: the relay and the dry run disagree")
    if note is not None:
        lines = iter(note.splitlines())
        reason = next(line for line in lines if line.startswith("Lý do"))
        story.say(f"    ✗ {path.name}: {members.get('reason', reason)}: {members.get('detail', next(lines))}", "")
        return
    story.say(f"    → {path.name} ({members['contract']})", "")
    for warning in members["warnings"]:
        story.say(f"        ! {warning}", "")


async def _outage(story: Story) -> None:
    story.chapter(
        "Sở Tài chính ngừng máy, năm văn bản vẫn được gửi", "The finance office is down; five documents are sent"
    )
    before = len(story.finance.taken())
    await story.finance.go_down()
    first = ""
    for number in range(1, 6):
        data = _document(f"H33.05,2026/11/23,{number}/SNV-VP", f"Văn bản số {number}")
        answer = await story.send("H33.05,2026/11/23,SNV-VP", "H33.08", data)
        first = first or answer["id"]
    await asyncio.sleep(1.0)
    record = await story.gateway.ledger.find(first)
    tries = 0 if record is None else len(record.deliveries[0].attempts)
    story.check(
        tries > 0, f"đã thử {tries} lần, chưa giao được; không mất gì", f"{tries} tries so far, nothing is lost"
    )
    await story.finance.come_back()
    story.say("  … máy chạy lại", "  … it is back")
    await story.until(lambda: len(story.finance.taken()) - before >= 5, "the five documents")
    subjects = [_event(each.body)["data"]["subject"] for each in story.finance.taken()[before:]]
    wanted = [f"Văn bản số {number}" for number in range(1, 6)]
    story.check(subjects == wanted, "cả năm tới đúng thứ tự", "all five arrived in order")
    await _settled(story)
    record = await story.gateway.ledger.find(first)
    if record is not None:
        story.say("  Hành trình của văn bản đầu tiên:", "  The first one's timeline:")
        for line in timeline(members_of(record), story.language or "vi"):
            story.say(f"    {line}", f"    {line}")


async def _translation(story: Story) -> None:
    story.chapter(
        "Sở Y tế còn dùng document.issued/1.0: trục dịch từ 2.0",
        "The health office still reads document.issued/1.0: the bus translates from 2.0",
    )
    before = len(story.health.taken())
    data = _document("H33.05,2026/11/23,9/SNV-VP", "Kế hoạch năm 2027") | {"signer": {"fullName": "Nguyễn Văn Mẫu"}}
    answer = await story.send("H33.05,2026/11/23,9/SNV-VP", "H33.30", data)
    if not await story.until(lambda: len(story.health.taken()) > before, "the translation"):
        return
    event = _event(story.health.taken()[-1].body)
    story.say(f"  2.0: {json.dumps(data, ensure_ascii=False)}", "")
    story.say(f"  1.0: {json.dumps(event['data'], ensure_ascii=False)}", "")
    story.check(
        event["originid"] == answer["id"] and event["dataschema"].endswith(":1.0"),
        f"bản dịch do trục ký, nêu bản gốc và quy tắc ({event['rulesdigest'][:24]}…)",
        "the translation is signed by the bus and names its original and its rules",
    )


async def _commune(story: Story) -> None:
    story.chapter(
        "UBND xã tự lấy văn bản; Sở Nội vụ lấy biên nhận", "The commune fetches; the home office fetches its receipts"
    )
    answer = await story.send(
        "H33.05,2026/11/23,10/SNV-VP", "H33.07.03", _document("H33.05,2026/11/23,10/SNV-VP", "Giấy mời họp")
    )
    taken = await story.commune.take_all()
    story.wakes += [each.delivery for each in taken]
    story.check(len(taken) == 1, "xã đã lấy một văn bản", "the commune took one document")
    receipts: list[dict[str, Any]] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and answer["id"] not in [each["subject"] for each in receipts]:
        leased = await story.receiver.take_all()
        story.wakes += [each.delivery for each in leased]
        receipts += [_event(each.envelope.encode()) for each in leased]
        await asyncio.sleep(0.1)
    delivered = [each for each in receipts if each["type"] == "receipt.delivered"]
    story.check(
        answer["id"] in [each["subject"] for each in delivered],
        f"{len(delivered)} biên nhận «đã giao» về tới bên gửi",
        f"{len(delivered)} receipts of delivery came back to the sender",
    )


async def _count(story: Story) -> None:
    await _settled(story)
    ledger = story.gateway.ledger
    deliveries = await ledger.deliveries(states=ALL_STATES, limit=100_000)
    arrived = {
        *await story.office.arrivals(),
        *await story.district.arrivals(),
        *await story.finance.arrivals(),
        *await story.health.arrivals(),
        *story.wakes,
    }
    story.sent = len({each.message for each in deliveries})
    story.delivered = sum(each.id in arrived for each in deliveries)
    story.lost = sum(each.id not in arrived for each in deliveries)
    story.chapter("Tổng kết", "The count")
    story.say(
        f"  tệp {story.dropped} · từ chối {story.refused} · thông điệp {story.sent} · lượt giao {story.delivered}"
        f" · biên nhận đã kiểm {story.receipts} · mất {story.lost}",
        f"  files {story.dropped} · refused {story.refused} · messages sent {story.sent} · delivered {story.delivered}"
        f" · receipts verified {story.receipts} · lost {story.lost}",
    )
    story.check(story.is_well, "mọi lời hứa đều giữ được", "every promise was kept")


async def _settled(story: Story) -> None:
    """Wait until nothing is under way but what recipients fetch for themselves."""
    open_states = ("queued", "leased", "blocked")
    pulled = {"H33.07.03/dms", "H33.05/app"}
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        under_way = await story.gateway.ledger.deliveries(states=open_states, limit=1000)
        if not [each for each in under_way if each.recipient not in pulled]:
            return
        await asyncio.sleep(0.05)
    story.failures.append("deliveries are still under way")


def _document(identity: str, subject: str) -> dict[str, Any]:
    return {
        "documentId": identity,
        "from": {"organId": "H33.05", "organName": "Sở Nội vụ"},
        "subject": subject,
        "confidentiality": "none",
        "business": {"type": "new"},
    }


def _event(envelope: bytes) -> dict[str, Any]:
    event: dict[str, Any] = parse_strict(jws.split(envelope).payload)
    return event
