"""The command line: one program, ``lgsp``. A command is one line in COMMANDS and is imported when it is wanted."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from gateway import __version__
from gateway.cli.frame import Place, ended, examples

#: Command -> where it is. Adding a command is adding a line.
COMMANDS: Final[dict[str, str]] = {
    "demo": "gateway.cli.demo.command:demo",
    "init": "gateway.cli.province:init",
    "apply": "gateway.cli.province:apply",
    "serve": "gateway.cli.serve:serve",
    "send": "gateway.cli.messages:send",
    "inbox": "gateway.cli.messages:inbox",
    "ask": "gateway.cli.ask:ask",
    "status": "gateway.cli.messages:status",
    "failed": "gateway.cli.failed:failed",
    "hold": "gateway.cli.operate:hold",
    "release": "gateway.cli.operate:release",
    "replay": "gateway.cli.replay:replay",
    "discard": "gateway.cli.replay:discard",
    "inspect": "gateway.cli.inspect:inspect",
    "requests": "gateway.cli.requests:requests",
    "documents": "gateway.cli.documents:documents",
    "dossiers": "gateway.cli.dossiers:dossiers",
    "queries": "gateway.cli.queries:queries",
    "reconcile": "gateway.cli.reconcile:reconcile",
    "directory": "gateway.cli.directory:directory",
    "registers": "gateway.cli.registers:registers",
    "doctor": "gateway.cli.doctor.command:doctor",
    "backup": "gateway.cli.backup:backup",
    "restore": "gateway.cli.backup:restore",
    "migrate-store": "gateway.cli.migrate_store:migrate_store",
    "operator": "gateway.cli.operator:operator",
    "contracts": "gateway.cli.contracts:contracts",
    "convert": "gateway.cli.convert:convert",
    "adapters": "gateway.cli.adapters:adapters",
    "calendar": "gateway.cli.calendar:calendar",
    "mock": "gateway.cli.mock_province:mock",
    "bench": "gateway.cli.bench.command:bench",
}


class Program(click.Group):
    """Commands that are imported only when they run or are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """In the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command with this name; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(importlib.import_module(module), name)
        return found if isinstance(found, click.Command) else None


@click.group(
    cls=Program,
    epilog=examples("lgsp init tinh && lgsp -C tinh apply && lgsp -C tinh serve"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-C", "folder", metavar="DIR", default=".", type=click.Path(path_type=Path),
    help="Thư mục tỉnh (mặc định: thư mục hiện tại). The province folder.",
)  # fmt: skip
@click.option(
    "--lang", type=click.Choice(["vi", "en"]), default=None,
    help="Ngôn ngữ trả lời. The language of answers (vi unless said otherwise).",
)  # fmt: skip
@click.version_option(__version__, prog_name="lgsp")
@click.pass_context
def program(ctx: click.Context, folder: Path, lang: str | None) -> None:
    """Liên Thông: trục liên thông dữ liệu của tỉnh. The inter-agency data bus of a province."""
    place = ctx.ensure_object(Place)
    place.folder, place.language = folder, lang


def run(arguments: Sequence[str]) -> int:
    """Run one command line; answers its exit status: 0 done, 1 failed, 2 wrong usage."""
    return ended(program, list(arguments))


def main() -> None:
    """The program itself."""
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read us (head, less) went away; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
