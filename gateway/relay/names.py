"""The names under which a dispatcher leases, so that it finds what it was given without ever hearing of it.

A claim whose answer was lost may have been written: nobody works on what it leased, and its lanes would wait until the
lease ends. So a dispatcher has two names. Where a claim failed it goes on under the other one, and once nothing that
it knows of is under way under the first, whatever the ledger still has under that name is given back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.ports import Claim


@dataclass(slots=True)
class Names:
    """Both names of one process; ``owner`` is the first."""

    owner: str
    _doubted: set[str] = field(default_factory=set)
    #: How many claims are under way under each.
    _held: Counter[str] = field(default_factory=Counter)

    @property
    def all(self) -> tuple[str, str]:
        """Every name under which this process may have leased."""
        return self.owner, f"{self.owner}+"

    @property
    def current(self) -> str:
        """The name to claim under: one without doubt, where there is one."""
        return next((name for name in self.all if name not in self._doubted), self.owner)

    def doubt(self, name: str) -> None:
        """A claim under this name failed, and may have been written all the same."""
        self._doubted.add(name)

    def hold(self, claim: Claim) -> None:
        """A claim is under way."""
        self._held[claim.delivery.lease_owner or ""] += 1

    def leave(self, claims: Iterable[Claim]) -> None:
        """These are no longer under way."""
        self._held.subtract(claim.delivery.lease_owner or "" for claim in claims)

    def to_clear(self) -> Sequence[str]:
        """Doubted names under which nothing is under way: all that they still have leased may be given back."""
        return [name for name in self.all if name in self._doubted and self._held[name] <= 0]

    def clear(self, name: str) -> None:
        """All under this name was given back."""
        self._doubted.discard(name)
