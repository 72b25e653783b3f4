"""Registry rows become the core's directory: names, keys, wishes and agreements as the folder says."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.config.picture import agency_of, directory_of
from gateway.config.province import read_province
from gateway.config.rows import FolderRow
from gateway.core.directory import Directory, read_certificate
from gateway.core.retry import RetryPolicy
from tests.province import GATEWAY, a_province, edit, settings_of

TODAY = date(2026, 11, 23)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_province(tmp_path / "tinh")


def picture(folder: Path) -> Directory:
    return directory_of(read_province(settings_of(folder)).rows, gateway=GATEWAY, version=7)


def test_agencies_are_known_by_code_and_alias_and_systems_by_name(folder: Path) -> None:
    found = picture(folder)
    assert (found.version, found.gateway) == (7, GATEWAY)
    assert found.agency("000.00.05.H33") is found.agency("H33.05")
    system = found.system("000.00.05.H33/dms")
    assert system is not None
    assert (system.name, system.agency, system.adapter, system.sealing) == ("H33.05/dms", "H33.05", "webhook", "self")
    assert system.settings == {"url": "http://127.0.0.1:9001/inbox"}


def test_a_certificate_in_the_folder_names_its_system(folder: Path) -> None:
    certificate = read_certificate((folder / "keys/H33.16-dms.crt").read_text())
    found = picture(folder).signer(certificate.thumbprint)
    assert found is not None
    assert found[1] == {"H33.16/dms"}


def test_a_subscription_carries_its_filter_and_retry_policy(folder: Path) -> None:
    edit(folder, "agencies/H33.16.toml", 'subject = ["*"]', 'subject = ["QĐ-*"]')
    edit(folder, "agencies/H33.16.toml", 'deadline = "14d"', 'deadline = "2d", attempts = 9')
    system = picture(folder).system("H33.16/dms")
    assert system is not None
    wish = system.subscriptions["document.issued"]
    assert (wish.version, wish.format) == ("1.0", "jws")
    assert (wish.sources, wish.subjects) == (("H33.*",), ("QĐ-*",))
    assert wish.retry == RetryPolicy(first=5, factor=2, cap=3600, deadline=2 * 86400, attempts=9)


def test_a_filter_of_everything_is_no_filter(folder: Path) -> None:
    edit(folder, "agencies/H33.16.toml", '["H33.*"]', '["*"]')
    system = picture(folder).system("H33.16/dms")
    assert system is not None
    assert (system.subscriptions["document.issued"].sources, system.subscriptions["document.issued"].subjects) == (
        (),
        (),
    )


def test_an_agreement_holds_between_its_days_and_sides(folder: Path) -> None:
    found = picture(folder)
    assert [one.id for one in found.agreements_for("H33.05", "H33.16", "document.issued", TODAY)] == ["VB-2018"]
    assert found.agreements_for("H33.05", "H33.16", "receipt.delivered", TODAY) == ()
    assert found.agreements_for("H33.05", "H33.16", "document.issued", date(2031, 1, 1)) == ()


def test_an_agency_that_says_little_gets_the_defaults() -> None:
    agency = agency_of({"code": "H33.05", "name": "Sở", "systems": [{"name": "dms", "adapter": "inbox"}]})
    (system,) = agency.systems
    assert (agency.level, agency.parent, agency.aliases) == ("province", None, ())
    assert (system.sealing, system.certificates, system.secret_hash) == ("self", (), None)


def test_rows_of_other_kinds_are_left_alone() -> None:
    row = FolderRow("operator", "mau", {"role": "viewer", "token_hash": "00"})
    assert directory_of([row], gateway=GATEWAY, version=1).agencies == {}


def test_a_row_with_a_broken_duration_is_refused() -> None:
    retry = {"contract": "a.b", "version": "1.0", "retry": {"first": "soon"}}
    with pytest.raises(ValueError, match="soon"):
        agency_of({"code": "X", "name": "X", "systems": [{"name": "a", "adapter": "inbox", "subscriptions": [retry]}]})


def test_a_portal_is_what_the_province_says_is_one_and_the_line_to_the_national_portal(folder: Path) -> None:
    assert not [name for name, system in picture(folder).systems.items() if system.is_portal]
    edit(folder, "agencies/H33.05.toml", 'adapter = "webhook"', 'adapter = "webhook"\nportal = true')
    assert [name for name, system in picture(folder).systems.items() if system.is_portal] == ["H33.05/dms"]

    def agency(**more: object) -> dict[str, object]:
        return {"code": "H33", "name": "UBND tỉnh", "systems": [{"name": "portal", "adapter": "dvcqg", **more}]}

    assert agency_of(agency()).systems[0].is_portal
    assert not agency_of(agency(portal=False)).systems[0].is_portal
