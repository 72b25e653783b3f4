"""Push over HTTP: one POST per message, signed per Standard Webhooks, answered by a status code.

Any 2xx means taken. 400, 413, 415 and 422 refuse this message for good. 410 asks for no more. Everything
else, redirects included, is the destination's fault and is tried again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, Literal

from yarl import URL

from adapters.webhook.answer import Answer
from adapters.webhook.courier import Courier
from gateway.calls.address import check_url
from gateway.calls.caller import retry_after
from gateway.core.faults import (
    DestinationGone,
    PermanentFailure,
    Text,
    TimedOut,
    TransientFailure,
)
from gateway.core.jws import signature_of
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = False
_REFUSED: Final = frozenset({400, 413, 415, 422})
_GONE: Final = 410
_SECRET_PREFIX: Final = b"whsec_"


class Webhook:
    """One system's address, over kept-alive connections."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file."""
        self._context = context
        self._signs = context.settings.get("signature", "v1a") == "v1a"
        self._timeout = float(context.settings.get("timeout", 15))
        self._courier = Courier(
            URL(str(context.settings["url"])),
            own=context.own_addresses,
            private_allowed=bool(context.settings.get("private", True)),
            timeout=self._timeout,
        )

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Post one message; raises as the port says. Redirects are never followed."""
        try:
            answer = await self._courier.post(self._fields(parcel), parcel.body)
        except TimeoutError:
            raise TimedOut(f"no answer within {self._timeout:g} s") from None
        return self._judged(answer)

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: such a system sends for itself."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Close the kept connections."""
        await self._courier.close()

    def _fields(self, parcel: Parcel) -> str:
        """The header fields of one request, as lines."""
        stamp = str(int(self._context.now()))
        kind = "application/jose" if parcel.format == "jws" else "application/cloudevents+json"
        lines = (
            f"content-type: {kind}\r\nwebhook-id: {parcel.delivery}\r\nwebhook-timestamp: {stamp}\r\n"
            f"lgsp-attempt: {parcel.attempt}\r\nlgsp-message: {parcel.message}\r\n"
            f"user-agent: {self._context.user_agent}\r\n"
        )
        for name in ("traceparent", "tracestate"):
            value = parcel.event.get(name)
            if isinstance(value, str) and value.isascii() and value.isprintable():
                lines += f"{name}: {value}\r\n"
        signatures = self._signatures(f"{parcel.delivery}.{stamp}.".encode() + parcel.body)
        return f"{lines}webhook-signature: {' '.join(signatures)}\r\n" if signatures else lines

    def _signatures(self, content: bytes) -> list[str]:
        """Standard Webhooks: ``v1a`` by the gateway's webhook key, ``v1`` where a secret is shared."""
        signatures: list[str] = []
        if self._signs:
            signer = self._context.webhook_signer
            signatures.append("v1a," + _b64(signature_of(signer.key, signer.alg, content)))
        secret_file = self._context.system.webhook_secret_file
        if secret_file is not None:
            secret = webhook_secret(self._context.read_secret(secret_file))
            signatures.append("v1," + _b64(hmac.new(secret, content, hashlib.sha256).digest()))
        return signatures

    def _judged(self, answer: Answer) -> HandedOver:
        status = answer.status
        if 200 <= status < 300:
            return HandedOver(status, _receipt(answer))
        wish = retry_after(answer.fields.get("retry-after"), self._context.now())
        if status in _REFUSED:
            raise PermanentFailure(f"the recipient refused the message with status {status}", status)
        if status == _GONE:
            raise DestinationGone("the recipient asks for no more deliveries (410)", status)
        raise TransientFailure(f"the recipient answered with status {status}", status, wish)


def _receipt(answer: Answer) -> bytes | None:
    """The body where it can be a compact JWS; a broken or endless body of a 2xx answer still means taken."""
    is_one = answer.is_whole and not answer.is_cut and answer.body.count(b".") == 2
    return answer.body if is_one else None


def webhook_secret(text: bytes) -> bytes:
    """The key in a Standard Webhooks secret: base64, with or without ``whsec_`` before it; else the text itself."""
    text = text.strip()
    encoded = text.removeprefix(_SECRET_PREFIX)
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return text


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def open_adapter(context: AdapterContext) -> Webhook:
    """The adapter of one system; raises Misconfigured where the address cannot be one."""
    check_url(str(context.settings["url"]), f"{context.system.name}: settings.url")
    return Webhook(context)
