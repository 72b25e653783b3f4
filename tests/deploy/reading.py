"""What the deploy files say, as values: YAML by Debian's own reader, metrics by the registry that counts them."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.telemetry import REGISTRY
from tests.servers import packages
from tests.servers.private import Unavailable

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy"
#: The system's Python, for which Debian packs a reader of YAML; the product and its tests need none.
_PYTHON: Final = "/usr/bin/python3"
_READ: Final = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout, default=str)"


def program(name: str, package: str, *folders: str) -> str:
    """A program of Debian's; where it is missing and may not be installed, whoever needs it is skipped."""
    try:
        return str(packages.binary(name, package, *folders))
    except Unavailable as why:
        pytest.skip(str(why), allow_module_level=True)


@cache
def documents(path: Path) -> list[Any]:
    """Every document of a YAML file; not to be changed."""
    read = _read(path)
    if b"No module named 'yaml'" in read.stderr:
        try:
            packages._install("python3-yaml")
        except (OSError, Unavailable) as why:
            pytest.skip(f"Debian's python3-yaml is missing: {why}", allow_module_level=True)
        read = _read(path)
    assert read.returncode == 0, read.stderr[-500:]
    return list(json.loads(read.stdout))


def _read(path: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([_PYTHON, "-c", _READ], input=path.read_bytes(), capture_output=True, check=False)


#: In the text form a counter's samples end in _total, a histogram's in these.
_ENDS: Final = {"counter": ("_total", "_created"), "histogram": ("_bucket", "_count", "_sum", "_created")}


def own_metrics() -> dict[str, set[str]]:
    """Every name that a gateway's /metrics can show, with the labels it carries."""
    found: dict[str, set[str]] = {}
    for collector in REGISTRY._collector_to_names:
        labels = {str(name) for name in getattr(collector, "_labelnames", ())}
        for family in collector.collect():
            for end in _ENDS.get(family.type, ("",)):
                found[family.name + end] = labels | ({"le"} if end == "_bucket" else set())
    return found


#: What Prometheus' language itself says.
_WORDS: Final = frozenset(
    "sum max min avg count rate increase changes vector on by and or unless offset absent topk sort_desc time abs"
    " histogram_quantile predict_linear max_over_time without ignoring label_values".split()
)
_SELECTOR: Final = re.compile(r"\b([a-z_:][a-z0-9_:]*)\s*(?:\{([^}]*)\})?")
_GROUPING: Final = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """The metrics that a PromQL expression names, each with the labels it asks for."""
    bare = _GROUPING.sub(" ", expression)
    bare = re.sub(r"\[[^\]]*\]|\b\d[\d.e]*[smhdw]?\b|\$\w+", " ", bare)
    found = []
    for name, inside in _SELECTOR.findall(bare):
        if name not in _WORDS:
            found.append((name, {label for label, _ in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"', inside)}))
    return found


def groupings(expression: str) -> set[str]:
    """The labels by which a PromQL expression gathers."""
    return {label.strip() for inside in _GROUPING.findall(expression) for label in inside.split(",") if label.strip()}
