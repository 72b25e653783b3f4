"""Filling a ledger without the gateway: the province applied, a backlog that can be delivered, a long past."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Final

from gateway.cli.applying import apply_folder
from gateway.cli.bench.mail import ASLEEP, CONTRACT, RECIPIENTS, SENDER, VERSION, envelope, message_id
from gateway.cli.bench.stage import Province
from gateway.client.identity import find_files, read_signer
from gateway.compose import open_ledger
from gateway.core.delivery import Delivered, new_delivery
from gateway.core.jws import Signer
from gateway.core.receipt import Outcome, payload_bytes, receipt_payload
from gateway.ports import Attempt, Change, Ledger, NewMessage

_AT_ONCE: Final = 2000
_PATIENCE: Final = 14 * 86400.0


async def apply(province: Province) -> None:
    """Put the province's folder in force."""
    ledger = open_ledger(province.settings)
    await ledger.open()
    try:
        await apply_folder(ledger, province.settings, actor="bench", now=time.time())
    finally:
        await ledger.close()


async def fill(province: Province, *, began: float, first: int, count: int, delivered: bool) -> None:
    """Keep ``count`` messages from number ``first`` on.

    ``delivered``: all ended long ago, with their attempts and receipts; one body and one signature serve all of
    them, as nobody opens them again. Otherwise they wait for the office that is shut, each signed by itself.
    """
    signer = read_signer(*find_files(province.folder / "keys", SENDER))
    ledger = open_ledger(province.settings)
    await ledger.open()
    try:
        for start in range(first, first + count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, first + count))
            messages = list(_messages(began, numbers, signer, delivered=delivered))
            await ledger.accept_many(messages)
            if delivered:
                await _deliver(ledger, messages)
    finally:
        await ledger.close()


def _messages(began: float, numbers: range, signer: Signer, *, delivered: bool) -> Iterator[NewMessage]:
    now = time.time()
    sample = envelope(began, numbers[0], to=RECIPIENTS[0], now=now, signer=signer)
    receipt = signer.sign("receipt+jws", b"r" * 500).decode()
    for number in numbers:
        recipient = RECIPIENTS[number % len(RECIPIENTS)] if delivered else ASLEEP
        key = message_id(began, number)
        subject = f"H33.05,2026/11/22,{number}/STC-VP"
        raw = sample if delivered else envelope(began, number, to=recipient, now=now, signer=signer)
        digest = hashlib.sha256(key.encode() if delivered else raw).hexdigest()
        yield NewMessage(
            key=key, id=key, source=SENDER, type=CONTRACT, version=VERSION, subject=subject, accepted_at=now,
            digest=digest, repeat_digest=hashlib.sha256(digest.encode()).hexdigest(), envelope=raw,
            recipients=(recipient,), receipt=receipt, receipt_payload=_leaf("accepted", key, digest, recipient, now),
            deliveries=(
                new_delivery(
                    message=key, source=SENDER, subject=subject, recipient=recipient, contract=CONTRACT,
                    ordered=True, priority=0, accepted_at=now, notbefore=None, expires=None, patience=_PATIENCE,
                ),
            ),
        )  # fmt: skip


async def _deliver(ledger: Ledger, messages: list[NewMessage]) -> None:
    """End every delivery as a dispatcher does: lease, then record."""
    now = time.time()
    claims = await ledger.claim(dict.fromkeys(RECIPIENTS, _AT_ONCE), owner="bench", now=now, until=now + 60)
    digests = {message.key: message.digest for message in messages}
    changes = [
        Change(
            claim.delivery,
            claim.delivery.after(Delivered()),
            Attempt(1, now, now, "taken", 200),
            leaf=_leaf("delivered", claim.id, digests[claim.id], claim.delivery.recipient, now),
        )
        for claim in claims
    ]
    await ledger.record_many(changes, now=now)


def _leaf(outcome: Outcome, id: str, digest: str, recipient: str, at: float) -> bytes:
    return payload_bytes(
        receipt_payload(
            outcome, id=id, digest=f"sha-256:{digest}", source=SENDER, type=CONTRACT, to=[recipient], at=at,
            gateway="H33.14/lgsp", recipient=None if outcome == "accepted" else recipient,
        )
    )  # fmt: skip
