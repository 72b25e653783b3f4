"""A helper process of a bench: asked in JSON lines over its input, it answers in JSON lines over its output."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from gateway.core.faults import Misconfigured, Text

_ROOT: Final = Path(__file__).resolve().parents[3]

Handlers = Mapping[str, Callable[..., Awaitable[Mapping[str, Any]]]]


class Worker:
    """One helper, from the bench's side; ends with its ``with`` block."""

    def __init__(self, module: str) -> None:
        """``module`` is the program: a module of this package that calls :func:`serve`."""
        self._module = module

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"gateway.cli.bench.{self._module}"],
            cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Have ``what`` done and hear what came of it; raises Misconfigured where the helper could not."""
        self.begin(what, **arguments)
        return self.heard()

    def begin(self, what: str, **arguments: Any) -> None:
        """Have ``what`` begun; :meth:`heard` waits for its end."""
        if self._process.stdin is None:
            raise ValueError("the helper has no input")
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        """The answer to what was begun."""
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": f"{self._module} ended"}
        if "failed" in answer:
            said = answer["failed"]
            raise Misconfigured(
                "lgsp bench",
                Text(f"Phép đo không thực hiện được ({said})", f"The measurement failed ({said})"),
                Text("Chạy lại khi máy rảnh hơn, với ít thông điệp hơn.", "Run again on a quieter machine, with less."),
            )
        return answer


async def serve(handlers: Handlers) -> None:
    """The helper's side: answer each line of standard input until it ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        try:
            answer = await handlers[asked.pop("do")](**asked)
        except (OSError, ValueError, TimeoutError) as error:
            answer = {"failed": f"{type(error).__name__}: {error}"[:300]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
