"""What every command shares: the province folder, the language, ``--json``, and how an end becomes an exit status."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from gateway.config.documents import each, nearest
from gateway.core.faults import PROBLEMS, Fault, Misconfigured, Text

if TYPE_CHECKING:
    from gateway.config.settings import Settings
    from gateway.ports import Ledger

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Place:
    """Where a command runs and how it speaks."""

    folder: Path
    #: ``vi``, ``en``, or None: results in Vietnamese, mistakes in both.
    language: str | None = None
    as_json: bool = False
    _settings: Settings | None = field(default=None, repr=False)

    @property
    def settings(self) -> Settings:
        """The settings of the province folder, read once; raises Misconfigured."""
        if self._settings is None:
            from gateway.config.settings import read_settings

            self._settings = read_settings(self.folder)
        return self._settings

    def say(self, vi: str, en: str) -> None:
        """A result for people, in one language; nothing where a program reads."""
        if not self.as_json:
            click.echo(self.in_words(Text(vi, en)))

    def in_words(self, text: Text) -> str:
        """``text`` in the language of results."""
        return text.in_language(self.language or "vi")

    def give(self, members: Mapping[str, Any]) -> None:
        """A result for programs: one JSON object, where ``--json`` was asked for."""
        if self.as_json:
            click.echo(json.dumps(members, ensure_ascii=False))

    def both(self, text: Text) -> str:
        """``text`` for someone whose language is not known: Vietnamese, then English on a line of its own."""
        return f"{text.vi}\n{text.en}" if self.language is None else text.in_language(self.language)

    def complain(self, text: Text) -> None:
        """A mistake, on stderr."""
        click.echo(self.both(text), err=True)


def _wants_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    place = ctx.find_object(Place)
    if place is not None and value:
        place.as_json = True


def examples(*lines: str) -> str:
    """The end of a command's help: command lines that work."""
    return "\b\nVí dụ / Example:\n" + "\n".join(f"  {line}" for line in lines)


def json_option(command: _Command) -> _Command:
    """``--json``: the result as one JSON object (or one a line) instead of words."""
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_wants_json, is_eager=True,
        help="Kết quả dạng JSON cho chương trình đọc. The result as JSON.",
    )(command)  # fmt: skip


@contextlib.asynccontextmanager
async def opened_ledger(settings: Settings, *, must_exist: bool = False) -> AsyncIterator[Ledger]:
    """The ledger that the settings name, open for the length of a ``with`` block, beside any running gateway.

    Raises Misconfigured where ``must_exist`` and there is none yet.
    """
    from gateway import compose, telemetry

    telemetry.set_up(level="debug" if settings.log_level == "debug" else "warning")
    if must_exist and not settings.is_founded:
        raise Misconfigured(
            settings.shown(settings.store_path),
            Text("Chưa có kho dữ liệu", "There is no database yet"),
            Text("Hãy chạy trước: lgsp apply", "Run first: lgsp apply"),
        )
    ledger = compose.open_ledger(settings)
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close()


class Misuse(click.UsageError):
    """A wrong way to call a command, told in the words of both languages."""

    def __init__(self, words: Text) -> None:
        super().__init__(words.en, click.get_current_context(silent=True))
        self.words = words


def actor() -> str:
    """Who acts at this command line, for the audit: ``cli:USER``."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


def ended(program: click.Command, arguments: list[str]) -> int:
    """Run the program; whatever it raises is told in words and becomes an exit status. No traceback.

    With ``LGSP_LOG=debug`` something unforeseen shows where it came from.
    """
    place = Place(Path())
    try:
        status = program.main(arguments, "lgsp", standalone_mode=False, obj=place)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return WRONG_USAGE
    except click.UsageError as error:
        _tell_usage(place, error)
        return WRONG_USAGE
    except (click.Abort, KeyboardInterrupt, BrokenPipeError):
        return FAILED
    except Misconfigured as fault:
        tell_mistakes(place, fault)
    except Fault as fault:
        tell_fault(place, fault)
    except Exception as error:  # noqa: BLE001 - a person gets words and a status, never a traceback
        _tell_unforeseen(place, error)
    else:
        return status if isinstance(status, int) else DONE
    return FAILED


def tell_mistakes(place: Place, fault: Misconfigured) -> None:
    """Every mistake, to people and programs."""
    complain_of(place, fault)
    place.give({"result": "failed", "mistakes": [mistake_members(one) for one in each(fault)]})


def complain_of(place: Place, fault: Misconfigured) -> None:
    """Every mistake, to people on stderr: where it is, what is wrong, what would be right."""
    for one in each(fault):
        click.echo(f"✗ {one.where}", err=True)
        for language in ("vi", "en") if place.language is None else (place.language,):
            wrong, right = one.wrong.in_language(language), one.right.in_language(language)
            click.echo(f"    {_sentence(wrong)} {right}", err=True)


def mistake_members(fault: Misconfigured) -> dict[str, Any]:
    """One mistake as JSON."""
    return {"where": fault.where, "wrong": fault.wrong._asdict(), "right": fault.right._asdict()}


def tell_fault(place: Place, fault: Fault) -> None:
    """A refusal: its title, who must do what, which rules are broken."""
    place.complain(Text(*(f"✗ {_sentence(t)} {d}" for t, d in zip(PROBLEMS[fault.problem], fault.detail, strict=True))))
    for violation in fault.violations:
        click.echo(f"    {violation.pointer or '/'}: {place.in_words(violation.message)}", err=True)
    place.give({"result": "failed", "problem": fault.problem, "detail": fault.detail._asdict()})


def _tell_unforeseen(place: Place, error: Exception) -> None:
    name = type(error).__name__
    place.complain(
        Text(
            f"✗ Lỗi ngoài dự kiến ({name}: {error}). Chạy lại với LGSP_LOG=debug và gửi kết quả cho nhà phát triển.",
            f"✗ Something unforeseen ({name}: {error}). Run again with LGSP_LOG=debug and send it to the developers.",
        )
    )
    if os.environ.get("LGSP_LOG") == "debug":
        click.echo("".join(traceback.format_exception(error)), err=True)
    place.give({"result": "failed", "unforeseen": name})


def _tell_usage(place: Place, error: click.UsageError) -> None:
    path = error.ctx.command_path.rstrip() if error.ctx is not None else "lgsp"
    place.complain(
        Text(
            f"✗ Sai cách gọi lệnh: {_usage_in_vietnamese(error)}. Xem cách dùng: {path} --help",
            f"✗ Wrong usage: {_sentence(error.format_message())} See: {path} --help",
        )
    )
    place.give({"result": "failed", "usage": error.format_message()})


def _usage_in_vietnamese(error: click.UsageError) -> str:
    if isinstance(error, Misuse):
        return error.words.vi
    if isinstance(error, click.NoSuchOption):
        meant = f", có phải ý là {error.possibilities[0]}" if error.possibilities else ""
        return f"không có tuỳ chọn {error.option_name}{meant}"
    if isinstance(error, click.MissingParameter):
        return f"thiếu {_parameter(error)}"
    if isinstance(error, click.BadParameter):
        return f"giá trị của {_parameter(error)} không dùng được ({error.message.rstrip('.')})"
    if unknown := re.match(r"No such command '(.*)'", error.message):
        near = _nearest_command(unknown[1], error.ctx)
        return f"không có lệnh {unknown[1]}" + (f", có phải ý là {near}" if near else "")
    if extra := re.match(r"Got unexpected extra arguments? \((.*)\)", error.message):
        return f"thừa tham số {extra[1]}"
    return error.format_message().rstrip(".")


def _nearest_command(word: str, ctx: click.Context | None) -> str | None:
    if ctx is None or not isinstance(ctx.command, click.Group):
        return None
    return nearest(word, ctx.command.list_commands(ctx))


def _parameter(error: click.BadParameter) -> str:
    if error.param is not None and error.ctx is not None:
        return error.param.get_error_hint(error.ctx)
    hint = error.param_hint or "tham số"
    return hint if isinstance(hint, str) else " ".join(hint)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
