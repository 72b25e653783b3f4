"""The town's hall: its HTTP doors on a loopback port, over the real steps and the reference ledger."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import jsonschema
import referencing
from aiohttp import web

from gateway.api.app import Doors, Limits, Operator, make_app
from gateway.api.docs import described
from gateway.api.listener import GuardedSite
from gateway.api.siblings import Siblings
from gateway.core import jws
from gateway.core.calendar import Calendar
from gateway.core.directory import Agency, Certificate, Directory, System
from gateway.core.faults import Rejected, Text
from gateway.core.query import Question
from gateway.ports import HeldFile
from gateway.relay.differences import Differences
from gateway.relay.documents import Documents
from gateway.relay.dossiers import Dossiers
from gateway.relay.gather import Gather
from gateway.relay.missing import ReplayMissing
from gateway.relay.operations import Operations
from gateway.relay.query import Queries, Reply
from gateway.relay.reception import Reception
from gateway.relay.reconcile import Reconcile
from gateway.relay.upload import UploadLimits, Uploads
from gateway.store.memory_documents import MemoryRegister
from gateway.store.memory_dossiers import MemoryDossierRegister
from gateway.store.memory_failures import MemoryFailures
from gateway.store.memory_manifests import MemoryManifests
from gateway.store.memory_queries import MemoryQueryLog
from gateway.store.memory_replays import MemoryReplays
from gateway.store.scratch import Scratch
from gateway.store.uploads import UploadFolder
from tests.town import GATEWAY, Town, a_pair, a_town
from tests.trust.looking import an_inspect

FILE_LIMIT = 2**20
OPERATOR = "the-operators-long-random-token"
SECRET = "a secret of old software"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PUBLIC_URL = "https://lgsp.example.vn"
_OPENAPI = described("openapi")
KNOWN = referencing.Registry().with_resource(
    "urn:doors", referencing.Resource.from_contents(_OPENAPI, referencing.jsonschema.DRAFT202012)
)


def conforms(schema: str, value: Any) -> None:
    """Hold ``value`` to a schema of the OpenAPI document, formats too."""
    jsonschema.Draft202012Validator(
        {"$ref": f"urn:doors#/components/schemas/{schema}"},
        registry=KNOWN,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    ).validate(value)


@dataclass
class FolderSpool:
    """Bytes by SHA-256 in a folder; for tests, so nothing is done for durability."""

    folder: Path

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep a stream."""
        content = b"".join([chunk async for chunk in chunks])
        if len(content) > limit:
            raise Rejected("too-large", Text("Tệp quá lớn.", "The file is too large."))
        sha256 = hashlib.sha256(content).hexdigest()
        self.path(sha256).write_bytes(content)
        return sha256, len(content)

    async def adopt(self, whole: Path, sha256: str) -> None:
        """Keep a whole file."""
        await asyncio.to_thread(shutil.copyfile, whole, self.path(sha256))

    def path(self, sha256: str) -> Path:
        """Where the bytes are."""
        return self.folder / sha256

    def open(self, sha256: str) -> BinaryIO:
        """The bytes."""
        return self.path(sha256).open("rb")

    def is_present(self, sha256: str) -> bool:
        """Whether they are there."""
        return self.path(sha256).exists()

    def remove(self, sha256: str) -> None:
        """Forget them."""
        self.path(sha256).unlink(missing_ok=True)


@dataclass(frozen=True)
class Answer:
    """What came back."""

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

    def problem(self, name: str, status: int) -> dict[str, Any]:
        """The problem, found to be the one expected and in due form."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        members: dict[str, Any] = self.json
        conforms("Problem", members)
        assert (members["type"], members["status"], self.status) == (f"urn:lgsp:problem:{name}", status, status)
        assert members["title"]
        assert len(members["detail"]) > 20
        assert self.headers["X-Content-Type-Options"] == "nosniff"
        return members


@dataclass
class Hall:
    """The open doors, the town behind them, and a caller's ways of asking."""

    town: Town
    doors: Doors
    url: str
    session: aiohttp.ClientSession
    readiness: dict[str, bool]
    runner: web.AppRunner
    #: Adapters of systems that have a door of their own, by name.
    answering: dict[str, Any] = field(default_factory=dict)
    #: What providers say to a query, by the system's name: called with nothing.
    answers: dict[str, Callable[[], Awaitable[Reply]]] = field(default_factory=dict)

    async def ask(self, method: str, path: str, *, token: str | None = None, **request: Any) -> Answer:
        """One request; ``token`` goes into the Authorization header."""
        headers = dict(request.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.session.request(method, self.url + path, headers=headers, **request) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **request: Any) -> Answer:
        """GET."""
        return await self.ask("GET", path, **request)

    async def publish(self, body: bytes, *, kind: str = "application/jose", **request: Any) -> Answer:
        """POST to /v1/messages."""
        headers = {"Content-Type": kind, **request.pop("headers", {})}
        return await self.ask("POST", "/v1/messages", data=io.BytesIO(body), headers=headers, **request)

    def assertion(
        self, system: str = "H33.05/dms", *, typ: str = "JWT", signer: jws.Signer | None = None, **claims: Any
    ) -> str:
        """A token assertion of ``system``; ``None`` leaves a claim out."""
        now = int(self.town.clock.now())
        made: dict[str, Any] = {
            "iss": system,
            "sub": system,
            "aud": f"{PUBLIC_URL}/oauth2/token",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 300,
            **claims,
        }
        said = {name: value for name, value in made.items() if value is not None}
        return (signer or self.town.signers[system]).sign(typ, json.dumps(said).encode()).decode()

    async def ask_token(self, **form: str) -> Answer:
        """POST to /oauth2/token."""
        return await self.ask("POST", "/oauth2/token", data={"grant_type": "client_credentials", **form})

    async def by_assertion(self, assertion: str, **form: str) -> Answer:
        """Ask for a token with an assertion."""
        return await self.ask_token(client_assertion_type=JWT_BEARER, client_assertion=assertion, **form)

    async def token(self, system: str) -> str:
        """An access token of ``system``, got by its key."""
        answer = await self.by_assertion(self.assertion(system))
        assert answer.status == 200, answer.body
        return str(answer.json["access_token"])

    def register(self, *systems: System, without: Iterable[str] = (), agreements: bool = True) -> None:
        """Put another directory in force: these systems instead of, or beside, those of the same name."""
        old = self.town.directory
        agencies = dict(old.agencies)
        for system in systems:
            agency = agencies.get(system.agency) or Agency(system.agency, system.agency, "province", parent="H33")
            others = tuple(each for each in agency.systems if each.name != system.name)
            agencies[system.agency] = replace(agency, systems=(*others, system))
        kept = (agency for code, agency in agencies.items() if code not in set(without))
        self.town.directory = Directory(
            kept, old.agreements if agreements else (), gateway=GATEWAY, version=old.version + 1
        )

    async def put_file(self, content: bytes, system: str, media_type: str = "application/pdf") -> str:
        """A file in the spool that ``system`` may name; answers its SHA-256."""

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        sha256, size = await self.town.files.put(chunks(), limit=2**20)
        held = HeldFile(sha256, size, media_type)
        is_granted = await self.town.ledger.grant_file(
            held, system, at=self.town.clock.now(), is_present=self.town.files.is_present
        )
        assert is_granted
        return sha256


def secret_hash(secret: str = SECRET) -> str:
    """A client secret as the registry keeps it."""
    salt = b"0123456789abcdef"
    return f"{salt.hex()}${hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1).hex()}"


def system_of(hall: Hall, name: str) -> System:
    """A registered system."""
    system = hall.town.directory.system(name)
    assert system is not None
    return system


@contextlib.asynccontextmanager
async def open_hall(folder: Path, *, first_header: float = 10.0, **override: Any) -> AsyncIterator[Hall]:
    """Open the doors for the length of a ``with`` block; ``override`` are fields of ``Doors``."""
    town = a_town(FolderSpool(folder))
    own, certificate = a_pair(GATEWAY)
    webhook, _ = a_pair("webhook")
    readiness = {"ledger": True, "dispatch": True}

    async def ready() -> Mapping[str, bool]:
        return readiness

    def keys() -> Mapping[str, Any]:
        return {
            "keys": [
                jws.public_jwk(each.key.public_key(), jws.key_id(each.key.public_key())) for each in (own, webhook)
            ]
        }

    def certificates() -> list[Certificate]:
        return [certificate]

    def operators() -> Mapping[str, Operator]:
        tokens = {OPERATOR: "operator", **{f"the-token-of-{role}": role for role in ("viewer", "approver", "admin")}}
        return {
            hashlib.sha256(token.encode()).hexdigest(): Operator("Nguyễn Văn Mẫu", role)
            for token, role in tokens.items()
        }

    failures = MemoryFailures(town.ledger)
    operations = Operations(
        MemoryReplays(town.ledger, failures), failures, town.ledger, lambda: town.directory, town.clock,
        lambda: f"op-{uuid.uuid4().hex[:10]}",
    )  # fmt: skip

    manifests = MemoryManifests(town.ledger)  # type: ignore[arg-type]
    gather = Gather(manifests, lambda: town.directory, lambda: town.catalog, Calendar, town.clock)
    reconcile = Reconcile(
        manifests, gather, Differences(manifests, town.ledger, gather, town.clock), lambda: town.directory, Calendar,
        town.clock, lambda system: answering[system.name], lambda _: False,
    )  # fmt: skip

    answering: dict[str, Any] = {}
    answers: dict[str, Callable[[], Awaitable[Reply]]] = {}
    reception = Reception(
        town.collect.receive,
        lambda: town.directory,
        lambda system: answering[system.name],
        lambda system: system.name in answering,
        Scratch(folder / "scratch").sink,
    )

    async def asked(question: Question, _: bytes, __: float) -> Reply:
        return await answers[question.provider.system.name]()

    async def no_sibling() -> bool:
        return False

    made: dict[str, Any] = {
        "accept": town.accept,
        "pull": town.pull,
        "inspect": an_inspect(town.ledger, town.files, town.clock, town),
        "uploads": Uploads(
            UploadFolder(folder / "uploads"), town.files, town.ledger, town.clock, UploadLimits(FILE_LIMIT)
        ),
        "failures": failures,
        "operations": operations,
        "operate": town.operate,
        "requests": town.requests,
        "proposals": town.proposals,
        "registers": town.registers,
        "documents": Documents(
            MemoryRegister(town.ledger),  # type: ignore[arg-type]
            town.ledger,
            lambda: town.directory,
        ),
        "dossiers": Dossiers(
            MemoryDossierRegister(town.ledger),  # type: ignore[arg-type]
            town.ledger,
            lambda: town.catalog,
            Calendar,
            town.clock,
            "dossiers:hall",
        ),
        "queries": Queries(
            MemoryQueryLog(town.ledger),
            town.ledger,
            lambda: town.directory,
            lambda: town.catalog,
            own,
            lambda: b"m" * 32,
            asked,
            town.clock,
            town.accept.turnstile,
        ),
        "reconcile": reconcile,
        "missing": ReplayMissing(reconcile.manifests, operations, town.ledger, town.clock),
        "ledger": town.ledger,
        "spool": town.files,
        "directory": lambda: town.directory,
        "catalog": lambda: town.catalog,
        "operators": operators,
        "signer": own,
        "jwks": keys,
        "gateway_certificates": certificates,
        "clock": town.clock,
        "readiness": ready,
        "figures": Siblings(1, no_sibling).figures,
        "public_url": PUBLIC_URL,
        "is_loopback": True,
        "limits": Limits(),
        "reception": reception,
        **override,
    }
    doors = Doors(**made)
    runner = web.AppRunner(make_app(doors), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await GuardedSite(runner, "127.0.0.1", 0, first_header=first_header).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as session:
            yield Hall(town, doors, f"http://{host}:{port}", session, readiness, runner, answering, answers)
    finally:
        await runner.cleanup()
