"""The directory: one frozen picture of agencies, systems and certificates, asked by whichever name is in use."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.core.directory import Agency, Directory, System, read_certificate
from tests.build import MORNING
from tests.town import GATEWAY, a_pair, wishes_for

DAY = 86400.0
_, CERTIFICATE = a_pair("H33.05/dms")
DMS = System(
    "H33.05/dms", "H33.05", "webhook", certificates=(CERTIFICATE,), subscriptions=wishes_for("document.issued")
)
HR = System("H33.05/hr", "H33.05", "inbox", certificates=(CERTIFICATE,))
FINANCE = Agency("H33.05", "Sở Tài chính", "province", ("000.00.05.H33", "05.33.H33"), "H33", (DMS, HR))
CENTRE = Agency("H33.14", "Trung tâm", "province", ("000.00.14.H33",), "H33")
TOWN = Directory([FINANCE, CENTRE], [], gateway=GATEWAY, version=7)


@pytest.mark.parametrize("code", ["H33.05", "000.00.05.H33", "05.33.H33"])
def test_an_agency_answers_to_its_code_and_to_each_alias(code: str) -> None:
    assert TOWN.agency(code) is FINANCE


@pytest.mark.parametrize("code", ["H33", "h33.05", "H33.05.01", "000.00.06.H33", "", "H33.05/dms"])
def test_no_form_is_computed_into_another(code: str) -> None:
    assert TOWN.agency(code) is None


@pytest.mark.parametrize("name", ["H33.05/dms", "000.00.05.H33/dms", "05.33.H33/dms"])
def test_a_system_answers_under_each_code_of_its_agency(name: str) -> None:
    assert TOWN.system(name) is DMS


@pytest.mark.parametrize("name", ["H33.05", "H33.05/", "H33.05/DMS", "H33.05/dms/x", "/dms", "", "H33.16/dms"])
def test_what_is_not_registered_is_not_found(name: str) -> None:
    assert TOWN.system(name) is None


def test_a_code_that_is_another_agencys_alias_stays_its_owners() -> None:
    thief = Agency("H33.99", "x", "province", aliases=("H33.05",))
    assert Directory([FINANCE, thief], [], gateway=GATEWAY).agency("H33.05") is FINANCE
    assert Directory([thief, FINANCE], [], gateway=GATEWAY).agency("H33.05") is FINANCE


def test_a_certificate_is_found_by_its_thumbprint_with_all_systems_it_is_registered_to() -> None:
    assert TOWN.signer(CERTIFICATE.thumbprint) == (CERTIFICATE, frozenset({"H33.05/dms", "H33.05/hr"}))
    assert TOWN.signer("A" * 43) is None
    assert TOWN.signer("") is None


def test_subscribers_are_those_of_any_version_in_order_of_registration() -> None:
    newer = System("H33.14/portal", "H33.14", "inbox", subscriptions=wishes_for("document.issued", version="2.0"))
    town = Directory([FINANCE, Agency("H33.14", "x", "province", systems=(newer,))], [], gateway=GATEWAY)
    assert town.subscribers("document.issued") == (DMS, newer)
    assert town.subscribers("document.status") == ()


def test_the_gateways_own_system_may_be_written_with_any_code_of_its_agency() -> None:
    assert TOWN.gateway_names() == {"H33.14/lgsp", "000.00.14.H33/lgsp"}


def test_the_gateways_own_agency_needs_no_entry() -> None:
    assert Directory([FINANCE], [], gateway=GATEWAY).gateway_names() == {"H33.14/lgsp"}


def test_a_picture_says_which_version_of_the_registry_it_shows() -> None:
    assert TOWN.version == 7


def test_a_certificate_is_in_force_from_its_first_moment_to_its_last() -> None:
    _, certificate = a_pair("x", days=(0, 1))
    moments = [MORNING - 1, MORNING, MORNING + DAY, MORNING + DAY + 1]
    assert [certificate.is_in_force(moment) for moment in moments] == [False, True, True, False]


def test_a_certificate_is_read_from_pem_with_its_key_and_dates() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    _, certificate = a_pair("x", key, days=(0, 1))
    assert read_certificate(certificate.pem) == certificate
    assert certificate.key == key.public_key()


def test_the_first_of_several_certificates_counts() -> None:
    _, other = a_pair("other")
    assert read_certificate(CERTIFICATE.pem + other.pem).thumbprint == CERTIFICATE.thumbprint


@pytest.mark.parametrize("pem", ["", "no certificate", CERTIFICATE.pem.replace("A", "B", 3)])
def test_what_holds_no_certificate_is_refused(pem: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_certificate(pem)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()])
def test_a_certificate_of_a_key_that_the_bus_does_not_take_is_refused(curve: ec.EllipticCurve) -> None:
    with pytest.raises(ValueError, match="Ed25519, P-256, RSA 2048 to 4096"):
        a_pair("x", ec.generate_private_key(curve))
