"""lgsp.toml: every key has a default that works, and every mistake says where, what, and what would be right."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest

from gateway.config.documents import each
from gateway.config.settings import Settings, read_settings
from gateway.config.whereabouts import without_password
from gateway.core.faults import Misconfigured
from gateway.core.retention import Ages
from tests.province import settings_of, write

SYSTEM = '[gateway]\nsystem = "H33.14/lgsp"\n'
POSTGRES = '[store]\nurl = "postgresql://lgsp@db/lgsp"\n'
RABBITMQ = '[broker]\nurl = "amqps://lgsp@mq:5671/lgsp"\n'


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
        (SYSTEM + '[store]\nurl = "postgresql://a"\n', "lgsp.toml:4: store.url", "PostgreSQL", "postgresql://"),
        (SYSTEM + '[store]\nurl = "postgresql:///lgsp"\n', "lgsp.toml:4: store.url", "PostgreSQL", "postgresql://"),
        (SYSTEM + '[store]\nurl = "postgresql://a:0/b"\n', "lgsp.toml:4: store.url", "PostgreSQL", "postgresql://"),
        (SYSTEM + "[store]\npool = 20\n", "lgsp.toml:4: store.pool", "PostgreSQL", "bỏ dòng"),
        (SYSTEM + "[store]\npgbouncer = true\n", "lgsp.toml:4: store.pgbouncer", "PostgreSQL", "bỏ dòng"),
        (SYSTEM + '[store]\npassword_file = "p"\n', "lgsp.toml:4: store.password_file", "máy chủ", "bỏ dòng"),
        (SYSTEM + "workers = 0\n", "lgsp.toml:3: gateway.workers", "0", "từ 1"),
        (SYSTEM + 'node = "một máy"\n', "lgsp.toml:3: gateway.node", "một máy", "truc-1"),
        (SYSTEM + '[store]\nurl = "mysql://a/b"\n', "lgsp.toml:4: store.url", "mysql", "sqlite:var/lgsp.db"),
        (SYSTEM + '[broker]\nurl = "amqp://a/b"\n', "lgsp.toml:4: broker.url", "SQLite", '"local"'),
        (SYSTEM + POSTGRES + '[broker]\nurl = "amqp://a/b/c"\n', "lgsp.toml:6: broker.url", "RabbitMQ", "amqp://"),
        (SYSTEM + POSTGRES + '[broker]\nurl = "amqp://a:99999/b"\n', "lgsp.toml:6: broker.url", "RabbitMQ", "amqp://"),
        (SYSTEM + '[broker]\nmanagement = "http://mq"\n', "lgsp.toml:4: broker.management", "RabbitMQ", "bỏ dòng"),
        (
            SYSTEM + POSTGRES + RABBITMQ + 'management = "mq:15672"\n',
            "lgsp.toml:7: broker.management",
            "quản trị",
            "http://127.0.0.1:15672",
        ),
        (
            SYSTEM + POSTGRES + RABBITMQ + 'management_password_file = "p"\n',
            "lgsp.toml:7: broker.management_password_file",
            "máy chủ",
            "bỏ dòng",
        ),
        (SYSTEM + '[broker]\nurl = "redis"\n', "lgsp.toml:4: broker.url", "redis", '"local"'),
        (SYSTEM + '[files]\nlimit = "200"\n', "lgsp.toml:4: files.limit", "200", "200 MiB"),
        (SYSTEM + '[files]\nlimit = "0 B"\n', "lgsp.toml:4: files.limit", "Giới hạn", "200 MiB"),
        (SYSTEM + '[files]\nvisit_limit = "1 GiB"\n', "lgsp.toml:4: files.visit_limit", "Giới hạn", "64 MiB"),
        (SYSTEM + "[files]\nlink_days = 0\n", "lgsp.toml:4: files.link_days", "0", "30"),
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


def test_a_cluster_is_two_urls(tmp_path: Path) -> None:
    found = settings(tmp_path, SYSTEM + POSTGRES + "pgbouncer = true\npool = 20\n" + RABBITMQ)
    assert (found.store_whereabouts(), found.broker_whereabouts()) == (
        "postgresql://lgsp@db/lgsp", "amqps://lgsp@mq:5671/lgsp",
    )  # fmt: skip
    assert (found.pgbouncer, found.pool, found.is_embedded, found.is_shared) == (True, 20, False, True)


def test_several_hosts_of_postgresql_may_be_named(tmp_path: Path) -> None:
    url = "postgresql://lgsp@db-1:5432,db-2:5433,[::1]/lgsp?target_session_attrs=read-write"
    assert settings(tmp_path, SYSTEM + f'[store]\nurl = "{url}"\n').store_whereabouts() == url


def test_postgresql_needs_no_rabbitmq(tmp_path: Path) -> None:
    assert settings(tmp_path, SYSTEM + POSTGRES).broker_url == "local"


def test_a_process_is_known_by_its_node_and_its_number(tmp_path: Path) -> None:
    alone = settings(tmp_path, SYSTEM)
    named = settings(tmp_path, SYSTEM + 'node = "truc-2"\nworkers = 3\n' + POSTGRES)
    assert (alone.process, alone.is_shared) == ("one.1", False)
    assert dataclasses.replace(named, worker=3).process == "truc-2.3"
    assert settings(tmp_path, SYSTEM + POSTGRES).node == socket.gethostname()
    assert settings(tmp_path, SYSTEM + "workers = 2\n").is_shared


def test_a_password_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, "keys/store.password", "p@ss/w:rd\n")
    found = settings(tmp_path, SYSTEM + POSTGRES + 'password_file = "keys/store.password"\n')
    assert found.store_whereabouts() == "postgresql://lgsp:p%40ss%2Fw%3Ard@db/lgsp"


def test_the_management_api_has_the_brokers_user_unless_it_names_its_own(tmp_path: Path) -> None:
    write(tmp_path, "keys/broker.password", "p@ss\n")
    write(tmp_path, "keys/management.password", "s/ecret\n")
    cluster = SYSTEM + POSTGRES + RABBITMQ + 'password_file = "keys/broker.password"\n'
    assert settings(tmp_path, cluster).management_whereabouts() is None
    same = settings(tmp_path, cluster + 'management = "https://mq:15671/"\n')
    assert same.management_whereabouts() == "https://lgsp:p%40ss@mq:15671"
    own = 'management = "http://boss@mq:15672"\nmanagement_password_file = "keys/management.password"\n'
    assert settings(tmp_path, cluster + own).management_whereabouts() == "http://boss:s%2Fecret@mq:15672"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"one\ntwo\n", b"\xff", b"x" * 1025])
def test_a_password_file_that_holds_none_is_named_and_not_shown(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "p").write_bytes(content)
    found = settings(tmp_path, SYSTEM + POSTGRES + 'password_file = "p"\n')
    with pytest.raises(Misconfigured) as caught:
        found.store_whereabouts()
    assert caught.value.where == "p"
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "wrong"), [("postgresql://lgsp:secret@db/lgsp", "Mật khẩu"), ("postgresql://db/lgsp", "người dùng")]
)
def test_a_password_file_goes_with_a_user_and_without_a_password(tmp_path: Path, url: str, wrong: str) -> None:
    (found,) = mistakes(tmp_path, SYSTEM + f'[store]\nurl = "{url}"\npassword_file = "p"\n')
    assert found.where == "lgsp.toml:5: store.password_file"
    assert wrong in found.wrong.vi
    assert "secret" not in str(found)


@pytest.mark.parametrize("text", ['[store]\nurl = ["postgresql://a:secret@b/c"]', '[store]\nurl = "x://a:secret@b"'])
def test_a_password_in_a_url_is_never_shown(tmp_path: Path, text: str) -> None:
    assert "secret" not in str(mistakes(tmp_path, SYSTEM + text + "\n"))
    found = settings(tmp_path, SYSTEM + '[store]\nurl = "postgresql://lgsp:secret@db/lgsp?password=secret"\n')
    assert "secret" not in repr(found)
    assert without_password(found.store_url) == "postgresql://lgsp@db/lgsp"


def test_what_looks_into_the_file_of_sqlite_says_that_there_is_none(tmp_path: Path) -> None:
    found = settings(tmp_path, SYSTEM + POSTGRES)
    with pytest.raises(Misconfigured) as caught:
        _ = found.store_path
    assert "pg_dump" in caught.value.right.vi
    assert found.is_founded


# --------------------------------------------------------------------------------------------- how long what is kept


def test_nothing_goes_unless_the_province_says_so(tmp_path: Path) -> None:
    assert settings(tmp_path, SYSTEM).ages == Ages(None, None, None)


def test_each_class_has_an_age_in_days(tmp_path: Path) -> None:
    found = settings(tmp_path, SYSTEM + '[retention]\ndata = "90d"\nattempts = "30d"\nmetadata = "3650d"\n')
    assert found.ages == Ages(data=90 * 86400.0, attempts=30 * 86400.0, metadata=3650 * 86400.0)
    only = settings(tmp_path, SYSTEM + '[retention]\ndata = "90d"\nattempts = ""\n')
    assert only.ages == Ages(data=90 * 86400.0)


@pytest.mark.parametrize("age", ["90", "0d", "12h", "1.5d", "một năm", "-1d"])
def test_an_age_is_a_number_of_days(tmp_path: Path, age: str) -> None:
    (mistake,) = mistakes(tmp_path, SYSTEM + f'[retention]\ndata = "{age}"\n')
    assert mistake.where.endswith("retention.data")
    assert "365d" in mistake.right.en


def test_nobody_keeps_for_more_than_a_century_but_for_ever(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, SYSTEM + '[retention]\nattempts = "40000d"\n')
    assert mistake.where.endswith("retention.attempts")
    assert 'write ""' in mistake.right.en


def test_what_belongs_to_the_metadata_does_not_outlive_it(tmp_path: Path) -> None:
    found = mistakes(tmp_path, SYSTEM + '[retention]\ndata = "400d"\nmetadata = "365d"\n')
    assert [each.where.rpartition(" ")[2] for each in found] == ["retention.data", "retention.metadata"]
    assert 'data = "365d"' in found[0].right.en
    assert 'attempts = "365d"' in found[1].right.en
