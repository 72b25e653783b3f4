"""An agency's software written from the public pages alone: keys, envelopes, tokens, HTTP and a webhook sink.

Nothing here imports the product: what it signs and verifies goes straight to ``cryptography``.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import NameOID

Record = dict[str, Any]
T = TypeVar("T")
Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes behind base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(raw: bytes) -> str:
    """A digest as the bus writes it."""
    return "sha-256:" + hashlib.sha256(raw).hexdigest()


def moment(seconds: float = 0) -> str:
    """RFC 3339, so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_key(kind: str) -> Key:
    """A new private key: ed25519, p256, p384, rsa or rsaBITS."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa") or 2048))


def natural_alg(key: Key) -> str:
    """The algorithm that most software would take for this key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "PS256"


def sign(key: Key, alg: str, message: bytes) -> bytes:
    """A JWS signature by RFC 7518 and RFC 8037, made with whatever key it is."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if alg == "RS256":
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


@dataclass(frozen=True)
class Identity:
    """A system with its key and certificate."""

    system: str
    key: Key
    certificate: x509.Certificate

    @property
    def thumbprint(self) -> str:
        """The ``x5t#S256``."""
        return b64(self.certificate.fingerprint(hashes.SHA256()))

    @property
    def x5c(self) -> str:
        """The certificate as a member of ``x5c``: base64 with padding."""
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as PKCS#8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def header(self, **members: Any) -> Record:
        """The protected header of an envelope; a member given as None is left out."""
        plain = {"alg": natural_alg(self.key), "typ": "ce+jws", "x5t#S256": self.thumbprint} | members
        return {name: value for name, value in plain.items() if value is not None}

    def seal(self, event: Mapping[str, Any] | bytes | str, header: Record | None = None) -> str:
        """An event, or a payload of bytes as they stand, as one compact JWS."""
        return jws(self.key, header or self.header(), event)


def jws(key: Key, header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes | str) -> str:
    """One compact JWS; header and payload may be given as bytes, so that they can be wrong."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    alg = "" if isinstance(header, bytes) else str(header.get("alg"))
    body = payload if isinstance(payload, bytes) else payload.encode() if isinstance(payload, str) else encode(payload)
    signed = f"{b64(head)}.{b64(body)}".encode()
    return f"{signed.decode()}.{b64(sign(key, alg, signed))}"


def encode(value: object) -> bytes:
    """JSON as UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode()


def identity(
    system: str, kind: str = "ed25519", *, begins: float = -3600, ends: float = 86400 * 30, key: Key | None = None
) -> Identity:
    """A key of this kind and a self-signed certificate, valid from and to so many seconds from now."""
    private = key or make_key(kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, system.replace("/", "-"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(seconds=begins))
        .not_valid_after(now + timedelta(seconds=ends))
        .sign(private, None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return Identity(system, private, certificate)


def event(source: str | None, to: str | None = None, contract: str = "note.made/1.0", **members: Any) -> Record:
    """A CloudEvent with every required attribute; a member given as None is left out."""
    name, version = contract.split("/")
    plain: Record = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": name,
        "dataschema": f"urn:lgsp:contract:{name}:{version}",
        "subject": f"HS-{uuid.uuid4().hex[:12]}",
        "time": moment(),
        "datacontenttype": "application/json",
        "to": to,
        "data": {"text": "Thông báo lịch họp"},
    }
    return {key: value for key, value in (plain | members).items() if value is not None}


def document(**members: Any) -> Record:
    """The data of a small document.issued 1.0."""
    return {
        "documentId": "H33.05,2026/10/12,9/TB-STC",
        "issuingOrganId": "H33.05",
        "subject": "Thông báo lịch họp",
        "confidentiality": "none",
    } | members


def opened(envelope: str) -> tuple[Record, Record]:
    """Header and payload of a compact JWS, unverified."""
    head, body, _ = envelope.split(".")
    return json.loads(unb64(head)), json.loads(unb64(body))


def verified(envelope: str, public: object) -> Record:
    """The payload, once its signature holds under this public key."""
    signed, _, signature = envelope.rpartition(".")
    alg = opened(envelope)[0]["alg"]
    raw = unb64(signature)
    if isinstance(public, ed25519.Ed25519PublicKey):
        assert alg in {"EdDSA", "Ed25519"}
        public.verify(raw, signed.encode())
    elif isinstance(public, ec.EllipticCurvePublicKey):
        assert alg == "ES256"
        half = len(raw) // 2
        der = utils.encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
        public.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    else:
        assert isinstance(public, rsa.RSAPublicKey)
        pad = padding.PKCS1v15() if alg == "RS256" else padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        public.verify(raw, signed.encode(), pad, hashes.SHA256())
    return opened(envelope)[1]


def key_of(pem: str) -> Any:
    """The public key of a certificate in PEM."""
    return x509.load_pem_x509_certificate(pem.encode()).public_key()


def spki(public: Any) -> bytes:
    """A public key as bytes, to compare two of them."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(public.public_bytes(serialization.Encoding.DER, form))


def public_keys(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a JWKS by ``kid``."""
    found: dict[str, Any] = {}
    for jwk in jwks["keys"]:
        if jwk["kty"] == "OKP":
            found[jwk["kid"]] = ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk["x"]))
        else:
            x, y = (int.from_bytes(unb64(jwk[name]), "big") for name in "xy")
            found[jwk["kid"]] = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return found


@dataclass(frozen=True)
class Answer:
    """What a door said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The body as JSON lines."""
        return [json.loads(line) for line in self.body.splitlines()]

    def is_problem(self, name: str, status: int) -> bool:
        """Whether this is that problem, in full shape."""
        problem = self.json
        assert self.headers["content-type"].split(";")[0] == "application/problem+json", self
        assert (problem["type"], problem["status"], self.status) == (f"urn:lgsp:problem:{name}", status, status), self
        assert problem["title"]
        assert problem["detail"]
        return True


class Bus:
    """The doors of one gateway."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        kind: str | None = None,
        timeout: float = 30,
    ) -> Answer:
        """One request on a connection of its own."""
        sent = dict(headers or {})
        if kind:
            sent["Content-Type"] = kind
        if token:
            sent["Authorization"] = f"Bearer {token}"
        parts = urlsplit(self.url)
        line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            line.request(method, path, body.encode() if isinstance(body, str) else body, sent)
            answer = line.getresponse()
            return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())
        finally:
            line.close()

    def get(self, path: str, token: str | None = None, **headers: str) -> Answer:
        """A GET."""
        return self.call("GET", path, token=token, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def send(self, envelope: str | bytes, **headers: str) -> Answer:
        """One envelope."""
        return self.call("POST", "/v1/messages", envelope, kind="application/jose", headers=headers)

    def send_lines(self, lines: Iterable[str]) -> Answer:
        """A batch."""
        body = "".join(f"{line}\n" for line in lines)
        return self.call("POST", "/v1/messages", body, kind="application/x-ndjson")

    def form(self, **members: str) -> Answer:
        """A request for a token."""
        return self.call("POST", "/oauth2/token", urlencode(members), kind="application/x-www-form-urlencoded")

    def keys(self) -> dict[str, Any]:
        """The gateway's public keys by ``kid``."""
        return public_keys(self.get("/.well-known/jwks.json").json)


class Seat:
    """One system at its bus: what its software does all day."""

    def __init__(self, bus: Bus, who: Identity) -> None:
        self.bus, self.who = bus, who
        self.system = who.system
        self._token: str | None = None

    def claims(self, **members: Any) -> Record:
        """The claims of a token assertion."""
        now = int(time.time())
        aud = f"{self.bus.url}/oauth2/token"
        plain = {"iss": self.system, "sub": self.system, "aud": aud, "jti": uuid.uuid4().hex, "iat": now}
        return {name: value for name, value in (plain | {"exp": now + 120} | members).items() if value is not None}

    def ask_token(self, claims: Record | None = None, header: Record | None = None) -> Answer:
        """The token door's answer to an assertion."""
        signed = self.who.seal(claims or self.claims(), header or self.who.header(typ="JWT"))
        return self.bus.form(grant_type="client_credentials", client_assertion_type=ASSERTION, client_assertion=signed)

    @property
    def token(self) -> str:
        """An access token, asked for once."""
        if self._token is None:
            answer = self.ask_token()
            assert answer.status == 200, answer
            self._token = answer.json["access_token"]
        return self._token

    def event(self, to: str | None = None, contract: str = "note.made/1.0", **members: Any) -> Record:
        """An event of this system, unless ``source`` says otherwise."""
        return event(members.pop("source", self.system), to, contract, **members)

    def send(self, to: str | None = None, contract: str = "note.made/1.0", **members: Any) -> str:
        """An accepted message's id."""
        answer = self.bus.send(self.who.seal(self.event(to, contract, **members)))
        assert answer.status == 202, answer
        return str(answer.json["id"])

    def get(self, path: str) -> Answer:
        """A GET with this system's token."""
        return self.bus.get(path, self.token)

    def post(self, path: str, body: object) -> Answer:
        """A POST of JSON with this system's token."""
        return self.bus.call("POST", path, encode(body), kind="application/json", token=self.token, timeout=70)

    def lease(self, most: int = 10, wait: float = 0, visibility: float = 30) -> list[Record]:
        """What waits for this system; ``event`` is the envelope's payload."""
        answer = self.post("/v1/inbox/lease", {"max": most, "wait": wait, "visibility": visibility})
        assert answer.status == 200, answer
        found: list[Record] = answer.json["deliveries"]
        for one in found:
            one["event"] = opened(one["envelope"])[1]
        return found

    def settle(self, **members: Any) -> Record:
        """The answer to a settlement."""
        answer = self.post("/v1/inbox/settle", members)
        assert answer.status == 200, answer
        return dict(answer.json)

    def take(self, count: int = 1, within: float = 10) -> list[Record]:
        """So many deliveries, leased and taken, in order."""
        got: list[Record] = []
        until = time.monotonic() + within
        while len(got) < count and time.monotonic() < until:
            more = self.lease(most=count - len(got), wait=2)
            if more:
                self.settle(taken=[one["delivery"] for one in more])
            got += more
        assert len(got) == count, f"{len(got)} of {count} arrived"
        return got

    def message(self, identifier: str) -> Record:
        """What became of a message."""
        answer = self.get(f"/v1/messages/{identifier}")
        assert answer.status == 200, answer
        return dict(answer.json)

    def delivery(self, identifier: str, recipient: str | None = None) -> Record:
        """The one delivery of a message, or the one to this recipient."""
        found = self.message(identifier)["deliveries"]
        chosen = [one for one in found if recipient is None or one["recipient"] == recipient]
        assert len(chosen) == 1, found
        return dict(chosen[0])

    def until(self, identifier: str, state: str, recipient: str | None = None, within: float = 10) -> Record:
        """The delivery, once it is in this state."""
        return eventually(
            lambda: self.delivery(identifier, recipient), lambda one: bool(one["state"] == state), within=within
        )


def eventually(look: Callable[[], T], holds: Callable[[T], bool] = bool, *, within: float = 10) -> T:
    """What is seen, as soon as the condition holds; fails with the last sight."""
    until = time.monotonic() + within
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < until, f"not within {within} s, last seen: {seen}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Push:
    """One request that arrived at the sink."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True)
class Reply:
    """What the sink says to it."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: float = 0
    break_off: bool = False


Teller = Callable[[Push], Reply]


class Sink:
    """The receiving end of webhooks: one HTTP server, a path for each system, answers on demand."""

    def __init__(self) -> None:
        self._got: list[Push] = []
        self._tellers: dict[str, Teller] = {}
        self._news = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, path: str, *replies: Reply | int | Teller) -> None:
        """Say these in turn from now on, the last one for ever; forget what came there before."""
        left = list(replies)

        def tell(push: Push) -> Reply:
            now = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(now, int):
                return Reply(now)
            return now if isinstance(now, Reply) else now(push)

        with self._news:
            self._tellers[path] = tell
            self._got = [one for one in self._got if one.path != path]

    def pushes(self, path: str) -> list[Push]:
        """What came to a path so far."""
        with self._news:
            return [one for one in self._got if one.path == path]

    def wait(self, path: str, count: int = 1, within: float = 10) -> list[Push]:
        """What came to a path, once it is so many."""
        with self._news:
            enough = self._news.wait_for(lambda: sum(one.path == path for one in self._got) >= count, within)
            came = [one for one in self._got if one.path == path]
        assert enough, f"{len(came)} of {count} pushes to {path} within {within} s"
        return came

    def _hear(self, push: Push) -> Reply:
        with self._news:
            self._got.append(push)
            tell = self._tellers.get(push.path)
            reply = tell(push) if tell else Reply()
            self._news.notify_all()
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = sink._hear(Push(self.path, headers, body, time.time()))
                time.sleep(reply.after)
                if reply.break_off:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                """A sink is silent."""

        return Handler
