"""The examples of docs/adapters-as-data.md, and those beside the adapters, work as they are written."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adapters.rest import adapter as rest
from adapters.soap import adapter as soap
from gateway.calls.profiles import ACCOUNT
from tests.adapters.fitting import Hands

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/adapters-as-data.md").read_text("utf-8")
BLOCKS = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)]
DESCRIPTIONS = [block for block in BLOCKS if "systems" not in block]
SYSTEMS = [system for block in BLOCKS for system in block.get("systems", ())]


@pytest.mark.parametrize("number", range(len(DESCRIPTIONS)))
async def test_each_description_on_the_page_can_be_opened_and_tried(tmp_path: Path, number: int) -> None:
    shutil.copytree(ROOT / "adapters/soap/example", tmp_path / "far")
    raw = DESCRIPTIONS[number]
    (tmp_path / "far/x.json").write_text(json.dumps(raw))
    options = {"url": "http://10.1.2.3/x", "description": "far/x.json"}
    kind: Any = soap if "wsdl" in raw else rest
    kind.check(options, tmp_path)
    trying = kind.dry(Hands(tmp_path).context("x", options))
    data = {"code": "1.000123", "name": "Cấp sổ", "isActive": True}
    event = {"type": "procedure.catalogue", "dataschema": "urn:lgsp:contract:procedure.catalogue:1.0", "data": data}
    sketch = await trying.outgoing(event)
    assert sketch.troubles == ()
    assert sketch.request is not None
    assert "Cấp sổ" in sketch.request["body"]


def test_there_is_one_example_of_each_kind_with_its_settings() -> None:
    assert sorted("wsdl" in each for each in DESCRIPTIONS) == [False, True]
    assert sorted(each["adapter"] for each in SYSTEMS) == ["rest", "soap"]
    for each in SYSTEMS:
        schema = json.loads((ROOT / "adapters" / each["adapter"] / "settings.schema.json").read_text("utf-8"))
        jsonschema.Draft202012Validator(schema).validate(each["settings"])


@pytest.mark.parametrize(("name", "file"), [("rest", "danh-muc.toml"), ("soap", "dat-dai.toml")])
def test_the_example_beside_each_adapter_can_be_opened(tmp_path: Path, name: str, file: str) -> None:
    shutil.copytree(ROOT / "adapters" / name / "example", tmp_path / "far")
    kind = importlib.import_module(f"adapters.{name}.adapter")
    kind.check({"url": "http://10.1.2.3/x", "description": f"far/{file}"}, tmp_path)


def test_every_link_on_the_page_leads_somewhere() -> None:
    assert [each for each in re.findall(r"\]\(([^)]+)\)", TEXT) if not (ROOT / "docs" / each).exists()] == []


def test_the_account_in_the_settings_is_the_one_that_the_profiles_describe() -> None:
    for name in ("rest", "soap"):
        schema = json.loads((ROOT / "adapters" / name / "settings.schema.json").read_text("utf-8"))
        asked = schema["properties"]["account"]["properties"]
        known = json.loads(json.dumps(ACCOUNT["properties"]))
        assert {**asked, "profile": None} == {**known, "profile": None}
        assert set(asked["profile"]["enum"]) <= set(known["profile"]["enum"])
