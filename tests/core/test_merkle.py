"""Merkle tree hashes: the definition of RFC 9162 as it is written, against the one that grows leaf by leaf."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.merkle import EMPTY, Tree, leaf_hash, node_hash, root_of

#: Leaves and roots that implementations of Certificate Transparency share.
LEAVES = [
    bytes.fromhex(each)
    for each in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def defined(leaves: Sequence[bytes]) -> bytes:
    """MTH as section 2.1.1 has it: split at the largest power of two below the count."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(defined(leaves[:half]), defined(leaves[half:]))


@pytest.mark.parametrize("count", ROOTS)
def test_roots_are_those_that_everybody_computes(count: int) -> None:
    assert root_of(LEAVES[:count]).hex() == ROOTS[count]


@given(st.lists(st.binary(max_size=5), max_size=70))
def test_a_tree_that_grows_has_the_root_of_the_definition_at_every_moment(leaves: list[bytes]) -> None:
    tree = Tree()
    assert tree.root() == EMPTY
    for count, leaf in enumerate(leaves, 1):
        tree.add(leaf)
        assert tree.count == count
        assert tree.root() == defined(leaves[:count])


def test_a_tree_of_a_hundred_thousand_leaves_holds_a_handful_of_hashes() -> None:
    tree = Tree()
    for number in range(100_000):
        tree.add(number.to_bytes(4, "big"))
    assert len(tree._peaks) < 17
