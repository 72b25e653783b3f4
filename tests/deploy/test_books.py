"""The operator's books are true: their commands and options exist, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from gateway.cli import program
from gateway.cli.replay import _DO, Verbs
from tests.deploy.reading import DEPLOY, ROOT

BOOKS = sorted(DEPLOY.rglob("*.md"))
ALERTS = sorted((DEPLOY / "prometheus").glob("*.rules.yml"))
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(lgsp\s[^`]+)`")
#: A command in a line of shell: at its beginning or behind what joins commands, perhaps as another user.
SHELL = re.compile(r"(?:^|&&|\|\||;|'|\bdo) *(?:sudo (?:-u \S+ )?)?(?:\S*/)?(lgsp [^#;|&]*[^#;|& ])")
#: A command in the prose of an alert: its name, and options with their values.
SAID = re.compile(r"\b(lgsp [a-z][a-z-]*(?: (?:add|remove|list|show)\b)?(?: --[a-z-]+(?: [^-\s;.,:][^\s;.,]*)?)*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def typed(page: str) -> list[str]:
    """The command lines of ``lgsp`` in a book: in blocks of shell, and set as code in a sentence."""
    lines = [line.replace("\\\n", " ") for block in BLOCK.findall(page) for line in block.splitlines()]
    found = [match for line in lines for match in SHELL.findall(line)]
    return found + [" ".join(code.split()) for code in INLINE.findall(re.sub(r"```.*?```", "", page, flags=re.DOTALL))]


def judge(line: str) -> None:
    """Hold one command line to the program; raises click.UsageError or AssertionError."""
    _, *words = shlex.split(line)
    command: click.Command = program
    context = click.Context(program, info_name="lgsp")
    while True:
        if isinstance(command, Verbs) and (not words or words[0] not in command.list_commands(context)):
            words.insert(0, _DO)
        parser = command.make_parser(context)
        parser.allow_interspersed_args = not isinstance(command, click.Group)
        _, words, _ = parser.parse_args(words)
        if not isinstance(command, click.Group) or not words:
            return
        inner = command.get_command(context, words[0])
        assert inner is not None, f"no command {words[0]!r}"
        context = click.Context(inner, info_name=words[0], parent=context)
        command, words = inner, words[1:]


def commands() -> list[tuple[str, str]]:
    """Every command line that is told somewhere, with where."""
    told = [(path, line) for path in BOOKS for line in typed(path.read_text())]
    told += [(path, line) for path in ALERTS for line in SAID.findall(path.read_text())]
    return [(path.relative_to(DEPLOY).as_posix(), line.strip()) for path, line in told]


def test_the_books_tell_many_commands() -> None:
    told = {line.split()[1] for _, line in commands()}
    wanted = "doctor backup restore status failed replay discard hold release apply serve operator requests bench"
    assert set(wanted.split()) <= told


@pytest.mark.parametrize(("where", "line"), commands())
def test_every_command_told_exists_with_these_options(where: str, line: str) -> None:
    judge(line)


@pytest.mark.parametrize(
    "line", ["undo", "backup --fast x", "operator promote x", "-C x serv", "hold --reasons x", "replay --quickly x"]
)
def test_a_command_that_does_not_exist_would_be_noticed(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        judge(f"lgsp {line}")


@pytest.mark.parametrize("book", [path.relative_to(ROOT).as_posix() for path in BOOKS])
def test_every_link_leads_to_a_file_or_to_a_place_in_a_book(book: str) -> None:
    page = ROOT / book
    for link in LINK.findall(page.read_text()):
        if not link.startswith(("http://", "https://")):
            name, _, anchor = link.partition("#")
            target = page if not name else (page.parent / name).resolve()
            assert target.exists(), link
            assert not anchor or f'<a id="{anchor}"></a>' in target.read_text(), link


def test_both_languages_stand_in_every_heading_of_the_books() -> None:
    for path in BOOKS:
        for heading in re.findall(r"^## (.*)$", _prose(path), re.MULTILINE):
            assert " / " in heading or heading in {"Kubernetes", "PgBouncer", "HAProxy", "RabbitMQ"}, (path, heading)


def _prose(path: Path) -> str:
    return re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
