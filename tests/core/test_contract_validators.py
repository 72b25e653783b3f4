"""The fast validator that judges traffic and the one that checks publication give the same verdict, always."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.catalog import builtin_folder, read_catalog
from gateway.config.oracle import oracle_for
from gateway.core.contract import Version
from tests.core.generated import documents, leaves, member_names

CATALOG = read_catalog([builtin_folder()])
VERSIONS = [version for name in CATALOG.names() for version in CATALOG.contracts[name].versions]
ORACLES = {version.dataschema: oracle_for(version.schema) for version in VERSIONS}
ODD: list[Any] = [
    None, True, False, 0, 1, 1.0, 5, -1, 1.5, 10**30, "", " ", "x" * 101, "none", "0", [], {}, [[]], [{}], {"": 0},
    "2018-09-28", "2018-09-28\n", "20180928", "0000-01-01", "2018-02-29", "٢٠١٨-٠٩-٢٨", "2018-W39-5",
    "2018-09-28T00:00:00Z", "2018-09-28T00:00:00Z\n", "2018-09-28t00:00:00z", "2018-09-28 00:00:00Z",
    "2018-06-30T23:59:60Z", "2018-09-28T24:00:00Z", "2018-09-28T00:00:00+24:00", "2018-09-28T00:00:00",
    "2018-09-28T00:00:00.123456789+07:00", "a" * 64, "A" * 64, "a" * 64 + "\n", "sha-256:" + "a" * 64 + "\n",
    "01920A1C-5B7E-7C3D-9F00-3A5D6E7F8A9B", "{01920a1c-5b7e-7c3d-9f00-3a5d6e7f8a9b}",
    "01920a1c5b7e7c3d9f003a5d6e7f8a9b",
]  # fmt: skip


def both(version: Version, data: Any) -> tuple[bool, bool]:
    return version.check(data) == (), ORACLES[version.dataschema].is_valid(data)


def changed(data: Any, place: tuple[str | int, ...], value: Any) -> Any:
    changed_data = copy.deepcopy(data)
    inside = changed_data
    for token in place[:-1]:
        inside = inside[token]
    if value is ...:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return changed_data


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.dataschema)
def test_they_agree_on_every_example_with_any_value_put_in_any_place(version: Version) -> None:
    chance = random.Random(version.dataschema)
    for example in version.examples:
        for place, _ in leaves(example.data):
            for value in [..., *chance.sample(ODD, 12)]:
                data = changed(example.data, place, value)

                fast, slow = both(version, data)

                assert fast is slow, (place, value)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.dataschema)
def test_they_agree_on_data_that_is_hardly_a_message(version: Version) -> None:
    for value in ODD:
        fast, slow = both(version, value)

        assert fast is slow, value


#: The more versions there are, the fewer documents of each: they share most of their parts.
EACH = max(8, 400 // len(VERSIONS))


@settings(deadline=None, max_examples=EACH, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.dataschema)
def test_they_agree_on_documents_by_chance_and_on_those_with_one_odd_value(
    version: Version, data: st.DataObject
) -> None:
    document = data.draw(documents(version.schema, strangers=member_names(version.schema)))
    assert both(version, document) == (True, True)

    places = [place for place, _ in leaves(document) if place]
    spoilt = changed(document, data.draw(st.sampled_from(places)), data.draw(st.sampled_from(ODD)))
    fast, slow = both(version, spoilt)

    assert fast is slow
