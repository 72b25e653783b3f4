"""The rules between the field sets of 2019 and of about 2022, tried on dossiers by chance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.config.catalog import builtin_folder, read_contract
from gateway.core.contract import Contract, Version
from gateway.core.rule_text import join_pointer
from gateway.core.translation import Chain
from tests.core.generated import documents, leaves

CONTRACTS = [
    read_contract(builtin_folder() / name)
    for name in ("dossier.registered", "dossier.supplemented", "dossier.result-issued")
]
#: What the field set of 2019 cannot say.
NEWER = frozenset(
    "isDigitised isReused isFromNationalStore replacesResult resultCode identities paperNumber isVneidVerified"
    " submission hasDigitisedPapers onlinePayment refusedAt databases".split()
)
relaxed = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
each_contract = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)


def chain(contract: Contract, start: int, end: int) -> Chain:
    found = contract.translation(start, end)
    assert found is not None
    return found


def drawn(data: st.DataObject, version: Version) -> Any:
    """A dossier valid by ``version``, with members that only the other major knows among its own."""
    names = (*sorted(NEWER), "dossierCode", "status")
    document = data.draw(documents(version.schema, strangers=names))
    assume(version.check(document) == ())
    return document


@each_contract
@relaxed
@given(data=st.data())
def test_any_dossier_of_2022_becomes_one_of_2019(contract: Contract, data: st.DataObject) -> None:
    older, newer = contract.versions

    assert older.check(chain(contract, 2, 1).apply(drawn(data, newer))) == ()


@each_contract
@relaxed
@given(data=st.data())
def test_any_dossier_of_2019_becomes_one_of_2022_and_comes_back_with_all_that_is_not_named_as_lost(
    contract: Contract, data: st.DataObject
) -> None:
    older, newer = contract.versions
    document = drawn(data, older)

    risen = chain(contract, 1, 2).apply(document)

    assert newer.check(risen) == ()
    back = {join_pointer(place): value for place, value in leaves(chain(contract, 2, 1).apply(risen))}
    lost = chain(contract, 1, 2).lost(document)
    for place, value in leaves(document):
        pointer = join_pointer(place)
        if not any(pointer == each or pointer.startswith(f"{each}/") for each in lost):
            assert back.get(pointer) == value


@each_contract
def test_going_down_loses_what_came_about_2022_and_nothing_else(contract: Contract) -> None:
    down = chain(contract, 2, 1)
    _, newer = contract.versions

    for example in newer.examples:
        for lost in down.lost(example.data):
            assert NEWER & set(lost.split("/")), (example.name, lost)
    full = next(example for example in newer.examples if example.name == "full")
    assert down.lost(full.data)
