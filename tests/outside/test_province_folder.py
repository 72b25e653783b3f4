"""Interfaces, section 9: the province folder, and what apply makes of right and wrong ones."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outside.client import identity
from tests.outside.province import Province, lgsp, wants

KEYS = {
    "gateway": ("system", "listen", "public_url", "data"),
    "keys": ("signing", "certificate", "webhook"),
    "store": ("url",),
    "broker": ("url",),
    "files": ("folder", "limit"),
    "trust": ("roots", "crls"),
    "contracts": ("folders",),
    "adapters": ("folders",),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Province:
    """A folder in order, applied once; tests work on copies."""
    made = Province(tmp_path_factory.mktemp("folder") / "tinh")
    made.contract("note.made")
    made.one("H33.05/dms", aliases=["000.00.05.H33"])
    made.one("H33.07/dms", wants("note.made/1.0", filter={"source": ["H33.*"], "subject": ["*"]}))
    made.agreement()
    made.apply()
    return made


def copy_of(model: Province, folder: Path) -> Province:
    """The folder in order once more, elsewhere."""
    made = object.__new__(Province)
    made.__dict__.update(model.__dict__ | {"folder": folder / "tinh", "_log": folder / "tinh.log"})
    shutil.copytree(model.folder, made.folder)
    return made


@pytest.fixture
def province(model: Province, tmp_path: Path) -> Iterator[Province]:
    """A copy of the folder in order."""
    with copy_of(model, tmp_path) as made:
        yield made


def refused(province: Province, *words: str, command: str = "apply") -> str:
    """The message of an apply that fails: it names these words, changes nothing and is no crash."""
    before = registry(province)
    done = province.run(command, status=1)
    assert done.stdout == "" or not done.stdout.startswith("Traceback")
    assert "Traceback" not in done.stderr
    assert "ngoài dự kiến" not in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert registry(province) == before
    return done.stderr


def registry(province: Province) -> list[str]:
    """All that the ledger holds, to see whether anything changed."""
    with contextlib.closing(sqlite3.connect(province.folder / "var/lgsp.db")) as store:
        return [line for line in store.iterdump() if line.startswith("INSERT")]


def test_a_new_folder_has_one_key_a_line_and_asks_nothing(tmp_path: Path) -> None:
    done = lgsp("init", tmp_path / "moi")
    assert done.returncode == 0
    text = (tmp_path / "moi/lgsp.toml").read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]

    for section, keys in KEYS.items():
        assert f"[{section}]" in lines
        for key in keys:
            assert any(line.startswith(f"{key} = ") for line in lines)
    for line in ('listen = "127.0.0.1:8600"', 'system = "H33.14/lgsp"', 'url = "sqlite:var/lgsp.db"', 'data = "var"'):
        assert line in lines
    for name in ("keys/gateway.pem", "keys/gateway.crt", "keys/webhook.pem"):
        assert (tmp_path / "moi" / name).is_file()
    assert (tmp_path / "moi/keys/gateway.pem").stat().st_mode & 0o077 == 0
    again = lgsp("init", tmp_path / "moi")
    assert again.returncode == 1
    assert (tmp_path / "moi/lgsp.toml").read_text() == text
    nowhere = lgsp("apply", tmp_path / "nowhere")
    assert nowhere.returncode in {1, 2}
    assert "nowhere" in nowhere.stderr


def test_a_new_folder_can_be_applied_and_served_as_it_is(tmp_path: Path) -> None:
    with Province(tmp_path / "moi") as made:
        made.apply()
        made.serve()

        assert made.stop() == 0


def test_apply_shows_the_difference_makes_it_and_then_finds_nothing_more(province: Province) -> None:
    province.one("H33.08/dms", parent="H99.99")  # an unknown parent is allowed
    province.one("SO-TAI-CHINH/dms")
    sealed = {"name": "old", "adapter": "inbox", "sealing": "gateway", "key": "keys/H33.09-old.pem"}
    province.agency("H33.09", sealed)
    before = registry(province)
    dry = province.run("apply", "--dry-run").stdout
    assert "H33.08" in dry
    assert registry(province) == before
    assert not (province.folder / "keys/H33.09-old.pem").exists()

    done = json.loads(lgsp("apply", "--json", cwd=province.folder).stdout)
    assert {"H33.08", "H33.09", "SO-TAI-CHINH"} <= set(re.findall(r"[A-Z][A-Z0-9.-]+", json.dumps(done["added"])))
    assert "SO-TAI-CHINH" in json.dumps(done["warnings"])  # an unusual form only warns
    assert "H33.09" not in json.dumps(done["warnings"])
    key = (province.folder / "keys/H33.09-old.pem").read_bytes()
    assert b"PRIVATE KEY" in key
    assert (province.folder / "keys/H33.09-old.pem").stat().st_mode & 0o077 == 0

    (province.folder / "agencies/H33.08.toml").unlink()
    gone = json.loads(lgsp("apply", province.folder, "--json").stdout)
    assert "H33.08" in json.dumps(gone["removed"])
    assert (gone["added"], gone["changed"]) == ([], [])
    assert (province.folder / "keys/H33.09-old.pem").read_bytes() == key


AGENCY = """code = "CODE"
name = "Sở"
level = "province"
parent = "H33"
[[systems]]
name = "dms"
adapter = "inbox"
[[systems.subscriptions]]
contract = "note.made"
version = "1.0"
"""
AGREEMENT = """id = "CODE"
title = "Trao đổi"
basis = "QĐ 28/2018/QĐ-TTg"
purpose = "van-ban"
from = ["*"]
to = ["*"]
contracts = ["*"]
valid_from = 2018-09-06
valid_until = 2090-12-31
"""
VERSION = 'version = "1.0"'
#: What is changed in a file that would be right, and what the message must then name.
MISTAKES = [
    ('code = "CODE"', 'code = "H33 05"', "code"),
    ('code = "CODE"', "code = 5", "code"),
    ('code = "CODE"\n', "", "code"),
    ('level = "province"', 'level = "galaxy"', "commune"),
    ('name = "dms"', 'name = "d m s"', "name"),
    ("[[systems]]", '[[systems]]\nname = "dms"\nadapter = "inbox"\n[[systems]]', "dms"),
    ('adapter = "inbox"', 'adaptor = "inbox"', "adaptor"),
    ('adapter = "inbox"', 'adapter = "carrier-pigeon"', "carrier-pigeon"),
    ('adapter = "inbox"', 'adapter = "inbox"\nsealing = "wax"', "sealing"),
    ('adapter = "inbox"', 'adapter = "inbox"\ncertificates = ["keys/absent.crt"]', "keys/absent.crt"),
    ('adapter = "inbox"', 'adapter = "inbox"\ncertificates = ["keys/junk.crt"]', "keys/junk.crt"),
    ('adapter = "inbox"', 'adapter = "inbox"\ncertificates = ["keys/weak.crt"]', "keys/weak.crt"),
    ('adapter = "inbox"', 'adapter = "inbox"\ncertificates = ["keys/p384.crt"]', "keys/p384.crt"),
    ('adapter = "inbox"', 'adapter = "webhook"', "url"),
    ('adapter = "inbox"', 'adapter = "webhook"\nsettings = { url = "http://a.vn", signature = "v7" }', "signature"),
    ('contract = "note.made"', 'contract = "note.none"', "note.none"),
    (VERSION, 'version = "3.0"', "3.0"),
    (VERSION, 'version = "one"', "version"),
    (VERSION, f'{VERSION}\nformat = "xml"', "format"),
    (VERSION, f'{VERSION}\nretry = {{ first = "soon" }}', "first"),
    (VERSION, f"{VERSION}\nretry = {{ factor = 0.1 }}", "factor"),
    (VERSION, f'{VERSION}\nfilter = {{ sauce = ["*"] }}', "sauce"),
    (VERSION, f'{VERSION}\n[[systems.subscriptions]]\ncontract = "note.made"\n{VERSION}', "note.made"),
    ('code = "CODE"', 'code = "CODE', "1"),
    ('code = "CODE"', 'code = "CODE"\ncode = "CODE"', "2"),
    ('id = "CODE"\n', "", "id"),
    ('purpose = "van-ban"\n', "", "purpose"),
    ("valid_from = 2018-09-06", 'valid_from = "hôm qua"', "valid_from"),
    ("valid_until = 2090-12-31", "valid_until = 2001-01-01", "valid_until"),
    ('from = ["*"]', 'from = "*"', "from"),
    ('contracts = ["*"]', "contracts = []", "contracts"),
    ('title = "Trao đổi"', 'titel = "Trao đổi"', "titel"),
]


@pytest.fixture(scope="module")
def told(model: Province, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What one apply says of a folder with all these mistakes, one by one."""
    made = copy_of(model, tmp_path_factory.mktemp("mistakes"))
    made.write("keys/junk.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    made.write("keys/weak.crt", identity("a/b", "rsa1024").certificate_pem)
    made.write("keys/p384.crt", identity("a/b", "p384").certificate_pem)
    for number, (old, new, _) in enumerate(MISTAKES):
        template, kind = (AGENCY, "agencies") if old in AGENCY else (AGREEMENT, "agreements")
        assert template.count(old) == 1
        made.write(f"{kind}/M{number:02}.toml", template.replace(old, new).replace("CODE", f"M{number:02}"))
    again = (made.folder / "agencies/H33.05.toml").read_text()
    made.write("agencies/again.toml", again)
    return f"\n{refused(made)}".split("\n✗ ")[1:]


def test_one_agency_in_two_files_is_a_mistake(told: list[str]) -> None:
    assert any("again.toml" in one and "H33.05" in one for one in told)


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=lambda number: f"{MISTAKES[number][1]!r}"[:50])
def test_a_mistake_is_shown_with_its_file_and_key(told: list[str], number: int) -> None:
    at = f"M{number:02}.toml"
    (about,) = (one for one in told if one.splitlines()[0].startswith(("agencies/M", "agreements/M")) and at in one)

    assert MISTAKES[number][2] in about.partition(".toml")[2]
    assert len(about.splitlines()) >= 3  # where, then what is wrong and what would be right in two languages


def test_what_is_right_is_not_complained_about(told: list[str]) -> None:
    assert not [one for one in told if one.startswith(("agencies/H33.07.toml", "agreements/TT-01.toml"))]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            {
                'system = "H33.14/lgsp"': 'system = "H33.14"',
                'limit = "200 MiB"': 'limit = "much"',
                "[trust]": "[thrust]",
            },
            None,
            ("lgsp.toml", "system", "limit", "thrust"),
        ),
        ({'url = "sqlite:var/lgsp.db"': 'url = "oracle:x"'}, None, ("lgsp.toml", "store", "url")),
        ({'data = "var"': "data = "}, None, ("lgsp.toml",)),
    ],
    ids=["keys", "store", "syntax"],
)
def test_a_mistake_in_the_settings_is_shown(
    province: Province, old: dict[str, str], new: None, words: tuple[str, ...]
) -> None:
    for right, wrong in old.items():
        province.change(right, wrong)

    refused(province, *words)


def test_a_contract_is_judged_before_publication(province: Province) -> None:
    for name in ("a.good", "b.bad", "c.schema"):
        province.contract(name)
    province.write("contracts/a.good/1.0/examples/good/plain.json", '{"text": 7}')
    province.write("contracts/b.bad/1.0/examples/bad/no-text.required.json", '{"text": "good"}')
    province.write("contracts/c.schema/1.0/schema.json", '{"type": "objekt"}')
    province.contract("d.rules", {"1.0": {}, "2.0": {}})

    refused(province, "a.good", "plain.json", "b.bad", "no-text.required.json", "c.schema", "d.rules", "up.json")


def test_serve_says_what_is_wrong_with_its_settings_and_starts_nothing(province: Province) -> None:
    province.change("listen = ", 'listen = "nowhere" # ')
    refused(province, "lgsp.toml", "listen", command="serve")


@pytest.mark.parametrize("name", ["gateway.pem", "webhook.pem", "gateway.crt"])
def test_a_missing_or_broken_key_stops_the_start_with_one_message(province: Province, name: str) -> None:
    path = province.folder / "keys" / name
    if name == "gateway.pem":
        path.unlink()
    else:
        path.write_text("không phải khoá")

    refused(province, name, command="serve")


def test_a_taken_port_stops_the_start_with_one_message(province: Province, model: Province) -> None:
    province.serve()
    second = province.run(
        "serve",
        status=1,
    )

    assert str(province.port) in second.stderr
    assert "Traceback" not in second.stderr


def test_a_newer_database_is_left_alone(province: Province) -> None:
    path = province.folder / "var/lgsp.db"
    with contextlib.closing(sqlite3.connect(path)) as store:
        (table,) = (row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE name LIKE '%version%'"))
        assert table == "schema_versions"
        store.execute("INSERT INTO schema_versions SELECT max(number) + 900, 'future', '', 0 FROM schema_versions")
        store.commit()

    for command in ("apply", "serve"):
        done = province.run(command, status=1)
        assert "lgsp.db" in done.stderr
        assert "Traceback" not in done.stderr


def test_without_a_folder_every_command_says_where_to_find_one(tmp_path: Path) -> None:
    for command in ("apply", "serve"):
        done = lgsp(command, cwd=tmp_path)
        assert done.returncode == 1
        assert "lgsp.toml" in done.stderr
        assert list(tmp_path.iterdir()) == []
