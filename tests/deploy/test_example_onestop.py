"""The sample one-stop under deploy/ is a province that a bus takes, where nobody may say or get more than it needs."""

from __future__ import annotations

import re
import secrets
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.founding import found_province
from gateway.compose.handouts import tongues_for_looking
from gateway.config.province import Province, directory_of, read_province
from gateway.config.settings import Settings
from gateway.core.codes import is_contract_match
from gateway.trust.keyring import Keyring
from tests.deploy.reading import DEPLOY
from tests.province import a_pair, settings_of

EXAMPLE = DEPLOY / "example-onestop"
AGENCIES = {path.stem: tomllib.loads(path.read_text()) for path in sorted((EXAMPLE / "agencies").glob("*.toml"))}
AGREEMENTS = {path.stem: tomllib.loads(path.read_text()) for path in sorted((EXAMPLE / "agreements").glob("*.toml"))}
SYSTEMS = [(code, system) for code, agency in AGENCIES.items() for system in agency.get("systems", [])]
BASIS = re.compile(r"(NĐ 61/2018/NĐ-CP|TT 01/2018/TT-VPCP)(, Điều [1-9][0-9]?)?(; |$)")


def secrets_in(value: Any) -> Iterator[str]:
    """Every file under keys/ that settings name."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from secrets_in(each)
    elif isinstance(value, str) and value.endswith(".secret"):
        yield value


@pytest.fixture
def province(tmp_path: Path) -> Settings:
    """The sample in a province folder of its own, with keys and secrets made on the spot."""
    found_province(tmp_path, "H33.14/lgsp")
    for kind in ("agencies", "agreements"):
        for path in (EXAMPLE / kind).glob("*.toml"):
            (tmp_path / kind / path.name).write_text(path.read_text().replace(":PORT/", ":9001/"))
    for code, system in SYSTEMS:
        a_pair(tmp_path, f"{code}-{system['name']}")
        for name in secrets_in(system):
            (tmp_path / name).write_text(f"{secrets.token_hex(32)}\n")
    return settings_of(tmp_path)


def allowed(contract: str, sender: str, recipient: str) -> bool:
    return any(
        any(is_contract_match(pattern, contract) for pattern in each["contracts"])
        and sender in each["from"]
        and recipient in each["to"]
        for each in AGREEMENTS.values()
    )


def may(code: str, side: str) -> set[str]:
    """The contracts that an agency may send (``from``) or be sent (``to``)."""
    found = [each["contracts"] for each in AGREEMENTS.values() if code in each[side]]
    return {contract for contracts in found for contract in contracts}


def test_the_sample_is_a_province_without_a_mistake_or_a_warning(province: Settings) -> None:
    found: Province = read_province(province)

    assert [str(each) for each in found.warnings] == []
    assert {row.key for row in found.rows if row.kind == "agency"} == set(AGENCIES)


async def test_every_system_of_the_sample_can_be_opened(province: Settings) -> None:
    picture = directory_of(read_province(province).rows, gateway="H33.14/lgsp", version=1)
    async with tongues_for_looking(province, Keyring.read(province)) as tongues:
        for code, system in SYSTEMS:
            opened = picture.system(f"{code}/{system['name']}")
            assert opened is not None
            tongues.of(opened)


@pytest.mark.parametrize(("code", "system"), SYSTEMS, ids=[f"{code}-{system['name']}" for code, system in SYSTEMS])
def test_what_a_system_wants_somebody_may_send_it(code: str, system: dict[str, Any]) -> None:
    for wish in system.get("subscriptions", []):
        assert any(allowed(wish["contract"], sender, code) for sender in AGENCIES), wish["contract"]


@pytest.mark.parametrize("name", AGREEMENTS)
def test_an_agreement_names_agencies_one_by_one_its_purpose_and_its_basis(name: str) -> None:
    agreement = AGREEMENTS[name]

    assert agreement["id"] == name
    assert agreement["purpose"] == "giai-quyet-tthc"
    assert BASIS.sub("", agreement["basis"]) == ""
    assert {*agreement["from"], *agreement["to"]} <= set(AGENCIES)
    assert not any("*" in contract for contract in agreement["contracts"])


@pytest.mark.parametrize("name", AGREEMENTS)
def test_what_an_agreement_allows_is_wanted_by_whom_it_is_for(name: str) -> None:
    wanted = {(code, wish["contract"]) for code, system in SYSTEMS for wish in system.get("subscriptions", [])}

    for contract in AGREEMENTS[name]["contracts"]:
        assert any((code, contract) in wanted for code in AGREEMENTS[name]["to"]), contract


def test_a_bank_speaks_of_money_a_post_of_its_items_and_who_looks_up_of_nothing() -> None:
    assert may("H33.90", "from") == {"payment.notified", "payment.refunded"}
    assert may("H33.90", "to") == set()
    assert (may("H33.91", "from"), may("H33.91", "to")) == ({"post.tracked"}, {"post.ordered"})
    assert (may("H33.02", "from"), may("H33.02", "to")) == ({"signing.completed"}, {"signing.requested"})
    assert may("H33.92", "from") == set()
    assert (may("H33.93", "from"), may("H33.93", "to")) == (set(), set())
    assert (may("H33.14", "from"), may("H33.14", "to")) == (set(), set())
