"""Interfaces, section 7: the command line, as a person and as a script would use it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.outside.client import document, eventually, identity, opened
from tests.outside.province import Province, free_port, lgsp, wants

COMMANDS = (
    "init apply serve send inbox status failed hold release replay discard convert demo"
    " contracts contracts/list contracts/check operator operator/add mock"
).split()
GROUPS = {"contracts", "operator", "mock"}


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """A sender and an inbox whose keys lie in keys/."""
    with Province(tmp_path_factory.mktemp("commands") / "tinh") as made:
        made.one("H33.05/dms")
        made.one("H33.07/dms", wants("document.issued/1.0"))
        made.agreement()
        made.write("cong-van.json", json.dumps(document(), ensure_ascii=False))
        made.apply()
        yield made.serve()


def test_every_command_has_help_with_an_example_and_an_answer_for_programs() -> None:
    def helped(command: str) -> tuple[str, int, str]:
        done = lgsp(*command.split("/"), "--help")
        return command, done.returncode, done.stdout

    with ThreadPoolExecutor(2) as pool:
        for command, status, text in pool.map(helped, COMMANDS):
            assert status == 0, command
            assert "lgsp " in text.partition("Example")[2], command
            assert command in GROUPS or "--json" in text, command


def test_wrong_usage_exits_with_2_and_says_so_on_stderr() -> None:
    wrong = ["nothing", "apply --nothing", "send", "replay", "hold", "convert edxml", "convert pdf x", "operator add x"]
    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda line: lgsp(*line.split()), wrong):
            assert done.returncode == 2, done
            assert done.stdout == ""
            assert "lgsp" in done.stderr
            assert "Traceback" not in done.stderr


def test_an_agency_sends_receives_and_asks_what_became_of_it(province: Province) -> None:
    file = province.folder / "cong-van.json"
    sent = json.loads(province.run("send", file, "--as", "H33.05/dms", "--to", "H33.07", "--json").stdout)
    assert (sent["state"], sent["recipients"]) == ("accepted", ["H33.07/dms"])

    (one,) = map(json.loads, province.run("inbox", "--as", "H33.07/dms", "--take", "--json").stdout.splitlines())
    assert opened(one["envelope"])[1]["id"] == sent["id"]
    assert opened(one["envelope"])[1]["data"] == document()
    seen = json.loads(province.run("status", sent["id"], "--as", "H33.05/dms", "--json").stdout)
    assert [each["state"] for each in seen["deliveries"]] == ["delivered"]
    assert "H33.07/dms" in province.run("status", sent["id"]).stdout


def test_a_key_may_lie_anywhere_and_data_come_from_standard_input(province: Province, tmp_path: Path) -> None:
    who = province.seats["H33.05/dms"].who
    (tmp_path / "may.pem").write_bytes(who.key_pem)
    (tmp_path / "may.crt").write_bytes(who.certificate_pem)
    done = lgsp(
        *("send", province.folder / "cong-van.json", "--as", "H33.05/dms", "--to", "H33.07", "--url", province.url),
        *("--key", tmp_path / "may.pem", "--contract", "document.issued/1.0", "--priority", "express"),
        cwd=tmp_path,
    )

    assert done.returncode == 0, done
    assert done.stderr == ""


def test_what_the_bus_refuses_is_a_failure_with_its_words(province: Province) -> None:
    file = province.folder / "cong-van.json"
    refused = province.run("send", file, "--as", "H33.05/dms", "--to", "H99", status=1)
    assert "H99" in refused.stderr
    absent = province.run("status", str(uuid.uuid4()), status=1)
    assert absent.stderr
    no_key = province.run("send", file, "--as", "H33.66/dms", "--to", "H33.07", status=1)
    assert "H33.66-dms.pem" in no_key.stderr
    wrong = province.write("sai.json", "{")
    no_json = province.run("send", wrong, "--as", "H33.05/dms", "--to", "H33.07", status=None)
    assert no_json.returncode in {1, 2}
    for done in (refused, absent, no_key, no_json):
        assert "Traceback" not in done.stderr
        assert "ngoài dự kiến" not in done.stderr


def test_a_bus_that_is_down_is_a_failure_in_one_message(province: Province) -> None:
    file, port = province.folder / "cong-van.json", free_port()
    done = province.run(
        "send", file, "--as", "H33.05/dms", "--to", "H33.07", "--url", f"http://127.0.0.1:{port}", status=1
    )

    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stranger_with_a_key_of_its_own_is_turned_away(province: Province, tmp_path: Path) -> None:
    who = identity("H33.05/dms")
    (tmp_path / "x.pem").write_bytes(who.key_pem)
    (tmp_path / "x.crt").write_bytes(who.certificate_pem)
    done = province.run("inbox", "--as", "H33.07/dms", "--key", tmp_path / "x.pem", status=1)

    assert done.stderr
    assert "Traceback" not in done.stderr


def test_contracts_are_listed_and_checked(province: Province) -> None:
    listed = json.loads(province.run("contracts", "list", "--json").stdout)
    assert "document.issued" in json.dumps(listed)
    province.contract("a.wrong", {"1.0": {"examples/good/plain.json": {"text": 7}}})
    wrong = province.run("contracts", "check", province.folder / "contracts/a.wrong", status=1)

    assert "plain.json" in wrong.stdout + wrong.stderr


def test_an_operators_token_is_shown_once_and_good_for_its_role(province: Province) -> None:
    shown = province.run("operator", "add", "mau", "--role", "viewer")
    token = max(shown.stdout.split(), key=len)
    eventually(lambda: province.bus.get("/v1/contracts", token).status == 200, within=3)

    assert province.run("operator", "add", "mau", "--role", "viewer", status=None).stdout != shown.stdout
    for path in (province.folder / "var").glob("lgsp.db*"):
        assert token.encode() not in path.read_bytes()


def test_acts_take_effect_at_once_while_the_gateway_runs_and_are_told_as_json(province: Province) -> None:
    seat = province.seats["H33.05/dms"]
    held = json.loads(province.run("hold", "H33.07/dms", "--reason", "bảo trì", "--json").stdout)
    assert held
    identifier = seat.send("H33.07", "document.issued/1.0", data=document())
    assert seat.delivery(identifier)["state"] == "held"
    assert all(one["event"]["id"] != identifier for one in province.seats["H33.07/dms"].lease(500, visibility=1))
    gone = json.loads(province.run("discard", seat.delivery(identifier)["delivery"], "--reason", "x", "--json").stdout)
    assert gone
    assert seat.delivery(identifier)["state"] == "discarded"

    assert json.loads(province.run("release", "H33.07/dms", "--reason", "xong", "--json").stdout)
    assert seat.delivery(seat.send("H33.07", "document.issued/1.0", data=document()))["state"] == "queued"
