"""Merkle tree hashes as RFC 9162 (2.1) has them: one leaf after the other, and never more than a few hashes held."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

#: The root of no leaves: SHA-256 of nothing.
EMPTY: Final = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """32 bytes: SHA-256 of 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """32 bytes: SHA-256 of 0x01 and the hashes of both sides."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Tree:
    """A tree that grows by leaves at its right end; it holds one hash for each power of two in their count."""

    count: int = 0
    _peaks: list[bytes] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """One leaf more."""
        made, number = leaf_hash(leaf), self.count
        while number & 1:  # two whole trees of one size become one
            made = node_hash(self._peaks.pop(), made)
            number >>= 1
        self._peaks.append(made)
        self.count += 1

    def root(self) -> bytes:
        """The tree's hash as it is now, 32 bytes; more leaves may follow."""
        if not self._peaks:
            return EMPTY
        made = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            made = node_hash(peak, made)
        return made


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The hash of the tree of these leaves, in this order."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()
