"""An agency in small shares no code with the adapter that it judges: a mistake that both made would hide."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.parent.name for path in (ROOT / "adapters").glob("*/stand_in.py"))


def imported(file: Path) -> Iterator[str]:
    """Every dotted name that a file of an adapter's folder imports."""
    package = file.parent.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*home, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def reached(file: Path) -> set[Path]:
    """The file and every file of its own folder that it needs, however far."""
    found: set[Path] = set()
    ahead = [file]
    while ahead:
        here = ahead.pop()
        if here in found or not here.is_file():
            continue
        found.add(here)
        for name in imported(here):
            if name.startswith(f"adapters.{file.parent.name}."):
                path = ROOT.joinpath(*name.split("."))
                ahead += [path.with_suffix(".py"), path / "__init__.py"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_stand_in_shares_no_code_with_its_adapter(name: str) -> None:
    folder = ROOT / "adapters" / name
    shared = reached(folder / "stand_in.py") & reached(folder / "adapter.py")
    assert {str(path.relative_to(ROOT)) for path in shared} == set()


def test_what_both_would_use_is_found() -> None:
    webhook = reached(ROOT / "adapters/webhook/adapter.py")
    assert {path.name for path in webhook} > {"adapter.py", "courier.py", "line.py"}
