"""The program as a whole: help with examples, JSON, exit statuses, and mistakes told in words without a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway import __version__
from gateway.cli import COMMANDS, program
from gateway.cli.frame import Place, ended, json_option
from gateway.core.faults import Rejected, Text, Violation
from tests.cli.desk import ROOT, lgsp
from tests.province import a_province

GROUPS: set[tuple[str, ...]] = set()


def every_command() -> list[tuple[str, ...]]:
    context = click.Context(program)
    found: list[tuple[str, ...]] = []
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        found.append((name,))
        if isinstance(command, click.Group):
            GROUPS.add((name,))
            found += [(name, inner) for inner in command.list_commands(click.Context(command))]
    return found


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_has_help_with_an_example_in_both_languages(path: tuple[str, ...]) -> None:
    shown = lgsp(*path, "--help")
    assert (shown.status, shown.err) == (0, "")
    assert "Ví dụ / Example:" in shown.out
    example = shown.out.split("Example:")[1].split()
    assert example[0] == "lgsp"
    assert path[0] in example


@pytest.mark.parametrize("path", [path for path in every_command() if path not in GROUPS], ids=" ".join)
def test_every_command_that_does_something_knows_json(path: tuple[str, ...]) -> None:
    assert "--json" in lgsp(*path, "--help").out


def test_help_lists_every_command() -> None:
    shown = lgsp("--help")
    assert shown.status == 0
    assert all(f"\n  {name} " in shown.out for name in COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["operator"], ["contracts"]])
def test_without_a_command_the_help_is_shown_as_wrong_usage(arguments: list[str]) -> None:
    shown = lgsp(*arguments)
    assert (shown.status, shown.out) == (2, "")
    assert shown.err.startswith("Usage: lgsp")


def test_the_version_is_told() -> None:
    assert __version__ in lgsp("--version").out


@pytest.mark.parametrize(
    ("arguments", "vi", "en"),
    [
        (["aply"], "không có lệnh aply, có phải ý là apply", "No such command 'aply'"),
        (["apply", "--dryrun"], "không có tuỳ chọn --dryrun, có phải ý là --dry-run", "No such option '--dryrun'"),
        (["init"], "thiếu 'DIR'", "Missing argument 'DIR'"),
        (["hold", "H33.16/dms"], "thiếu '--reason'", "Missing option '--reason'"),
        (["operator", "add", "mau", "--role", "king"], "giá trị của '--role'", "'king' is not one of"),
        (["operator", "add", "họ tên", "--role", "admin"], "NAME", "plain letters"),
        (["init", "x", "--system", "lgsp"], "--system", "H33.14/lgsp"),
        (["inbox", "--as", "H33.16/dms", "--max", "0"], "giá trị của '--max'", "0 is not in the range"),
        (["apply", "a", "b"], "thừa tham số b", "unexpected extra argument (b). See"),
        (["convert", "fax", "a.fax"], "không có kiểu tệp fax, chỉ có edxml.", "no kind of file fax, only edxml."),
        (["replay", "--reason", "x"], "cần ID, GROUP hoặc bộ lọc.", "an ID, a GROUP or a filter is needed."),
        (["replay", "--recipient", "A/b", "--window", "9", "--reason", "x"], "ví dụ 22:00-05:00.", "for example 22:00"),
        (["init", "p", "--system", "x"], "--system có dạng CODE/NAME", "--system is CODE/NAME"),
        (["failed", "zz"], "GROUP gồm 12 chữ số hex.", "a GROUP is 12 hex digits."),
    ],
)
def test_wrong_usage_is_one_message_and_exit_status_two(arguments: list[str], vi: str, en: str) -> None:
    shown = lgsp(*arguments)
    first, second = shown.err.strip().splitlines()
    assert (shown.status, shown.out) == (2, "")
    assert first.startswith("✗ Sai cách gọi lệnh: ")
    assert vi in first
    assert en in second
    assert "--help" in first


def test_a_folder_that_is_no_province_fails_with_what_to_do(tmp_path: Path) -> None:
    for command in (["apply"], ["serve"], ["failed"], ["hold", "A/b", "--reason", "x"]):
        shown = lgsp("-C", tmp_path, *command)
        assert (shown.status, shown.out) == (1, "")
        assert "lgsp init" in shown.err
        assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []


def test_with_json_a_mistake_is_json_too(tmp_path: Path) -> None:
    shown = lgsp("-C", tmp_path, "apply", "--json")
    assert shown.status == 1
    (mistake,) = shown.json["mistakes"]
    assert mistake["where"].endswith("lgsp.toml")
    assert mistake["right"]["vi"]
    assert mistake["right"]["en"]


def test_mistakes_are_told_in_both_languages_or_in_the_one_asked_for(tmp_path: Path) -> None:
    both, vi, en = (
        lgsp(*language, "-C", tmp_path, "apply").err for language in ([], ["--lang", "vi"], ["--lang", "en"])
    )
    assert "Không có tệp" in both
    assert "There is no" in both
    assert "There is no" not in vi
    assert "Không có tệp" not in en


def test_an_operator_s_commands_before_the_first_apply_say_so(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    shown = lgsp("-C", folder, "failed")
    assert shown.status == 1
    assert "lgsp apply" in shown.err
    assert not (folder / "var/lgsp.db").exists()


@click.command()
@json_option
@click.pass_obj
def stumbling(place: Place) -> None:
    """Meet something unforeseen."""
    raise RuntimeError("chuyện lạ")


@click.command()
@json_option
@click.pass_obj
def refusing(place: Place) -> None:
    """Refuse."""
    violation = Violation("/data/a", "required", Text("thiếu a", "a is missing"))
    raise Rejected("contract-violation", Text("Sai.", "Wrong."), violations=(violation,))


def test_the_unforeseen_is_told_in_words_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(stumbling, []) == 1
    shown = capsys.readouterr()
    assert "Lỗi ngoài dự kiến (RuntimeError: chuyện lạ)" in shown.err
    assert "Traceback" not in shown.err


def test_the_unforeseen_shows_its_way_where_debugging_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LGSP_LOG", "debug")
    assert ended(stumbling, []) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_refusal_is_told_with_its_title_and_broken_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(refusing, ["--json"]) == 1
    shown = capsys.readouterr()
    assert "Dữ liệu trái với hợp đồng. Sai." in shown.err
    assert "/data/a: thiếu a" in shown.err
    assert json.loads(shown.out)["problem"] == "contract-violation"


def test_the_module_runs_and_answers_the_shell(tmp_path: Path) -> None:
    def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert shell("--version").returncode == 0
    assert shell("nope").returncode == 2
    assert shell("apply").returncode == 1


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m gateway contracts list | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(  # noqa: S602 - a pipe is what is tested
        command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert shown.stdout.count("\n") == 1
    assert "Traceback" not in shown.stderr
    assert "BrokenPipe" not in shown.stderr
