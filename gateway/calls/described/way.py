"""How one call is written and read: what a far side's description leaves to HTTP, or to SOAP over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gateway.calls.described.parts import Answer
from gateway.core.faults import Text
from gateway.core.operation import Operation
from gateway.core.operation_steps import Tables
from gateway.core.visit import Call, Reply


class Heard(NamedTuple):
    """What a call brought: which part of the description it is, and the value in its body."""

    part: Answer
    value: Any


class NotHeard(Exception):
    """A call that is no part of the description, or cannot be read; the words never hold content."""

    def __init__(self, status: int, words: Text) -> None:
        super().__init__(words.en)
        self.status = status
        self.words = words


class Way(Protocol):
    """One way to speak; made of a description and the account's settings."""

    def operation(self, raw: Mapping[str, Any], where: str, tables: Tables) -> Operation:
        """The operation of one call's table; raises Misconfigured naming ``where``."""

    def heard(self, parts: Sequence[Answer], call: Call, body: bytes) -> Heard:
        """What a call brought; raises NotHeard. It blocks."""

    def replied(self, part: Answer | None, outcome: Mapping[str, Any], status: int | None = None) -> Reply:
        """The reply: ``outcome`` holds ``received`` {id, repeated} or ``refused`` {problem, vi, en}, and ``item``.

        ``status``: where it is not the part's to say; ``part`` is None for a call that is no part.
        """
