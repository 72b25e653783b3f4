"""lgsp.toml: every key has a default that works, and every mistake says where, what, and what would be right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gateway.config.documents import each
from gateway.config.settings import Settings, read_settings
from gateway.core.faults import Misconfigured
from tests.province import settings_of, write

SYSTEM = '[gateway]\nsystem = "H33.14/lgsp"\n'


def settings(folder: Path, text: str, **environ: str) -> Settings:
    write(folder, "lgsp.toml", text)
    return settings_of(folder, **environ)


def mistakes(folder: Path, text: str, **environ: str) -> list[Misconfigured]:
    with pytest.raises(Misconfigured) as caught:
        settings(folder, text, **environ)
    return each(caught.value)


def test_one_line_is_enough_as_everything_else_has_a_default(tmp_path: Path) -> None:
    found = settings(tmp_path, SYSTEM)
    assert (found.system, found.agency) == ("H33.14/lgsp", "H33.14")
    assert (found.host, found.port, found.listen) == ("127.0.0.1", 8600, "127.0.0.1:8600")
    assert found.public_url == "http://127.0.0.1:8600"
    assert found.signing_key == tmp_path / "keys/gateway.pem"
    assert found.certificate == tmp_path / "keys/gateway.crt"
    assert found.webhook_key == tmp_path / "keys/webhook.pem"
    assert found.store_path == tmp_path / "var/lgsp.db"
    assert (found.files_folder, found.file_limit) == (tmp_path / "var/files", 200 * 2**20)
    assert (found.trust_roots, found.trust_crls) == (("trust/*.pem",), ("trust/*.crl",))
    assert (found.log_level, found.kill_at) == ("info", None)


def test_every_key_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "hop-dong").mkdir()
    found = settings(
        tmp_path,
        """
[gateway]
system = "H33.14/lgsp"
listen = "[::1]:9000"
public_url = "https://lgsp.example.vn/bus/"
data = "kho"
[keys]
signing = "/etc/lgsp/a.pem"
certificate = "k/a.crt"
webhook = "k/w.pem"
[store]
url = "sqlite:kho/a.db"
[broker]
url = "local"
[files]
folder = "kho/tep"
limit = "1 GiB"
[trust]
roots = []
crls = ["a.crl"]
[contracts]
folders = ["hop-dong"]
[adapters]
folders = []
""",
    )
    assert (found.host, found.port, found.listen) == ("::1", 9000, "[::1]:9000")
    assert found.public_url == "https://lgsp.example.vn/bus"
    assert (found.data, found.signing_key) == (tmp_path / "kho", Path("/etc/lgsp/a.pem"))
    assert (found.store_path, found.file_limit) == (tmp_path / "kho/a.db", 2**30)
    assert (found.trust_roots, found.contract_folders) == ((), (tmp_path / "hop-dong",))


def test_settings_never_change(tmp_path: Path) -> None:
    found = settings(tmp_path, SYSTEM)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "where", "wrong", "right"),
    [
        ("[gateway\n", "lgsp.toml:1", "TOML", "dấu nháy"),
        ('[gateway]\nsystem = "H33.14/lgsp"\nlisten = 127.0.0.1:8600\n', "lgsp.toml:3", "TOML", "127.0.0.1:8600"),
        ("", "lgsp.toml", "gateway", 'system = "H33.14/lgsp"'),
        ("[gateway]\n", "lgsp.toml:1: gateway", "system", "H33.14/lgsp"),
        ('[gateway]\nsystem = "lgsp"\n', "lgsp.toml:2: gateway.system", '"lgsp"', "H33.14/lgsp"),
        (SYSTEM + 'listen = "8600"\n', "lgsp.toml:3: gateway.listen", "8600", "127.0.0.1:8600"),
        (SYSTEM + 'listen = "127.0.0.1:99999"\n', "lgsp.toml:3: gateway.listen", "99999", "65535"),
        (SYSTEM + "listen = 8600\n", "lgsp.toml:3: gateway.listen", "8600", "127.0.0.1:8600"),
        (SYSTEM + 'public_url = "lgsp.vn"\n', "lgsp.toml:3: gateway.public_url", "lgsp.vn", "https://"),
        (SYSTEM + 'lissten = "127.0.0.1:1"\n', "lgsp.toml:3: gateway.lissten", "lissten", "listen?"),
        (SYSTEM + "[stor]\n", "lgsp.toml:3: stor", "stor", "store?"),
        (SYSTEM + "[keys]\nsigning = 5\n", "lgsp.toml:4: keys.signing", "5", "keys/gateway.pem"),
        (SYSTEM + '[store]\nurl = "postgresql://a/b"\n', "lgsp.toml:4: store.url", "PostgreSQL", "sqlite:var/lgsp.db"),
        (SYSTEM + '[store]\nurl = "mysql://a/b"\n', "lgsp.toml:4: store.url", "mysql", "sqlite:var/lgsp.db"),
        (SYSTEM + '[broker]\nurl = "amqp://a"\n', "lgsp.toml:4: broker.url", "RabbitMQ", '"local"'),
        (SYSTEM + '[broker]\nurl = "redis"\n', "lgsp.toml:4: broker.url", "redis", '"local"'),
        (SYSTEM + '[files]\nlimit = "200"\n', "lgsp.toml:4: files.limit", "200", "200 MiB"),
        (SYSTEM + '[files]\nlimit = "0 B"\n', "lgsp.toml:4: files.limit", "Giới hạn", "200 MiB"),
        (SYSTEM + '[trust]\nroots = "trust/*.pem"\n', "lgsp.toml:4: trust.roots", "trust/*.pem", '["trust/*.pem"]'),
        (SYSTEM + '[contracts]\nfolders = ["nope"]\n', "lgsp.toml:4: contracts.folders[1]", "nope", "tạo thư mục"),
        (SYSTEM + '[adapters]\nfolders = ["nope"]\n', "lgsp.toml:4: adapters.folders[1]", "nope", "tạo thư mục"),
    ],
)
def test_a_mistake_names_file_line_and_key_and_what_would_be_right(
    tmp_path: Path, text: str, where: str, wrong: str, right: str
) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.where == where
    assert wrong in found.wrong.vi
    assert right in found.right.vi
    assert found.wrong.en
    assert found.right.en


def test_all_mistakes_are_found_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, '[gateway]\nsystem = "x"\nlissten = "a"\n[files]\nlimit = "big"\n')
    assert {one.where for one in found} == {
        "lgsp.toml:2: gateway.system",
        "lgsp.toml:3: gateway.lissten",
        "lgsp.toml:5: files.limit",
    }


def test_a_folder_without_lgsp_toml_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_settings(tmp_path, {})
    assert caught.value.where.endswith("lgsp.toml")
    assert "lgsp init" in caught.value.right.vi


def test_a_file_that_is_not_utf8_says_so_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "lgsp.toml").write_bytes(SYSTEM.encode() + b'data = "\xff"\n')
    with pytest.raises(Misconfigured) as caught:
        read_settings(tmp_path, {})
    assert caught.value.where == "lgsp.toml:3"
    assert "UTF-8" in caught.value.right.vi


def test_the_environment_sets_the_log_level_and_the_kill_point(tmp_path: Path) -> None:
    found = settings(tmp_path, SYSTEM, LGSP_LOG="DEBUG", LGSP_KILL_AT="accept.kept:3")
    assert (found.log_level, found.kill_at) == ("debug", ("accept.kept", 3))


@pytest.mark.parametrize(
    ("name", "value"), [("LGSP_LOG", "loud"), ("LGSP_KILL_AT", "accept.kept"), ("LGSP_KILL_AT", "a:0")]
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str) -> None:
    (found,) = mistakes(tmp_path, SYSTEM, **{name: value})
    assert found.where == name


def test_a_path_is_shown_as_people_know_it(tmp_path: Path) -> None:
    found = settings(tmp_path, SYSTEM)
    assert found.shown(found.signing_key) == "keys/gateway.pem"
    assert found.shown(Path("/etc/hosts")) == "/etc/hosts"
