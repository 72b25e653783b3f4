"""GET /v1/certificates and /v1/contracts: whose key is this, and what may be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.directory import read_certificate
from tests.api.hall import OPERATOR, Hall, conforms, system_of


def thumbprint(hall: Hall, name: str) -> str:
    return system_of(hall, name).certificates[0].thumbprint


async def test_a_partner_sees_certificate_and_system(hall: Hall) -> None:
    wanted = thumbprint(hall, "H33.05/dms")

    answer = await hall.get(f"/v1/certificates/{wanted}", token=await hall.token("H33.16/dms"))

    assert answer.status == 200
    conforms("Certificate", answer.json)
    assert (answer.json["x5t#S256"], answer.json["system"], answer.json["in_force"]) == (wanted, "H33.05/dms", True)
    assert read_certificate(answer.json["pem"]).thumbprint == wanted


@pytest.mark.parametrize(
    "accept", ["application/x-pem-file", "application/pem-certificate-chain", "text/html, application/x-pem-file;q=0.9"]
)
async def test_the_pem_alone_may_be_asked_for(hall: Hall, accept: str) -> None:
    answer = await hall.get(
        f"/v1/certificates/{thumbprint(hall, 'H33.05/dms')}", token=OPERATOR, headers={"Accept": accept}
    )

    assert answer.headers["Content-Type"] in ("application/x-pem-file", "application/pem-certificate-chain")
    assert answer.body.startswith(b"-----BEGIN CERTIFICATE-----")


async def test_the_gateways_own_certificate_is_open_to_everybody(hall: Hall) -> None:
    (own,) = hall.doors.gateway_certificates()

    answer = await hall.get(f"/v1/certificates/{own.thumbprint}")

    assert (answer.status, answer.json["system"]) == (200, "H33.14/lgsp")


async def test_a_registered_certificate_is_not_open_to_everybody(hall: Hall) -> None:
    (await hall.get(f"/v1/certificates/{thumbprint(hall, 'H33.05/dms')}")).problem("unauthenticated", 401)


async def test_whoever_may_not_exchange_with_a_system_does_not_see_its_certificate(hall: Hall) -> None:
    token = await hall.token("H33.16/dms")
    hall.register(agreements=False)

    stranger = await hall.get(f"/v1/certificates/{thumbprint(hall, 'H33.05/dms')}", token=token)
    nothing = await hall.get("/v1/certificates/kL9mXv0r1c8s6yT3pQ4wE5rT6yU7iO8pA9sD0fG1hJk", token=token)
    own = await hall.get(f"/v1/certificates/{thumbprint(hall, 'H33.16/dms')}", token=token)

    assert stranger.problem("not-found", 404) == nothing.problem("not-found", 404)
    assert own.json["system"] == "H33.16/dms"


async def test_a_certificate_that_two_systems_share_names_both(hall: Hall) -> None:
    dms = system_of(hall, "H33.05/dms")
    hall.register(replace(dms, name="H33.05/archive"))

    answer = await hall.get(f"/v1/certificates/{dms.certificates[0].thumbprint}", token=OPERATOR)

    assert answer.json["systems"] == ["H33.05/archive", "H33.05/dms"]


async def test_contracts_are_listed_without_schemas(hall: Hall) -> None:
    answer = await hall.get("/v1/contracts", token=await hall.token("H33.05/dms"))

    conforms("Contracts", answer.json)
    named = {(each["name"], each["version"]) for each in answer.json["contracts"]}
    assert {("document.issued", "1.0"), ("document.issued", "2.0"), ("receipt.delivered", "1.0")} <= named
    assert all("schema" not in each for each in answer.json["contracts"])


async def test_a_version_comes_with_its_schema_and_good_examples(hall: Hall) -> None:
    answer = await hall.get("/v1/contracts/document.issued/1.0", token=OPERATOR)

    conforms("Contract", answer.json)
    version = hall.town.catalog.find("document.issued", "1.0")
    assert version is not None
    assert answer.json["schema"] == version.schema
    assert answer.json["examples"]
    assert all(version.check(example) == () for example in answer.json["examples"])


@pytest.mark.parametrize("path", ["document.issued/9.9", "nothing/1.0", "document.issued/1", "document.issued"])
async def test_a_contract_that_does_not_exist_is_not_found(hall: Hall, path: str) -> None:
    (await hall.get(f"/v1/contracts/{path}", token=OPERATOR)).problem("not-found", 404)
