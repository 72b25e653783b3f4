"""RabbitMQ's management API, asked for what there is and told what to do; a thin shell around plans made elsewhere."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

from yarl import URL

from gateway.core.agency_queue import EXCHANGE
from gateway.core.faults import Misconfigured, Text
from gateway.core.queue_rights import (
    Act,
    Bind,
    Limit,
    MakeExchange,
    MakeQueue,
    MakeUser,
    Permit,
    Queue,
    RemoveExchange,
    RemoveQueue,
    RemoveUser,
    Rights,
    SetPassword,
    Standing,
    User,
    Withdraw,
    password_hash,
)

if TYPE_CHECKING:
    import aiohttp

_LIMIT: Final = 20.0
#: A few thousand agencies fit into it many times.
_LARGEST_ANSWER: Final = 64 << 20
_HASHING: Final = "rabbit_password_hashing_sha256"
WHERE: Final = "lgsp.toml: broker.management"
#: A request: method, path in unescaped parts, body.
Request = tuple[str, tuple[str, ...], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Management:
    """The API of one RabbitMQ, spoken to about one virtual host."""

    session: aiohttp.ClientSession
    base: str
    vhost: str

    async def standing(self) -> Standing:
        """What there is; raises Misconfigured where it cannot be asked."""
        users = await self._ask("users")
        permissions = await self._ask("permissions")
        limits = await self._ask("user-limits")
        queues = await self._ask("queues", self.vhost)
        exchanges = await self._ask("exchanges", self.vhost)
        bindings = await self._ask("bindings", self.vhost)
        here = [each for each in permissions if each["vhost"] == self.vhost]
        return Standing(
            users={each["name"]: User(each.get("password_hash", ""), _tags(each.get("tags"))) for each in users},
            rights={each["user"]: Rights(each["configure"], each["write"], each["read"]) for each in here},
            elsewhere=frozenset(each["user"] for each in permissions if each["vhost"] != self.vhost),
            limits={each["user"]: each["value"] for each in limits},
            queues={each["name"]: Queue(each["arguments"], each.get("messages")) for each in queues},
            exchanges={each["name"]: each["type"] for each in exchanges},
            bound=frozenset(
                each["destination"]
                for each in bindings
                if each["source"] == EXCHANGE and each["routing_key"] == each["destination"]
            ),
        )

    async def carry_out(self, act: Act) -> bool:
        """Do one act; safe to repeat. False where a queue is not empty after all, and so was not deleted.

        Raises Misconfigured where RabbitMQ refuses the act.
        """
        if isinstance(act, RemoveQueue) and await self._holds_something(act.name):
            return False
        method, path, body = request_of(act, self.vhost)
        await self._send(method, path, body)
        return True

    async def _holds_something(self, queue: str) -> bool:
        """Whether there is a message in it now: the numbers that RabbitMQ shows are seconds old."""
        look = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 1}
        return bool(json.loads(await self._send("POST", ("queues", self.vhost, queue, "get"), look)))

    async def _ask(self, *path: str) -> list[Any]:
        answer = await self._send("GET", path, None)
        try:
            found = json.loads(answer)
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise _trouble(Text("trả lời lạ", "an answer of another kind"))
        return found

    async def _send(self, method: str, path: tuple[str, ...], body: Mapping[str, Any] | None) -> bytes:
        url = URL(f"{self.base}/api/" + "/".join(quote(part, safe="") for part in path), encoded=True)
        import aiohttp  # slow to load, and most provinces have no such API

        try:
            async with self.session.request(method, url, json=body, allow_redirects=False) as answer:
                content = await _whole(answer)
                status = answer.status
        except TimeoutError:
            raise _trouble(Text(f"quá {_LIMIT:g} giây", f"over {_LIMIT:g} s")) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _trouble(Text(type(error).__name__, type(error).__name__)) from None
        if status in {401, 403}:
            raise Misconfigured(
                WHERE,
                Text(f"RabbitMQ không cho phép ({status})", f"RabbitMQ does not allow it ({status})"),
                Text(
                    "Quản trị viên RabbitMQ cấp thẻ administrator cho người dùng này, hoặc sửa mật khẩu.",
                    "RabbitMQ's administrator gives this user the tag administrator, or mends the password.",
                ),
            )
        if not (200 <= status < 300 or (status == 404 and method == "DELETE")):
            raise _trouble(Text(f"mã {status} cho {path[0]}", f"status {status} for {path[0]}"))
        return content


@asynccontextmanager
async def management(url: str, broker_url: str) -> AsyncIterator[Management]:
    """The API at ``url`` (user and password in it) about the virtual host that ``broker_url`` names."""
    import aiohttp

    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    who = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}".encode()
    async with aiohttp.ClientSession(
        headers={"Authorization": "Basic " + base64.b64encode(who).decode("ascii")},
        timeout=aiohttp.ClientTimeout(total=_LIMIT),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield Management(session, f"{parts.scheme}://{place}{parts.path.rstrip('/')}", vhost_of(broker_url))


def vhost_of(broker_url: str) -> str:
    """The virtual host that an AMQP address names."""
    return unquote(urlsplit(broker_url).path[1:]) or "/"


def request_of(act: Act, vhost: str) -> Request:
    """The request that carries an act out. Of a password only its salted hash travels."""
    name = act.name
    match act:
        case MakeExchange():
            return "PUT", ("exchanges", vhost, name), {"type": act.kind, "durable": True}
        case MakeQueue():
            return "PUT", ("queues", vhost, name), {"durable": True, "arguments": dict(act.arguments)}
        case Bind():
            return "POST", ("bindings", vhost, "e", EXCHANGE, "q", name), {"routing_key": name}
        case MakeUser() | SetPassword():
            hashed = password_hash(act.password, secrets.token_bytes(4))
            return "PUT", ("users", name), {"password_hash": hashed, "hashing_algorithm": _HASHING, "tags": ""}
        case Limit():
            return "PUT", ("user-limits", name, act.limit), {"value": act.value}
        case Permit():
            rights = {"configure": act.rights.configure, "write": act.rights.write, "read": act.rights.read}
            return "PUT", ("permissions", vhost, name), rights
        case Withdraw():
            return "DELETE", ("permissions", vhost, name), None
        case RemoveUser():
            return "DELETE", ("users", name), None
        case RemoveQueue():
            return "DELETE", ("queues", vhost, name), None
        case RemoveExchange():
            return "DELETE", ("exchanges", vhost, name), None


def _tags(written: Any) -> tuple[str, ...]:
    """A list since RabbitMQ 3.9, words between commas before."""
    found = written.split(",") if isinstance(written, str) else written or []
    return tuple(each for each in found if each)


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > _LARGEST_ANSWER:
            raise ValueError("the answer does not end")
    return bytes(content)


def _trouble(reason: Text) -> Misconfigured:
    return Misconfigured(
        WHERE,
        Text(f"Không làm việc được với trang quản trị RabbitMQ ({reason.vi})",
             f"RabbitMQ's management cannot be worked with ({reason.en})"),
        Text(
            "Kiểm tra địa chỉ và phần mở rộng rabbitmq_management, rồi chạy lại: lgsp apply. Chạy lại là an toàn.",
            "Check the address and the plugin rabbitmq_management, then run again: lgsp apply. Repeating is safe.",
        ),
    )  # fmt: skip
