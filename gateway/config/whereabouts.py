"""Where the store and the broker are: the URLs of lgsp.toml judged in words, and their passwords from files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from gateway.config.documents import Document
from gateway.core.faults import Misconfigured, Text

POSTGRES: Final = ("postgresql", "postgres")
RABBITMQ: Final = ("amqp", "amqps")
MANAGEMENT: Final = ("http", "https")
EMBEDDED: Final = "sqlite"
LOCAL: Final = "local"
#: No password is longer; a file beyond it is another file.
_LONGEST: Final = 1024
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?\Z")
_DATABASE: Final = re.compile(r"/[^/?#]+\Z")
_STORE_RIGHT: Final = Text(
    'Hãy ghi "sqlite:var/lgsp.db", hoặc cho nhiều máy: "postgresql://lgsp@db.example.vn:5432/lgsp".',
    'Write "sqlite:var/lgsp.db", or for several machines: "postgresql://lgsp@db.example.vn:5432/lgsp".',
)
_BROKER_RIGHT: Final = Text(
    'Hãy ghi "local", hoặc cho nhiều máy: "amqp://lgsp@mq.example.vn:5672/lgsp".',
    'Write "local", or for several machines: "amqp://lgsp@mq.example.vn:5672/lgsp".',
)
_MANAGEMENT_RIGHT: Final = Text(
    'Hãy ghi địa chỉ của trang quản trị RabbitMQ, ví dụ "http://127.0.0.1:15672".',
    'Write the address of RabbitMQ\'s management page, such as "http://127.0.0.1:15672".',
)
Mistake = Callable[[str, str, Text, Text], None]


def scheme_of(url: str) -> str:
    """What kind of place a URL names; never more of it, as the rest may hold a password."""
    return url.partition(":")[0][:20].lower()


def judge_whereabouts(document: Document, value: Callable[[str, str], Any]) -> list[Misconfigured]:
    """Every mistake in ``[store]`` and ``[broker]``; ``value`` gives a key of a table, or its default."""
    found: list[Misconfigured] = []

    def mistake(table: str, key: str, wrong: Text, right: Text) -> None:
        found.append(document.mistake((table, key), wrong, right))

    store, broker = str(value("store", "url")), str(value("broker", "url"))
    _judge_store(store, mistake)
    _judge_broker(broker, mistake)
    if scheme_of(store) == EMBEDDED and scheme_of(broker) in RABBITMQ:
        mistake(
            "broker",
            "url",
            Text(
                "RabbitMQ không giúp gì cho kho SQLite: kho này chỉ nằm trên một máy",
                "RabbitMQ has nobody to wake beside a SQLite store, which lives on one machine",
            ),
            Text(
                'Hãy ghi "local", hoặc chuyển [store] url sang postgresql://….',
                'Write "local", or let [store] url be postgresql://….',
            ),
        )
    management = str(value("broker", "management"))
    if management:
        _judge_management(management, broker, mistake)
    passwords = (("store", store, ""), ("broker", broker, ""), ("broker", management, "management_"))
    for table, url, prefix in passwords:
        _judge_password(table, url, prefix, document.values.get(table, {}), mistake)
    if scheme_of(store) not in POSTGRES:
        for key in document.values.get("store", {}).keys() & {"pgbouncer", "pool"}:
            wrong = Text(f"{key} chỉ có nghĩa với PostgreSQL", f"{key} means something with PostgreSQL only")
            mistake("store", key, wrong, Text("Hãy bỏ dòng này.", "Leave this line out."))
    return found


def _judge_store(url: str, mistake: Mistake) -> None:
    scheme = scheme_of(url)
    if scheme in POSTGRES:
        if not (_are_hosts(url, most=8) and _DATABASE.match(urlsplit(url).path)):
            wrong = Text("Địa chỉ PostgreSQL không dùng được", "The PostgreSQL URL cannot be used")
            mistake("store", "url", wrong, _STORE_RIGHT)
    elif scheme != EMBEDDED or url in {"sqlite:", "sqlite://"} or "\0" in url:
        wrong = Text(f"Không có loại kho {scheme}", f"There is no store of kind {scheme}")
        mistake("store", "url", wrong, _STORE_RIGHT)


def _judge_broker(url: str, mistake: Mistake) -> None:
    scheme = scheme_of(url)
    if scheme in RABBITMQ:
        if not _are_hosts(url, most=1) or urlsplit(url).path.count("/") > 1:
            wrong = Text("Địa chỉ RabbitMQ không dùng được", "The RabbitMQ URL cannot be used")
            mistake("broker", "url", wrong, _BROKER_RIGHT)
    elif url != LOCAL:
        wrong = Text(f"Không có loại trung chuyển {scheme}", f"There is no broker of kind {scheme}")
        mistake("broker", "url", wrong, _BROKER_RIGHT)


def _judge_management(url: str, broker: str, mistake: Mistake) -> None:
    if scheme_of(broker) not in RABBITMQ:
        wrong = Text("management chỉ có nghĩa với RabbitMQ", "management means something with RabbitMQ only")
        mistake("broker", "management", wrong, Text("Hãy bỏ dòng này.", "Leave this line out."))
    elif scheme_of(url) not in MANAGEMENT or not _are_hosts(url, most=1) or urlsplit(url).query:
        wrong = Text("Địa chỉ quản trị RabbitMQ không dùng được", "The management address cannot be used")
        mistake("broker", "management", wrong, _MANAGEMENT_RIGHT)


def _are_hosts(url: str, *, most: int) -> bool:
    """Whether the URL names one to ``most`` hosts, with ports that there are."""
    try:
        hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    except ValueError:
        return False
    found = [_HOST.match(host) for host in hosts]
    return len(hosts) <= most and all(one is not None and 0 < int(one[1] or 1) < 65536 for one in found)


def _judge_password(table: str, url: str, prefix: str, written: Mapping[str, Any], mistake: Mistake) -> None:
    key, address = f"{prefix}password_file", prefix.rstrip("_") or "url"
    if key not in written:
        return
    if scheme_of(url) not in (*POSTGRES, *RABBITMQ, *MANAGEMENT):
        wrong = Text(f"{key} chỉ dùng với máy chủ", f"{key} is for servers only")
        mistake(table, key, wrong, Text("Hãy bỏ dòng này.", "Leave this line out."))
        return
    user, at, _ = url.partition("//")[2].partition("/")[0].rpartition("@")
    if not at or not user:
        wrong = Text(
            f"{address} không nêu tên người dùng của mật khẩu", f"{address} names no user whose password it is"
        )
        right = Text(f"Hãy ghi TÊN@ trước tên máy trong {address}.", f"Write USER@ before the host in {address}.")
        mistake(table, key, wrong, right)
    elif ":" in user:
        wrong = Text(f"Mật khẩu nằm ở cả {address} lẫn {key}", f"The password stands in {address} and in {key}")
        right = Text(f"Hãy xoá mật khẩu khỏi {address}.", f"Take it out of {address}.")
        mistake(table, key, wrong, right)


def with_password(url: str, file: Path | None, shown: str) -> str:
    """The URL with the password that ``file`` holds in its first line; as it is where there is no file.

    Read at the moment of use, so that a new password needs a restart alone. Raises Misconfigured, which never
    shows any of it; ``shown`` is the file as people know it.
    """
    if file is None:
        return url
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LONGEST + 2)
        password = raw.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise _unusable(shown, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise _unusable(shown, "UTF-8") from None
    if not password or len(raw) > _LONGEST or "\n" in password:
        raise _unusable(shown, "1 … 1024 byte, 1 dòng / one line")
    scheme, _, rest = url.partition("://")
    user, _, place = rest.partition("@")
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}"


def with_user_of(other: str, url: str) -> str:
    """The URL, which names no user, with the user and password of another one."""
    user, at, _ = other.partition("://")[2].partition("/")[0].rpartition("@")
    scheme, _, place = url.partition("://")
    return f"{scheme}://{user}{at}{place}"


def without_password(url: str) -> str:
    """The URL as it may be shown and logged."""
    scheme, slashes, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{host}{slash}{path.partition('?')[0]}" if slashes else url


def _unusable(shown: str, reason: str) -> Misconfigured:
    return Misconfigured(
        shown,
        Text(f"Không dùng được tệp mật khẩu ({reason})", f"The password file cannot be used ({reason})"),
        Text(
            "Quản trị viên ghi mật khẩu vào tệp này, một dòng, và cho riêng tài khoản chạy dịch vụ đọc.",
            "The administrator writes the password into it, one line, readable for the service's account alone.",
        ),
    )
