"""``lgsp init``: a province folder that works as it is, made whole or not at all."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from tests.cli.desk import lgsp
from tests.province import settings_of, snapshot, write


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shown = lgsp("init", tmp_path / "mot/tinh")
    assert (shown.status, shown.err) == (0, "")
    return tmp_path / "mot/tinh"


def test_it_makes_the_folder_of_the_interface_with_working_defaults(folder: Path) -> None:
    written = tomllib.loads((folder / "lgsp.toml").read_text("utf-8"))
    assert written == {
        "gateway": {
            "system": "H33.14/lgsp",
            "listen": "127.0.0.1:8600",
            "public_url": "http://127.0.0.1:8600",
            "data": "var",
        },
        "keys": {"signing": "keys/gateway.pem", "certificate": "keys/gateway.crt", "webhook": "keys/webhook.pem"},
        "store": {"url": "sqlite:var/lgsp.db"},
        "broker": {"url": "local"},
        "files": {"folder": "var/files", "limit": "200 MiB"},
        "trust": {"roots": ["trust/*.pem"], "crls": ["trust/*.crl"]},
        "contracts": {"folders": ["contracts"]},
        "adapters": {"folders": ["adapters"]},
        "law": {"folders": ["law"]},
    }
    assert settings_of(folder).system == "H33.14/lgsp"
    for name in ("agencies", "agreements", "contracts", "adapters", "law", "keys", "trust", "var"):
        assert (folder / name).is_dir()


def test_it_writes_one_key_a_line(folder: Path) -> None:
    lines = (folder / "lgsp.toml").read_text("utf-8").splitlines()
    assert all(re.match(r"(#.*|\[[a-z]+\]|[a-z_]+ = [^#]+|)\Z", line) for line in lines)


def test_it_makes_keys_that_nobody_else_can_read(folder: Path) -> None:
    assert (mode(folder / "keys"), mode(folder / "var")) == (0o700, 0o700)
    for name in ("gateway", "webhook"):
        assert mode(folder / f"keys/{name}.pem") == 0o600
        key = load_pem_private_key((folder / f"keys/{name}.pem").read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)


def test_the_gateways_certificate_names_its_system_and_lasts_ten_years(folder: Path) -> None:
    certificate = x509.load_pem_x509_certificate((folder / "keys/gateway.crt").read_bytes())
    key = load_pem_private_key((folder / "keys/gateway.pem").read_bytes(), password=None)
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "H33.14/lgsp"
    assert certificate.public_key() == key.public_key()
    assert 3650 <= (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 3654


def test_two_provinces_never_share_a_key(folder: Path, tmp_path: Path) -> None:
    lgsp("init", tmp_path / "hai")
    assert (folder / "keys/gateway.pem").read_bytes() != (tmp_path / "hai/keys/gateway.pem").read_bytes()


def test_what_it_makes_can_be_applied_as_it_is(folder: Path) -> None:
    assert lgsp("-C", folder, "apply").status == 0


def test_it_says_what_comes_next(tmp_path: Path) -> None:
    shown = lgsp("init", tmp_path / "tinh")
    assert f"lgsp -C {tmp_path}/tinh apply" in shown.out
    assert f"lgsp -C {tmp_path}/tinh serve" in shown.out
    told = lgsp("--lang", "en", "init", tmp_path / "hai", "--json").json
    assert (told["result"], told["system"]) == ("made", "H33.14/lgsp")
    assert "lgsp.toml" in told["files"]


def test_the_systems_name_can_be_chosen(tmp_path: Path) -> None:
    assert lgsp("init", tmp_path / "tinh", "--system", "H40.01/truc").status == 0
    assert settings_of(tmp_path / "tinh").system == "H40.01/truc"


def test_an_empty_folder_and_one_with_other_things_are_filled(tmp_path: Path) -> None:
    assert lgsp("init", tmp_path).status == 0
    other = tmp_path / "khac"
    write(other, "ghi-chu.txt", "của tôi")
    assert lgsp("init", other).status == 0
    assert (other / "ghi-chu.txt").read_text() == "của tôi"


def test_a_province_is_never_overwritten(folder: Path) -> None:
    before = snapshot(folder)
    shown = lgsp("init", folder)
    assert (shown.status, shown.out) == (1, "")
    assert "đã là một thư mục tỉnh" in shown.err
    assert snapshot(folder) == before


def test_a_file_in_the_way_stops_it_before_anything_is_made(tmp_path: Path) -> None:
    write(tmp_path, "keys/gateway.pem", "quý giá")
    shown = lgsp("init", tmp_path)
    assert shown.status == 1
    assert snapshot(tmp_path) == {"keys/gateway.pem": "quý giá".encode()}
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_what_was_begun_is_taken_away_where_it_cannot_be_finished(tmp_path: Path) -> None:
    write(tmp_path, "trust", "một tệp, không phải thư mục")
    shown = lgsp("init", tmp_path)
    assert shown.status == 1
    assert snapshot(tmp_path) == {"trust": "một tệp, không phải thư mục".encode()}


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "tinh", "tệp")
    for place in (tmp_path / "tinh", tmp_path / "tinh/duoi"):
        shown = lgsp("init", place)
        assert shown.status == 1
        assert "Không tạo được thư mục tỉnh" in shown.err
    assert snapshot(tmp_path) == {"tinh": "tệp".encode()}
