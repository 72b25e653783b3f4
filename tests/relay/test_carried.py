"""What is handed to a carrier says for whom, whatever version it reads; what is handed to others says nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.directory import Agency
from tests.town import Town, a_town, wishes_for

CARRIED = (
    Agency("G12", "Bộ Tài chính", "central", ("000.00.00.G12",), via="H33.16/dms"),
    Agency("H53", "Tây Ninh", "province", via="H33.16/dms"),
)


def a_country() -> Town:
    town = a_town()
    for agency in CARRIED:
        town.enrol(agency)
    return town


def carried(town: Town, system: str) -> list[tuple[str, ...]]:
    return [parcel.carried for parcel in town.desk(system).parcels]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_a_carrier_is_told_for_whom_also_in_a_translation(version: str) -> None:
    town = a_country()
    town.change("H33.16/dms", subscriptions=wishes_for("document.issued", version=version))
    await town.sent(to="H53 000.00.00.G12 H53")
    await town.work()

    (parcel,) = town.desk("H33.16/dms").parcels
    assert (parcel.carried, parcel.is_translated) == (("H53", "G12"), version == "2.0")


async def test_nothing_is_told_where_its_own_agency_is_meant_or_nobody_is_carried() -> None:
    town = a_country()
    await town.sent(to="G12 H33.16", subject="both")
    await town.sent(to=None, subject="everybody")
    await town.work()
    assert carried(town, "H33.16/dms") == [(), ()]


async def test_a_carrier_that_fetches_is_told_for_whom_too() -> None:
    town = a_town()
    for agency in CARRIED:
        town.enrol(replace(agency, via="H33.20/dms"))
    await town.sent(to="H53 G12", subject="carried")
    await town.sent(to="H33.20", subject="own")
    leased = await town.pull.lease(town.system("H33.20/dms"), max=10, wait=0, visibility=30)
    assert [each.carried for each in leased] == [("H53", "G12"), ()]
