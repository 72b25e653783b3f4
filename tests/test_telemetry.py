"""The log: one JSON object a line, fixed names, and never a message, a token or an exception's text."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gateway import telemetry

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """The stream to which a freshly set up log writes; set back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.set_up(stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_lines_that_several_processes_write_into_one_pipe_stay_whole() -> None:
    class Pipe(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.writes: list[str] = []

        def write(self, text: str, /) -> int:
            self.writes.append(text)
            return super().write(text)

    pipe = Pipe()
    lines = telemetry.Gathering(pipe, shared=True)
    told = [f"số {number} {'ế' * 300}\n" for number in range(40)] + ["x" * 5000 + "\n"]
    for line in told:
        lines.write(line)
    lines.close()

    assert pipe.getvalue() == "".join(told)
    assert all(text.endswith("\n") for text in pipe.writes)
    assert all(len(text.encode()) <= telemetry.Gathering.WHOLE for text in pipe.writes[:-1])
    assert len(pipe.writes) < len(told) / 2


def test_a_log_line_is_one_json_object(said: io.StringIO) -> None:
    telemetry.log.info("gateway.started", listen="127.0.0.1:8600", name="Sở Tài chính\nhai dòng")
    telemetry.log.debug("gateway.stopped")

    (line,) = said.getvalue().splitlines()
    assert json.loads(line)["event"] == "gateway.started"
    assert json.loads(line)["name"] == "Sở Tài chính\nhai dòng"
    assert json.loads(line)["level"] == "info"


def test_a_line_that_holds_what_json_does_not_know_is_written_all_the_same(said: io.StringIO) -> None:
    telemetry.log.info("gateway.started", folder=Path("tinh"), count=2**70, name="nửa \ud83d", moment=1.5)

    line = json.loads(said.getvalue())
    assert (line["folder"], line["count"], line["moment"]) == ("tinh", 2**70, 1.5)
    assert line["name"].startswith("nửa")


def test_fields_that_could_hold_a_secret_are_removed(said: io.StringIO) -> None:
    telemetry.log.warning("adapter.failed", data={"name": "x9y"}, client_secret="x9y", token="x9y", agency="H33.05")

    assert "x9y" not in said.getvalue()
    assert json.loads(said.getvalue())["agency"] == "H33.05"


def test_an_exception_is_told_without_its_text(said: io.StringIO) -> None:
    try:
        raise ValueError("number 0123456789 of a citizen")
    except ValueError:
        telemetry.log.exception("step.failed", step="sweep")

    line = json.loads(said.getvalue())
    assert line["exception"] == "builtins.ValueError"
    assert "test_an_exception_is_told_without_its_text" in line["passed"][-1]
    assert "0123456789" not in said.getvalue()


def test_what_libraries_say_comes_in_the_same_form(said: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").warning("something %s", "odd")
    logging.getLogger("asyncio").info("not worth a line")
    try:
        raise ValueError("number 0123456789 of a citizen")
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling request")

    warned, failed = map(json.loads, said.getvalue().splitlines())
    assert (warned["event"], warned["library"], warned["said"]) == ("library.said", "aiohttp.server", "something odd")
    assert failed["exception"] == "builtins.ValueError"
    assert "0123456789" not in said.getvalue()


def test_the_list_of_events_holds_what_is_logged_and_nothing_else() -> None:
    written = {
        name
        for folder in ("gateway", "adapters")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"""\blog\.(?:debug|info|warning|error|exception)\(\s*"([^"]+)\"""", path.read_text())
    }

    # What libraries say is logged at whatever level they said it.
    assert written | {"library.said"} == telemetry.EVENTS.keys()
