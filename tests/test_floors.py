"""The house holds: no import climbs, rooms on one floor are strangers, the core is pure, every file is readable."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    path.relative_to(ROOT): path.read_text()
    for folder in ("gateway", "adapters", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
PRODUCT = {path: text for path, text in SOURCES.items() if path.parts[0] != "tests"}
CORE = {path: text for path, text in PRODUCT.items() if path.parts[:2] == ("gateway", "core")}

FLOORS = [
    {"core", "telemetry", "checkpoints"},
    {"ports", "config", "client", "calls"},
    {"relay", "store", "broker", "adapters", "trust", "tongues"},
    {"api", "console", "reports"},
    {"compose"},
    {"cli", "testkit"},
    {"__main__"},
]
FLOOR = {room: number for number, floor in enumerate(FLOORS, start=1) for room in floor}
#: Rooms that may know less than their floor allows.
KNOWS_ONLY = {"adapters": {"core", "ports", "calls"}, "client": {"core"}, "calls": {"core"}}
#: Choices: named in compose alone (and, of course, inside themselves).
CHOICE = re.compile(r"(gateway\.store\.(?:memory|sqlite|postgres)|gateway\.broker\.\w+|adapters\.\w+)(?:\.|$)")

IMPURE_MODULES = set(
    "asyncio concurrent contextvars ftplib getpass glob http importlib logging multiprocessing os pathlib pickle"
    " random sched secrets select selectors shutil signal smtplib socket sqlite3 ssl subprocess sys tempfile"
    " threading time zoneinfo urllib.request aiohttp aio_pika asyncpg prometheus_client structlog".split()
)
IMPURE_CALLS = set(
    "open input print datetime.now datetime.utcnow datetime.today date.today uuid.uuid1 uuid.uuid4 uuid1 uuid4".split()
)


def imports(path: Path, text: str) -> Iterator[str]:
    """Every dotted name that the file imports, wherever in it; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts[: len(path.parent.parts) + 1 - node.level] if node.level else ()
            module = ".".join([*package, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(dotted: str) -> str | None:
    """The room of the house that a dotted name lives in; none for what comes from outside, or `gateway` itself."""
    first, *rest = dotted.split(".")
    if first == "adapters":
        return "adapters"
    return rest[0] if first == "gateway" and rest and rest[0] in FLOOR else None


def climbs(path: Path, text: str) -> list[str]:
    """What the file imports from its own floor's other rooms, from a floor above, or past its room's own rule."""
    home = room(".".join(path.with_suffix("").parts))
    if home is None:  # gateway/__init__.py: the paragraph and the version, under all floors
        return [name for name in imports(path, text) if room(name)]
    return [
        name
        for name in imports(path, text)
        if (there := room(name)) not in {None, home}
        and (FLOOR[there or home] >= FLOOR[home] or there not in KNOWS_ONLY.get(home, FLOOR))
    ]


def choices(path: Path, text: str) -> list[str]:
    """The stores, brokers and adapter folders that the file names although it is neither compose nor one of them."""
    if path.parts[:2] == ("gateway", "compose"):
        return []
    home = CHOICE.match(".".join(path.with_suffix("").parts))
    named = [(name, there) for name in imports(path, text) if (there := CHOICE.match(name))]
    return [name for name, there in named if home is None or there[1] != home[1]]


def impurities(path: Path, text: str) -> list[str]:
    """What lets the world into the file: modules of I/O, clock and chance, their calls, and ``async``."""
    found = [name for name in imports(path, text) for bad in IMPURE_MODULES if f"{name}.".startswith(f"{bad}.")]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            found.append(f"async, line {node.lineno}")
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found += [called for bad in IMPURE_CALLS if called == bad or ("." in bad and called.endswith(f".{bad}"))]
    return found


def test_every_room_of_the_product_has_a_floor() -> None:
    assert CORE, "no sources found: the tests below would prove nothing"
    unknown = {path.parts[1] for path in PRODUCT if path.parts[0] == "gateway"} - FLOOR.keys()
    assert {name for name in unknown if name.removesuffix(".py") not in {*FLOOR, "__init__"}} == set()


def test_no_import_climbs_and_rooms_on_one_floor_do_not_know_each_other() -> None:
    assert {str(path): found for path, text in PRODUCT.items() if (found := climbs(path, text))} == {}


def test_only_compose_names_stores_brokers_and_adapters() -> None:
    assert {str(path): found for path, text in PRODUCT.items() if (found := choices(path, text))} == {}


def test_the_core_knows_no_clock_no_chance_and_no_outside_world() -> None:
    assert {str(path): found for path, text in CORE.items() if (found := impurities(path, text))} == {}


@pytest.mark.parametrize(
    ("path", "line", "judge"),
    [
        ("gateway/core/envelope.py", "from gateway.ports import Ledger", climbs),
        ("gateway/core/envelope.py", "from gateway import telemetry", climbs),
        ("gateway/core/envelope.py", "from ..config import settings", climbs),
        ("gateway/relay/accept.py", "def f():\n    import gateway.store.files", climbs),
        ("gateway/config/province.py", "from gateway.ports import Clock", climbs),
        ("adapters/webhook/adapter.py", "from gateway.config.settings import Settings", climbs),
        ("gateway/__init__.py", "from gateway.core import faults", climbs),
        ("gateway/cli/mock.py", "from adapters.webhook import stand_in", choices),
        ("gateway/cli/serve.py", "from gateway.store.sqlite.ledger import SqliteLedger", choices),
        ("gateway/cli/serve.py", "from gateway.broker import rabbitmq", choices),
        ("gateway/relay/accept.py", "from gateway.store import memory", choices),
        ("gateway/store/sqlite/ledger.py", "import gateway.store.memory", choices),
        ("adapters/webhook/adapter.py", "import adapters.inbox.adapter", choices),
        ("gateway/core/retry.py", "import random", impurities),
        ("gateway/core/retry.py", "from os import path", impurities),
        ("gateway/core/retry.py", "import datetime as d\nx = d.datetime.now(d.UTC)", impurities),
        ("gateway/core/retry.py", "import uuid\nx = uuid.uuid4()", impurities),
        ("gateway/core/retry.py", "async def f() -> None: ...", impurities),
    ],
)
def test_a_house_that_leans_is_noticed(path: str, line: str, judge: object) -> None:
    assert callable(judge)
    assert judge(Path(path), line)


@pytest.mark.parametrize(
    ("path", "line", "judge"),
    [
        ("gateway/core/envelope.py", "from gateway.core.faults import Text\nfrom .codes import Code", climbs),
        ("gateway/relay/accept.py", "from gateway import __version__\nfrom gateway.ports import Ledger", climbs),
        ("gateway/cli/serve.py", "from gateway import compose", climbs),
        ("gateway/compose/choices.py", "from gateway.store.sqlite.ledger import SqliteLedger", choices),
        ("gateway/store/sqlite/views.py", "from gateway.store.sqlite.ledger import SqliteLedger", choices),
        ("adapters/webhook/adapter.py", "from adapters.webhook.signing import sign", choices),
        ("gateway/core/retry.py", "from datetime import datetime\nfrom urllib.parse import quote", impurities),
    ],
)
def test_a_house_that_stands_is_left_alone(path: str, line: str, judge: object) -> None:
    assert callable(judge)
    assert judge(Path(path), line) == []


def test_every_file_opens_with_a_sentence_that_says_what_it_is_for() -> None:
    assert [str(path) for path, text in SOURCES.items() if not ast.get_docstring(ast.parse(text))] == []


def test_no_file_of_the_product_is_too_long_to_read_at_a_sitting() -> None:
    assert {str(path): n for path, text in PRODUCT.items() if (n := len(text.splitlines())) > 400} == {}


def test_contracts_hold_data_and_no_code() -> None:
    assert [str(path) for path in ROOT.glob("contracts/**/*.py")] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_holds_names_versions_and_hashes_and_no_addresses(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.search(r"://|^\s*-(?!-hash=sha256:[0-9a-f]{64}\b)|@", text, re.MULTILINE) is None
    entries = re.findall(r"^([a-z0-9-]+)==(\S+)((?: ;[^\\\n]*)? \\\n(?:    --hash=\S+(?: \\)?\n)+)", text, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^[^#\s]", text, re.MULTILINE)) > 0


def test_what_runs_is_what_is_tested() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.txt") <= pins("requirements-dev.txt")
