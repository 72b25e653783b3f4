"""How long a ledger keeps what, by class: the messages themselves, the tries, and what became of each message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kept = Literal["data", "attempts", "metadata"]

#: The classes, in the order in which they are removed.
CLASSES: Final[tuple[Kept, ...]] = ("data", "attempts", "metadata")


@dataclass(frozen=True, slots=True)
class Ages:
    """The age (seconds) from which each class may go; None: it stays for ever.

    ``data``: envelopes, those of translations too, and the names of their files. ``attempts``: tries of deliveries that
    have ended. ``metadata``: all that the ledger tells of a message, so the other two never outlive it. Ids with the
    first answer, and the journal, are in no class: they stay for ever.
    """

    data: float | None = None
    attempts: float | None = None
    metadata: float | None = None

    @property
    def is_for_ever(self) -> bool:
        """Whether nothing ever goes."""
        return self.data is self.attempts is self.metadata is None

    def of(self, kept: Kept) -> float | None:
        """The age of a class."""
        return {"data": self.data, "attempts": self.attempts, "metadata": self.metadata}[kept]

    def outliving(self) -> tuple[Kept, ...]:
        """The classes that would be kept for longer than the metadata they belong to."""
        if (most := self.metadata) is None:
            return ()
        ages: tuple[tuple[Kept, float | None], ...] = (("data", self.data), ("attempts", self.attempts))
        return tuple(name for name, age in ages if age is None or age > most)
