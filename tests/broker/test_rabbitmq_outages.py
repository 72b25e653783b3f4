"""RabbitMQ killed, hanging, short of memory, spoken to by TLS: a gateway goes on, and its password stays its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import ipaddress
import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from adapters.amqp.line import Line
from gateway import telemetry
from gateway.broker.rabbitmq import RabbitBroker, session
from gateway.core.faults import Misconfigured, TransientFailure
from gateway.telemetry import REGISTRY
from tests.broker.listening import hear, told_across, until_reading
from tests.servers import PrivateRabbit, Unavailable
from tests.servers.private import free_ports

DMS = "H33.16/dms"


class Rabbit(PrivateRabbit):
    """One that speaks TLS, too, and may be stopped: nobody else uses it."""

    def __init__(self) -> None:
        super().__init__()
        (self.tls_port,) = free_ports(1)
        certificate, key = self_signed()
        self.certificate = self.write("tls.crt", certificate)
        self.settings = (
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.cacertfile = {self.certificate}\n"
            f"ssl_options.certfile = {self.certificate}\n"
            f"ssl_options.keyfile = {self.write('tls.key', key)}\n"
        )

    @property
    def tls_url(self) -> str:
        return f"amqps://lgsp:{self.password}@127.0.0.1:{self.tls_port}/"


@pytest.fixture(scope="module")
def rabbit() -> Iterator[Rabbit]:
    try:
        server = Rabbit()
    except Unavailable as why:
        pytest.skip(str(why))
    with server:
        yield server


@pytest.fixture
async def pair(rabbit: Rabbit) -> AsyncIterator[tuple[RabbitBroker, RabbitBroker]]:
    """Two gateways on it."""
    rabbit.start()
    first, second = (RabbitBroker(rabbit.url, f"gw{n}.0", known=lambda: [DMS]) for n in (1, 2))
    for each in (first, second):
        await each.open()
        await until_reading(each, DMS)
    yield first, second
    for each in (first, second):
        await each.close()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, libraries at their most talkative."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.set_up(stream=stream, level="debug")
    root.setLevel(logging.DEBUG)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])


async def test_tls_is_spoken_to_a_broker_whose_certificate_is_trusted(rabbit: Rabbit) -> None:
    gateway = RabbitBroker(f"{rabbit.tls_url}?cafile={rabbit.certificate}", "gw1.0", known=lambda: [DMS])
    await gateway.open()
    await until_reading(gateway, DMS)
    gateway.announce(frozenset({DMS}))
    await hear(gateway, {DMS})
    await gateway.close()


async def test_tls_is_refused_to_a_broker_whose_certificate_is_not_whatever_the_url_says(rabbit: Rabbit) -> None:
    with capture_logs() as said:
        gateway = RabbitBroker(f"{rabbit.tls_url}?no_verify_ssl=1", "gw1.0")
        await gateway.open()
        end = time.monotonic() + 5
        while not said:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        await gateway.close()

    assert [line["event"] for line in said] == ["broker.away"]
    assert not gateway.is_connected


async def test_agencies_messages_do_not_go_to_such_a_broker_either(rabbit: Rabbit) -> None:
    for trusting in ("", "?no_verify_ssl=1"):
        with pytest.raises(TransientFailure):
            await Line(f"{rabbit.tls_url}{trusting}").channel()

    line = Line(f"{rabbit.tls_url}?cafile={rabbit.certificate}")
    line.join()
    assert not (await line.channel()).is_closed
    await line.leave()


def test_certificates_that_cannot_be_read_are_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        RabbitBroker(f"amqps://lgsp:secret@127.0.0.1/?cafile={tmp_path}/none.pem", "gw1.0")
    assert "cafile" in refused.value.right.en
    assert "secret" not in str(refused.value)


async def test_a_broker_that_hangs_is_noticed_and_meanwhile_gateways_look_for_themselves(
    rabbit: Rabbit, pair: tuple[RabbitBroker, RabbitBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER", 0.3)
    first, second = pair
    await asyncio.to_thread(rabbit.pause)
    try:
        first.announce(frozenset({DMS}))
        await hear(first, {DMS}, within=2)
        end = time.monotonic() + 2
        while first.is_connected:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        assert first._doubted == set(), "it is all of the broker, not one queue"
    finally:
        await asyncio.to_thread(rabbit.resume)
    monkeypatch.undo()

    await told_across(first, second, within=20)


async def test_a_broker_short_of_memory_is_waited_for_without_leaving_it(
    rabbit: Rabbit, pair: tuple[RabbitBroker, RabbitBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "ANSWER", 0.5)
    monkeypatch.setattr(session, "LOOK", 0.2)
    first, second = pair
    with capture_logs() as said:
        await asyncio.to_thread(rabbit.control, "set_vm_memory_high_watermark", "0.000001")
        for _ in range(5):
            first.announce(frozenset({DMS}))
            await hear(first, {DMS}, within=2)
        await asyncio.sleep(1)
        assert first.is_connected
        await asyncio.to_thread(rabbit.control, "set_vm_memory_high_watermark", "0.4")
        await told_across(first, second)
    assert said == []


async def test_a_killed_broker_is_found_again_and_its_password_is_never_told(
    rabbit: Rabbit, pair: tuple[RabbitBroker, RabbitBroker], log: io.StringIO
) -> None:
    first, second = pair
    first.announce(frozenset({DMS}))
    await asyncio.gather(first.wait(0.2), second.wait(0.2))

    rabbit.kill()
    for _ in range(20):
        began = time.monotonic()
        first.announce(frozenset({DMS}), {DMS: ["d-1"]})
        first.later(DMS, "d-1", 60)
        assert time.monotonic() - began < 0.05
        await hear(first, {DMS})
    assert not first.is_connected
    assert REGISTRY.get_sample_value("lgsp_broker_away") == 1

    await asyncio.to_thread(rabbit.start)
    back = time.monotonic()
    await told_across(first, second, within=15)
    assert time.monotonic() - back < 6
    assert REGISTRY.get_sample_value("lgsp_broker_away") == 0
    assert "broker.away" in log.getvalue()
    assert rabbit.password not in log.getvalue()


def self_signed() -> tuple[str, str]:
    """Certificate and key of 127.0.0.1, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
