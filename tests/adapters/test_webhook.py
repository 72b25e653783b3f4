"""The webhook adapter: what is posted, how answers are judged, where it may connect."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.abc import ResolveResult
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws as joserfc_jws
from joserfc.jwk import OKPKey

from adapters.webhook.adapter import Webhook, open_adapter, webhook_secret
from adapters.webhook.stand_in import Answer, WebhookSink, own_receipt
from gateway.calls import address
from gateway.calls.address import ForbiddenAddress, check_address, is_disguised
from gateway.calls.caller import retry_after
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, TimedOut, TransientFailure
from gateway.core.jws import Signer, b64url
from gateway.ports import AdapterContext
from tests.adapters.fitting import SECRET, SECRET_FILE, WEBHOOK, Hands, a_parcel, an_event

NOTHING: frozenset[tuple[str, int]] = frozenset()
MONDAY = 1795395600.0
assert isinstance(WEBHOOK.key, Ed25519PrivateKey)
PUBLIC: Ed25519PublicKey = WEBHOOK.key.public_key()


@dataclass(slots=True)
class Line:
    """A listening recipient and the adapter that calls it."""

    sink: WebhookSink
    hands: Hands
    opened: list[Webhook] = field(default_factory=list)

    def context(self, *, secret: bool = True, **settings: Any) -> AdapterContext:
        """The context of a system at the sink's address."""
        of_system = {} if secret else {"webhook_secret_file": None}
        return self.hands.context("webhook", {"url": self.sink.url, "timeout": 1, **settings}, **of_system)

    def adapter(self, *, secret: bool = True, **settings: Any) -> Webhook:
        """An adapter open until the test ends."""
        made = open_adapter(self.context(secret=secret, **settings))
        self.opened.append(made)
        return made


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    sink = WebhookSink(public_key=PUBLIC, secret=SECRET)
    await sink.start()
    made = Line(sink, Hands(tmp_path, MONDAY))
    yield made
    for adapter in made.opened:
        await adapter.close()
    await sink.stop()


# ---------------------------------------------------------------------------------------------------- the request


async def test_an_envelope_is_posted_with_exactly_the_headers_of_the_interface(line: Line) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    parcel = a_parcel(line.context(), event=an_event(traceparent=trace, tracestate="a=b"), attempt=3)
    await line.adapter().deliver(parcel)
    (got,) = line.sink.received
    assert got.body == parcel.body
    headers = dict(got.headers)
    assert headers.pop("webhook-signature").startswith("v1a,")
    assert headers.pop("host")
    assert headers == {
        "content-type": "application/jose",
        "content-length": str(len(parcel.body)),
        "webhook-id": parcel.delivery,
        "webhook-timestamp": str(int(MONDAY)),
        "lgsp-attempt": "3",
        "lgsp-message": parcel.message,
        "traceparent": trace,
        "tracestate": "a=b",
        "user-agent": "lgsp/test",
        "accept": "*/*",
        "accept-encoding": "identity",
    }


async def test_a_bare_event_is_posted_as_cloudevents(line: Line) -> None:
    parcel = a_parcel(line.context(), format="cloudevents")
    await line.adapter().deliver(parcel)
    (got,) = line.sink.received
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert json.loads(got.body) == parcel.event


async def test_of_a_translation_the_header_names_the_original(line: Line) -> None:
    parcel = replace(a_parcel(line.context()), message="0193c0de-0000-7000-8000-00000000feed", is_translated=True)
    await line.adapter().deliver(parcel)
    assert line.sink.received[0].message == "0193c0de-0000-7000-8000-00000000feed"


@pytest.mark.parametrize("trace", ["x\r\nevil: 1", "đ", 7, None])
async def test_a_trace_that_is_no_header_is_left_out(line: Line, trace: object) -> None:
    await line.adapter().deliver(a_parcel(line.context(), event=an_event(traceparent=trace)))
    assert not {"traceparent", "evil"} & set(line.sink.received[0].headers)


# -------------------------------------------------------------------------------------------------- the signatures


async def test_both_signatures_hold_by_the_recipients_own_code(line: Line) -> None:
    await line.adapter().deliver(a_parcel(line.context()))
    assert line.sink.received[0].signatures == {"v1a": True, "v1": True}


async def test_the_signatures_are_those_of_standard_webhooks_byte_by_byte(line: Line) -> None:
    parcel = a_parcel(line.context())
    await line.adapter().deliver(parcel)
    signed = f"{parcel.delivery}.{int(MONDAY)}.".encode() + parcel.body
    v1a, v1 = line.sink.received[0].headers["webhook-signature"].split(" ")
    PUBLIC.verify(base64.b64decode(v1a.removeprefix("v1a,")), signed)
    with pytest.raises(InvalidSignature):
        PUBLIC.verify(base64.b64decode(v1a.removeprefix("v1a,")), signed + b".")
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    assert v1 == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


async def test_without_a_shared_secret_only_the_public_signature_is_sent(line: Line) -> None:
    await line.adapter(secret=False).deliver(a_parcel(line.context()))
    assert line.sink.received[0].signatures == {"v1a": True}


async def test_signature_none_leaves_the_public_one_out(line: Line) -> None:
    await line.adapter(signature="none").deliver(a_parcel(line.context()))
    await line.adapter(signature="none", secret=False).deliver(a_parcel(line.context()))
    assert [got.signatures for got in line.sink.received] == [{"v1": True}, {}]
    assert "webhook-signature" not in line.sink.received[1].headers


async def test_a_secret_changed_on_disk_is_used_from_the_next_request_on(line: Line) -> None:
    secrets = iter([SECRET, "whsec_" + base64.b64encode(b"another secret of ours..").decode()])
    context = replace(line.context(), read_secret=lambda path: {SECRET_FILE: next(secrets).encode()}[path])
    adapter = open_adapter(context)
    line.opened.append(adapter)
    await adapter.deliver(a_parcel(context))
    await adapter.deliver(a_parcel(context))
    assert [got.signatures["v1"] for got in line.sink.received] == [True, False]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b"whsec_AAEC\n", b"\x00\x01\x02"),
        (b"  AAEC ", b"\x00\x01\x02"),
        (b"not base64, plainly!", b"not base64, plainly!"),
    ],
)
def test_a_secret_is_base64_with_or_without_its_mark_or_plain_text(text: bytes, key: bytes) -> None:
    assert webhook_secret(text) == key


# ------------------------------------------------------------------------------------------------------ the answers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
async def test_any_2xx_is_taken(line: Line, status: int) -> None:
    line.sink.script.append(Answer(status))
    assert (await line.adapter().deliver(a_parcel(line.context()))).status == status


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_four_answers_refuse_this_message_for_good(line: Line, status: int) -> None:
    line.sink.script.append(Answer(status))
    with pytest.raises(PermanentFailure) as failure:
        await line.adapter().deliver(a_parcel(line.context()))
    assert failure.value.status == status


async def test_410_asks_for_no_more(line: Line) -> None:
    line.sink.script.append(Answer(410))
    with pytest.raises(DestinationGone) as failure:
        await line.adapter().deliver(a_parcel(line.context()))
    assert failure.value.status == 410


@pytest.mark.parametrize(
    "status",
    "300 304 401 402 403 404 405 406 407 408 409 411 418 423 425 428 429 500 501 502 503 504 511".split(),
)
async def test_everything_else_is_the_destinations_fault_and_tried_again(line: Line, status: str) -> None:
    line.sink.script.append(Answer(int(status), {"Retry-After": "7"}))
    with pytest.raises(TransientFailure) as failure:
        await line.adapter().deliver(a_parcel(line.context()))
    assert not isinstance(failure.value, DestinationGone)
    assert (failure.value.status, failure.value.retry_after) == (int(status), 7.0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_never_followed(line: Line, status: int) -> None:
    other = WebhookSink()
    await other.start()
    line.sink.script.append(Answer(status, {"Location": other.url}))
    with pytest.raises(TransientFailure) as failure:
        await line.adapter().deliver(a_parcel(line.context()))
    await other.stop()
    assert failure.value.status == status
    assert (len(line.sink.received), other.received) == (1, [])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        (formatdate(MONDAY + 90, usegmt=True), 90.0),
        (formatdate(MONDAY - 90, usegmt=True), 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1" * 12, None),
        ("٣", None),
        ("Mon, 99 Nov 2026 99:00:00 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_understood_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, MONDAY) == seconds


async def test_a_date_in_retry_after_reaches_the_failure_in_seconds(line: Line) -> None:
    line.sink.script.append(Answer(503, {"Retry-After": formatdate(MONDAY + 30, usegmt=True)}))
    with pytest.raises(TransientFailure) as failure:
        await line.adapter().deliver(a_parcel(line.context()))
    assert failure.value.retry_after == 30.0


# ------------------------------------------------------------------------------------------------------ misbehaviour


async def test_no_answer_in_time_leaves_it_open_whether_the_message_was_taken(line: Line) -> None:
    line.sink.script.append(Answer(hang=True))
    adapter = line.adapter(timeout=0.2)
    with pytest.raises(TimedOut):
        await adapter.deliver(a_parcel(line.context()))
    assert (await adapter.deliver(a_parcel(line.context()))).status == 200


async def test_a_broken_connection_is_a_temporary_failure(line: Line) -> None:
    line.sink.script.append(Answer(reset=True))
    with pytest.raises(TransientFailure) as failure:
        await line.adapter().deliver(a_parcel(line.context()))
    assert not isinstance(failure.value, TimedOut)


async def test_a_closed_door_is_a_temporary_failure(line: Line) -> None:
    await line.sink.stop()
    with pytest.raises(TransientFailure):
        await line.adapter().deliver(a_parcel(line.context()))


async def test_what_is_no_http_is_a_temporary_failure(line: Line) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(TransientFailure):
        await line.adapter(url=f"http://127.0.0.1:{port}/").deliver(a_parcel(line.context()))
    server.close()
    await server.wait_closed()


async def test_an_endless_body_is_cut_off_and_still_means_taken(line: Line) -> None:
    line.sink.script.append(Answer(endless=True))
    started = time.monotonic()
    handed = await line.adapter(timeout=5).deliver(a_parcel(line.context()))
    assert (handed.status, handed.receipt) == (200, None)
    assert time.monotonic() - started < 3


async def test_an_endless_body_of_a_refusal_is_not_read_at_all(line: Line) -> None:
    line.sink.script.append(Answer(503, endless=True))
    started = time.monotonic()
    with pytest.raises(TransientFailure):
        await line.adapter(timeout=5).deliver(a_parcel(line.context()))
    assert time.monotonic() - started < 3


async def test_connections_are_kept_alive(line: Line) -> None:
    adapter = line.adapter()
    for number in range(5):
        await adapter.deliver(a_parcel(line.context(), number))
    assert len({got.peer for got in line.sink.received}) == 1


async def test_closing_leaves_no_connection_behind(line: Line) -> None:
    adapter = open_adapter(line.context())
    await adapter.deliver(a_parcel(line.context()))
    await adapter.close()
    await adapter.close()
    del adapter
    gc.collect()


# ----------------------------------------------------------------------------------------------- the own receipt


async def test_the_recipients_own_receipt_is_handed_back(line: Line) -> None:
    signer = Signer(Ed25519PrivateKey.generate(), "Ed25519", "r" * 43)
    line.sink.receipt = lambda got: own_receipt(got, recipient="H33.16/dms", signer=signer, now=MONDAY)
    parcel = a_parcel(line.context())
    handed = await line.adapter().deliver(parcel)
    assert handed.receipt is not None
    key = signer.key
    assert isinstance(key, Ed25519PrivateKey)
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(key.public_key().public_bytes_raw())})
    payload = json.loads(joserfc_jws.deserialize_compact(handed.receipt.decode(), public, ["Ed25519"]).payload)
    assert payload == {
        "receipt": "taken",
        "id": parcel.message,
        "digest": "sha-256:" + hashlib.sha256(parcel.body).hexdigest(),
        "recipient": "H33.16/dms",
        "at": "2026-11-23T01:00:00.000Z",
    }


@pytest.mark.parametrize("body", [b"", b"OK", b"{}", b"a.b.c.d", b"\xff" * 100])
async def test_a_body_that_can_be_no_receipt_is_passed_over(line: Line, body: bytes) -> None:
    line.sink.script.append(Answer(200, body=body))
    assert (await line.adapter().deliver(a_parcel(line.context()))).receipt is None


async def test_an_echo_is_handed_on_for_the_relay_to_judge(line: Line) -> None:
    line.sink.script.append(Answer(echo=True))
    parcel = a_parcel(line.context())
    assert (await line.adapter().deliver(parcel)).receipt == parcel.body


# --------------------------------------------------------------------------------------------------- where it calls


FORBIDDEN = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "::ffff:169.254.169.254",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("host", FORBIDDEN)
def test_some_addresses_are_never_called(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_address(host, 443, own=NOTHING, private_allowed=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("private", [True, False])
def test_loopback_is_allowed_as_agencies_may_run_on_the_same_machine(host: str, private: bool) -> None:
    check_address(host, 443, own=frozenset({("127.0.0.1", 8600), ("::1", 8600)}), private_allowed=private)


PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1"]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_ranges_are_called_where_the_setting_says_so(host: str) -> None:
    check_address(host, 443, own=NOTHING, private_allowed=True)
    with pytest.raises(ForbiddenAddress):
        check_address(host, 443, own=NOTHING, private_allowed=False)


def test_public_addresses_are_called_either_way() -> None:
    for private in (True, False):
        check_address("8.8.8.8", 443, own=NOTHING, private_allowed=private)
        check_address("2001:4860:4860::8888", 443, own=NOTHING, private_allowed=private)


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::"])
def test_the_gateways_own_listener_is_never_called(host: str, bound: str) -> None:
    with pytest.raises(ForbiddenAddress, match="own listener"):
        check_address(host, 8600, own=frozenset({(bound, 8600)}), private_allowed=True)
    check_address(host, 8601, own=frozenset({(bound, 8600)}), private_allowed=True)


def test_a_listener_on_every_address_is_found_behind_each_of_this_machines_own() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            mine = str(probe.getsockname()[0])
        except OSError:
            mine = "127.0.0.7"
    with pytest.raises(ForbiddenAddress, match="own listener"):
        check_address(mine, 8600, own=frozenset({("0.0.0.0", 8600)}), private_allowed=True)
    check_address("192.0.2.77", 8600, own=frozenset({("0.0.0.0", 8600)}), private_allowed=True)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "[::ffff:169.254.169.254]"])
async def test_an_address_written_out_is_judged_before_any_connection(line: Line, host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await line.adapter(url=f"http://{host}:9/x").deliver(a_parcel(line.context()))


async def test_the_own_listener_is_judged_by_what_was_bound(line: Line) -> None:
    port = int(line.sink.url.rpartition(":")[2].partition("/")[0])
    line.hands.own = frozenset({("0.0.0.0", port)})
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(ForbiddenAddress):
            await line.adapter(url=f"http://{host}:{port}/").deliver(a_parcel(line.context()))
    assert line.sink.received == []


class FakeResolver:
    """Answers what the test says, and may change its mind."""

    answers: list[list[str]] = []  # noqa: RUF012 - set by each test

    async def resolve(self, host: str, port: int, family: int) -> list[ResolveResult]:
        hosts = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0)
            for each in hosts
        ]

    async def close(self) -> None:
        """Nothing to let go."""


async def test_a_name_that_leads_to_a_forbidden_address_is_not_called(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "ThreadedResolver", FakeResolver)
    monkeypatch.setattr(FakeResolver, "answers", [["169.254.169.254"]])
    with pytest.raises(ForbiddenAddress):
        await line.adapter(url="http://metadata.example.vn:80/").deliver(a_parcel(line.context()))


async def test_of_several_addresses_only_those_that_may_be_called_are(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "ThreadedResolver", FakeResolver)
    monkeypatch.setattr(FakeResolver, "answers", [["169.254.169.254", "127.0.0.1"]])
    port = line.sink.url.rpartition(":")[2].partition("/")[0]
    await line.adapter(url=f"http://dms.example.vn:{port}/").deliver(a_parcel(line.context()))
    assert len(line.sink.received) == 1


async def test_a_name_that_changes_its_mind_is_judged_anew_at_the_next_connection(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "ThreadedResolver", FakeResolver)
    monkeypatch.setattr(FakeResolver, "answers", [["127.0.0.1"], ["169.254.169.254"]])
    port = line.sink.url.rpartition(":")[2].partition("/")[0]
    adapter = line.adapter(url=f"http://dms.example.vn:{port}/")
    line.sink.script.append(Answer(200, {"Connection": "close"}))
    await adapter.deliver(a_parcel(line.context()))
    with pytest.raises(ForbiddenAddress):
        await adapter.deliver(a_parcel(line.context()))
    assert len(line.sink.received) == 1


async def test_a_name_that_does_not_exist_is_a_temporary_failure(line: Line) -> None:
    with pytest.raises(TransientFailure):
        await line.adapter(url="http://no-such-host.invalid/").deliver(a_parcel(line.context()))


@pytest.mark.parametrize("host", ["2852039166", "0177.0.0.1", "127.1", "127.0.0.1."])
def test_an_address_in_disguise_is_refused_when_opened(tmp_path: Path, host: str) -> None:
    assert is_disguised(host)
    with pytest.raises(Misconfigured):
        open_adapter(Hands(tmp_path).context("webhook", {"url": f"http://{host}/"}))


@pytest.mark.parametrize("host", ["dms.example.vn", "10.0.0.5", "0x7f000001", "3com.example.vn"])
def test_plain_names_and_addresses_are_no_disguise(host: str) -> None:
    assert not is_disguised(host)


@pytest.mark.parametrize("url", ["http:///x", "http://dms:99999/", "http://[::1/"])
def test_an_address_without_a_usable_host_is_refused_when_opened(tmp_path: Path, url: str) -> None:
    with pytest.raises(Misconfigured) as mistake:
        open_adapter(Hands(tmp_path).context("webhook", {"url": url}))
    assert mistake.value.where == "H33.16/dms: settings.url"
