"""lgsp.toml and the environment, read once into frozen values; the only reader of either."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from gateway.config.checks import Checks, checks_of, judge_checks
from gateway.config.documents import Document, raise_all, read_document
from gateway.config.judging import judge, schema
from gateway.config.retention import ages_of, judge_retention
from gateway.config.sizes import parse_size
from gateway.config.storage import Storage, judge_storage, storage_of
from gateway.config.whereabouts import EMBEDDED, judge_whereabouts, scheme_of, with_password, with_user_of
from gateway.core.codes import split_system
from gateway.core.faults import Misconfigured, Text
from gateway.core.moments import parse_duration
from gateway.core.retention import Ages

FILE: Final = "lgsp.toml"
LogLevel = Literal["debug", "info", "warning", "error"]
_LEVELS: Final = ("debug", "info", "warning", "error")
_KILL_AT: Final = re.compile(r"([a-z0-9._-]{1,64}):([1-9][0-9]{0,8})\Z")
_LARGEST_FILE: Final = 64 * 2**30
#: What the doors hold at one of them at a time.
_LARGEST_VISIT: Final = 256 * 2**20
#: The one machine that a SQLite store has needs no name of its own, and keeps it when it is renamed.
_ALONE: Final = "one"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that one gateway is told at start. Paths are absolute.

    Each value's default and its reason stand in the published schema (``schemas/lgsp.schema.json``).
    """

    #: The province folder.
    folder: Path
    system: str
    host: str
    port: int
    public_url: str
    data: Path
    signing_key: Path
    certificate: Path
    webhook_key: Path
    #: May hold a password, as the broker's: neither is ever shown.
    store_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    files_folder: Path
    #: In bytes.
    file_limit: int
    #: Glob patterns below the province folder.
    trust_roots: tuple[str, ...]
    trust_crls: tuple[str, ...]
    #: The province's own, in the order listed; the built-in ones come beside them.
    contract_folders: tuple[Path, ...]
    adapter_folders: tuple[Path, ...]
    #: The province's own rules, holidays and words, over those that come with the gateway.
    law_folders: tuple[Path, ...] = ()
    #: An operation on more deliveries than this is begun by an approver.
    approval_above: int = 10_000
    #: This machine's name among the gateways on one store, and how many processes it is to run.
    node: str = _ALONE
    workers: int = 1
    #: Which of them this process is, from 1.
    worker: int = 1
    store_password_file: Path | None = None
    #: PostgreSQL: whether PgBouncer stands before it, and the most connections of one process.
    pgbouncer: bool = False
    pool: int = 8
    broker_password_file: Path | None = None
    #: RabbitMQ's management API, over which apply makes the rights of agencies; empty where it is not to be used.
    management_url: str = field(default="", repr=False)
    management_password_file: Path | None = None
    #: Where files are kept when not in ``files_folder``, which still holds what is on its way in.
    storage: Storage | None = None
    #: How long messages, tries and what became of them are kept.
    ages: Ages = field(default_factory=Ages)
    #: How long a link to a file is good (days).
    link_days: int = 30
    #: What one call to a system's door may bring (bytes).
    visit_limit: int = 64 * 2**20
    #: How files are scanned for malware and looked into for signatures.
    checks: Checks = field(default_factory=Checks)
    #: How often systems that keep a list of agencies are asked for it (seconds); 0 for never.
    directory_every: float = 86400.0
    #: How long a status waits for the document that it reports on (seconds).
    status_wait: float = 72 * 3600.0
    log_level: LogLevel = "info"
    #: For kill tests: die at the so-many-th visit to this write point.
    kill_at: tuple[str, int] | None = None

    @property
    def agency(self) -> str:
        """The code of the gateway's own agency."""
        return self.system.partition("/")[0]

    @property
    def is_embedded(self) -> bool:
        """Whether the ledger is a SQLite file of this machine."""
        return scheme_of(self.store_url) == EMBEDDED

    @property
    def is_shared(self) -> bool:
        """Whether other processes may be at work on the same ledger."""
        return self.workers > 1 or not self.is_embedded

    @property
    def is_founded(self) -> bool:
        """Whether there is a store to open already; a server's is taken to be there."""
        return not self.is_embedded or self.store_path.exists()

    @property
    def process(self) -> str:
        """The name of this process among all at work on the ledger: ``NODE.WORKER``."""
        return f"{self.node}.{self.worker}"

    @property
    def store_path(self) -> Path:
        """The SQLite file that ``store.url`` names; raises Misconfigured where the store is another."""
        if not self.is_embedded:
            raise Misconfigured(
                "lgsp.toml [store] url",
                Text("Lệnh này chỉ dùng cho kho SQLite", "This command is for a SQLite store only"),
                Text(
                    "Với PostgreSQL, quản trị viên dùng công cụ của chính nó (pg_dump, pg_basebackup, psql).",
                    "With PostgreSQL, the administrator uses its own tools (pg_dump, pg_basebackup, psql).",
                ),
            )
        return self.folder / self.store_url.partition(":")[2]

    def store_whereabouts(self) -> str:
        """The store's URL, with its password; raises Misconfigured where the password's file cannot be used."""
        file = self.store_password_file
        return with_password(self.store_url, file, "" if file is None else self.shown(file))

    def broker_whereabouts(self) -> str:
        """The broker's URL, likewise."""
        file = self.broker_password_file
        return with_password(self.broker_url, file, "" if file is None else self.shown(file))

    def management_whereabouts(self) -> str | None:
        """The management API's URL likewise; the broker's user where it names none, None where there is no such API."""
        if not self.management_url:
            return None
        if "@" not in self.management_url:
            return with_user_of(self.broker_whereabouts(), self.management_url)
        file = self.management_password_file
        return with_password(self.management_url, file, "" if file is None else self.shown(file))

    @property
    def listen(self) -> str:
        """``HOST:PORT`` as people write it, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def shown(self, path: Path) -> str:
        """``path`` as people know it: relative to the province folder where it lies within."""
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else str(path)


def read_settings(folder: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the province folder; raises Misconfigured with every mistake found.

    Of the environment: ``LGSP_LOG`` (debug, info, warning, error) and ``LGSP_KILL_AT`` (``NAME:COUNT``).
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would replace a link the operator chose
    path = folder / FILE
    if not path.is_file():
        raise Misconfigured(
            str(path),
            Text("Không có tệp lgsp.toml trong thư mục này", "There is no lgsp.toml in this folder"),
            Text(
                "Hãy tạo thư mục tỉnh bằng lệnh: lgsp init THƯ_MỤC, hoặc chỉ đúng thư mục: lgsp -C THƯ_MỤC …",
                "Make a province folder with: lgsp init DIR, or name the right one: lgsp -C DIR …",
            ),
        )
    document = read_document(path, FILE)
    mistakes = judge(document, schema("lgsp"))
    level, kill_at = _environment(environ, mistakes)
    if not mistakes:
        mistakes += _beyond_schema(document) + _missing_folders(document, folder)
    raise_all(mistakes)
    return _settings(folder, document.values, level, kill_at)


def _value(values: Mapping[str, Any], table: str, key: str) -> Any:
    written = values.get(table, {})
    return written[key] if key in written else schema("lgsp")["properties"][table]["properties"][key]["default"]


def _settings(folder: Path, values: Mapping[str, Any], level: LogLevel, kill_at: tuple[str, int] | None) -> Settings:
    def at(table: str, key: str) -> Path:
        return folder / str(_value(values, table, key))

    def folders(table: str) -> tuple[Path, ...]:
        # a default folder that nobody listed need not be there
        return tuple(path for each in _value(values, table, "folders") if (path := folder / each).is_dir())

    def secret(table: str, key: str = "password_file") -> Path | None:
        written = values.get(table, {}).get(key)
        return None if written is None else folder / written

    listen = str(_value(values, "gateway", "listen"))
    host, _, port = listen.rpartition(":")
    is_embedded = scheme_of(_value(values, "store", "url")) == EMBEDDED
    return Settings(
        folder=folder,
        system=values["gateway"]["system"],
        host=host.strip("[]"),
        port=int(port),
        public_url=str(values["gateway"].get("public_url", f"http://{listen}")).rstrip("/"),
        data=at("gateway", "data"),
        signing_key=at("keys", "signing"),
        certificate=at("keys", "certificate"),
        webhook_key=at("keys", "webhook"),
        store_url=_value(values, "store", "url"),
        broker_url=_value(values, "broker", "url"),
        files_folder=at("files", "folder"),
        file_limit=parse_size(_value(values, "files", "limit")),
        trust_roots=tuple(_value(values, "trust", "roots")),
        trust_crls=tuple(_value(values, "trust", "crls")),
        contract_folders=folders("contracts"),
        adapter_folders=folders("adapters"),
        law_folders=folders("law"),
        approval_above=int(_value(values, "operators", "approval_above")),
        node=values["gateway"].get("node") or (_ALONE if is_embedded else socket.gethostname()),
        workers=int(_value(values, "gateway", "workers")),
        store_password_file=secret("store"),
        pgbouncer=bool(_value(values, "store", "pgbouncer")),
        pool=int(_value(values, "store", "pool")),
        broker_password_file=secret("broker"),
        management_url=str(_value(values, "broker", "management")).rstrip("/"),
        management_password_file=secret("broker", "management_password_file"),
        storage=storage_of(partial(_value, values), folder),
        ages=ages_of(partial(_value, values)),
        link_days=int(_value(values, "files", "link_days")),
        visit_limit=parse_size(_value(values, "files", "visit_limit")),
        checks=checks_of(partial(_value, values)),
        directory_every=parse_duration(_value(values, "directory", "sync")) or 0.0,
        status_wait=parse_duration(_value(values, "documents", "status_wait")) or 0.0,
        log_level=level,
        kill_at=kill_at,
    )


def _environment(environ: Mapping[str, str], mistakes: list[Misconfigured]) -> tuple[LogLevel, tuple[str, int] | None]:
    level = environ.get("LGSP_LOG", "info").lower()
    known = next((one for one in _LEVELS if one == level), None)
    if known is None:
        mistakes.append(
            Misconfigured(
                "LGSP_LOG",
                Text(f"Không có mức nhật ký {level}", f"There is no log level {level}"),
                Text(f"Phải là một trong: {', '.join(_LEVELS)}.", f"It must be one of: {', '.join(_LEVELS)}."),
            )
        )
    written = environ.get("LGSP_KILL_AT")
    found = _KILL_AT.match(written) if written else None
    if written and found is None:
        mistakes.append(
            Misconfigured(
                "LGSP_KILL_AT",
                Text("Giá trị không theo dạng TÊN:SỐ", "The value is not NAME:COUNT"),
                Text("Biến này chỉ dành cho kiểm thử; hãy bỏ đi.", "This variable is for tests only; leave it out."),
            )
        )
    return known or "info", None if found is None else (found[1], int(found[2]))


def _beyond_schema(document: Document) -> list[Misconfigured]:
    """What a schema cannot say: ports, stores and brokers that this version has, folders that were listed."""
    mistakes: list[Misconfigured] = []
    values = document.values

    def mistake(table: str, key: str, wrong: Text, right: Text) -> None:
        mistakes.append(document.mistake((table, key), wrong, right))

    if split_system(values["gateway"]["system"]) is None:
        right = Text('Ví dụ đúng: "H33.14/lgsp".', 'For example: "H33.14/lgsp".')
        mistake("gateway", "system", Text("Đây không phải tên một hệ thống", "This names no system"), right)
    port = int(str(_value(values, "gateway", "listen")).rpartition(":")[2])
    if port > 65535:
        mistake(
            "gateway",
            "listen",
            Text(f"Không có cổng {port}", f"There is no port {port}"),
            Text("Cổng từ 0 đến 65535, ví dụ 8600.", "A port is from 0 to 65535, for example 8600."),
        )
    if "public_url" in values["gateway"] and not _is_url(values["gateway"]["public_url"]):
        right = Text('Ví dụ đúng: "https://lgsp.example.vn".', 'For example: "https://lgsp.example.vn".')
        mistake("gateway", "public_url", Text("Địa chỉ không dùng được", "The address cannot be used"), right)
    mistakes += judge_whereabouts(document, partial(_value, values))
    mistakes += judge_storage(document, partial(_value, values))
    mistakes += judge_retention(document, partial(_value, values))
    mistakes += judge_checks(document, partial(_value, values))
    limit = parse_size(str(_value(values, "files", "limit")))
    if not 1 <= limit <= _LARGEST_FILE:
        right = Text("Từ 1 B đến 64 GiB, ví dụ 200 MiB.", "From 1 B to 64 GiB, for example 200 MiB.")
        mistake("files", "limit", Text("Giới hạn không dùng được", "This limit cannot be used"), right)
    if not 2**20 <= parse_size(str(_value(values, "files", "visit_limit"))) <= _LARGEST_VISIT:
        right = Text("Từ 1 MiB đến 256 MiB, ví dụ 64 MiB.", "From 1 MiB to 256 MiB, for example 64 MiB.")
        mistake("files", "visit_limit", Text("Giới hạn không dùng được", "This limit cannot be used"), right)
    return mistakes


def _missing_folders(document: Document, folder: Path) -> list[Misconfigured]:
    return [
        document.mistake(
            (table, "folders", n),
            Text(f"Không có thư mục {each}", f"There is no folder {each}"),
            Text("Hãy tạo thư mục này hoặc bỏ nó khỏi danh sách.", "Make it, or take it out of the list."),
        )
        for table in ("contracts", "adapters", "law")
        for n, each in enumerate(document.values.get(table, {}).get("folders", []))
        if not (folder / each).is_dir()
    ]


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        return False
