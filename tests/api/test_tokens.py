"""POST /oauth2/token and what a token is good for: proven by a key or a secret, ended with it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.api.hall import JWT_BEARER, OPERATOR, PUBLIC_URL, SECRET, Hall, conforms, secret_hash, system_of
from tests.town import a_pair

AUD = f"{PUBLIC_URL}/oauth2/token"


async def refused(hall: Hall, error: str = "invalid_client", *, assertion: str) -> str:
    answer = await hall.by_assertion(assertion)
    conforms("TokenError", answer.json)
    assert (answer.status, answer.json["error"]) == (401 if error == "invalid_client" else 400, error), answer.body
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    return str(answer.json["error_description"])


async def is_good(hall: Hall, token: str) -> bool:
    answer = await hall.get("/v1/contracts", token=token)
    assert answer.status in (200, 401)
    return answer.status == 200


async def test_a_key_earns_a_token_for_fifteen_minutes(hall: Hall) -> None:
    answer = await hall.by_assertion(hall.assertion())

    assert answer.status == 200
    conforms("Token", answer.json)
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
    assert answer.headers["Cache-Control"] == "no-store"
    assert await is_good(hall, answer.json["access_token"])
    hall.town.clock.moment += 901
    assert not await is_good(hall, answer.json["access_token"])


@pytest.mark.parametrize("kind", ["p256", "rsa"])
async def test_any_registered_kind_of_key_earns_a_token(hall: Hall, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "p256" else rsa.generate_private_key(65537, 2048)
    hall.town.signers["H33.05/dms"], certificate = a_pair("H33.05/dms", key)
    hall.register(replace(system_of(hall, "H33.05/dms"), certificates=(certificate,)))

    assert (await hall.by_assertion(hall.assertion())).status == 200


@pytest.mark.parametrize("typ", ["client-authentication+jwt", "JWT"])
async def test_the_types_of_assertions_are_taken(hall: Hall, typ: str) -> None:
    assert (await hall.by_assertion(hall.assertion(typ=typ))).status == 200


async def test_an_assertion_without_a_type_is_taken(hall: Hall) -> None:
    from gateway.core.jws import b64url, signature_of

    signer = hall.town.signers["H33.05/dms"]
    payload = hall.assertion().split(".")[1]
    head = b64url(json.dumps({"alg": "EdDSA", "x5t#S256": signer.thumbprint}).encode())
    signature = b64url(signature_of(signer.key, "EdDSA", f"{head}.{payload}".encode()))

    assert (await hall.by_assertion(f"{head}.{payload}.{signature}")).status == 200


@pytest.mark.parametrize("typ", ["ce+jws", "receipt+jws", "at+jwt", "jwt"])
async def test_what_was_signed_for_another_door_earns_nothing(hall: Hall, typ: str) -> None:
    assert "typ" in await refused(hall, assertion=hall.assertion(typ=typ))


@pytest.mark.parametrize(
    "aud", [None, "https://elsewhere.example.vn/oauth2/token", [AUD, AUD], [AUD, "x"], [], PUBLIC_URL, 7]
)
async def test_an_assertion_meant_for_another_place_earns_nothing(hall: Hall, aud: Any) -> None:
    assert "aud" in await refused(hall, assertion=hall.assertion(aud=aud))


async def test_the_audience_may_be_a_list_of_this_place_alone(hall: Hall) -> None:
    assert (await hall.by_assertion(hall.assertion(aud=[AUD]))).status == 200


async def test_an_assertion_counts_once(hall: Hall) -> None:
    assertion = hall.assertion()
    assert (await hall.by_assertion(assertion)).status == 200

    assert "jti" in await refused(hall, assertion=assertion)


async def test_two_systems_may_use_the_same_jti(hall: Hall) -> None:
    assert (await hall.by_assertion(hall.assertion("H33.05/dms", jti="1"))).status == 200
    assert (await hall.by_assertion(hall.assertion("H33.16/dms", jti="1"))).status == 200


async def test_a_refused_assertion_uses_up_no_jti(hall: Hall) -> None:
    await refused(hall, assertion=hall.assertion(jti="1", aud="elsewhere"))

    assert (await hall.by_assertion(hall.assertion(jti="1"))).status == 200


@pytest.mark.parametrize(
    ("iat", "exp"), [(-400, -31), (0, 301), (31, 300), (0, 0), (0, -1), (0, None), (None, 300), ("0", 300), (True, 300)]
)
async def test_an_assertion_outside_its_time_earns_nothing(hall: Hall, iat: Any, exp: Any) -> None:
    now = int(hall.town.clock.now())

    def at(value: Any) -> Any:
        return value if value is None or isinstance(value, str | bool) else now + value

    await refused(hall, assertion=hall.assertion(iat=at(iat), exp=at(exp)))


@pytest.mark.parametrize(("iat", "exp"), [(-320, -20), (29, 300), (0, 300), (-0.5, 10.25)])
async def test_clocks_may_differ_by_half_a_minute(hall: Hall, iat: float, exp: float) -> None:
    now = int(hall.town.clock.now())

    assert (await hall.by_assertion(hall.assertion(iat=now + iat, exp=now + exp))).status == 200


@pytest.mark.parametrize("jti", [None, "", 7, "x" * 513])
async def test_an_assertion_without_a_jti_earns_nothing(hall: Hall, jti: Any) -> None:
    assert "jti" in await refused(hall, assertion=hall.assertion(jti=jti))


async def test_a_certificate_of_another_system_earns_nothing(hall: Hall) -> None:
    assertion = hall.assertion("H33.05/dms", signer=hall.town.signers["H33.16/dms"])

    assert "certificate" in await refused(hall, assertion=assertion)


async def test_a_certificate_that_nobody_registered_earns_nothing(hall: Hall) -> None:
    stranger, _ = a_pair("a stranger")

    assert "certificate" in await refused(hall, assertion=hall.assertion(signer=stranger))


async def test_a_certificate_outside_its_dates_earns_nothing(hall: Hall) -> None:
    signer, certificate = a_pair("H33.05/dms", days=(-10, -1))
    hall.register(replace(system_of(hall, "H33.05/dms"), certificates=(certificate,)))

    assert "dates" in await refused(hall, assertion=hall.assertion(signer=signer))


async def test_a_changed_assertion_earns_nothing(hall: Hall) -> None:
    head, _, tail = hall.assertion().split(".")
    _, other, _ = hall.assertion(exp=int(hall.town.clock.now()) + 200).split(".")

    assert "signature" in await refused(hall, assertion=f"{head}.{other}.{tail}")


@pytest.mark.parametrize("claims", [{"iss": "H33.16/dms"}, {"sub": None}, {"iss": None}, {"iss": "x", "sub": "x"}])
async def test_issuer_and_subject_are_the_system_itself(hall: Hall, claims: dict[str, Any]) -> None:
    assert "iss and sub" in await refused(hall, assertion=hall.assertion(**claims))


async def test_a_system_may_be_named_by_its_agencys_other_code(hall: Hall) -> None:
    assertion = hall.assertion(iss="000.00.05.H33/dms", sub="000.00.05.H33/dms")

    answer = await hall.by_assertion(assertion, client_id="H33.05/dms")

    assert answer.status == 200


@pytest.mark.parametrize("assertion", ["", "a.b.c", "a.b", "é", "x" * 30000])
async def test_what_is_no_jwt_earns_nothing(hall: Hall, assertion: str) -> None:
    await refused(hall, assertion=assertion)


async def test_a_client_id_beside_the_assertion_must_be_the_same_system(hall: Hall) -> None:
    answer = await hall.by_assertion(hall.assertion(), client_id="H33.16/dms")

    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


# ------------------------------------------------------------------------------------------------------- secrets


@pytest.fixture
async def old(hall: Hall) -> Hall:
    """A town in which H33.20/dms has a secret."""
    hall.register(replace(system_of(hall, "H33.20/dms"), secret_hash=secret_hash()))
    return hall


async def test_old_software_earns_a_token_by_its_secret(old: Hall) -> None:
    answer = await old.ask_token(client_id="H33.20/dms", client_secret=SECRET)

    assert answer.status == 200
    assert await is_good(old, answer.json["access_token"])


async def test_http_basic_is_taken_too(old: Hall) -> None:
    given = base64.b64encode(f"{quote_plus('H33.20/dms')}:{quote_plus(SECRET)}".encode()).decode()

    answer = await old.ask(
        "POST",
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {given}"},
    )

    assert answer.status == 200


@pytest.mark.parametrize(
    ("name", "secret"), [("H33.20/dms", "wrong"), ("H33.99/dms", SECRET), ("H33.05/dms", SECRET), ("H33.20/dms", "")]
)
async def test_a_wrong_secret_or_a_stranger_earns_nothing(old: Hall, name: str, secret: str) -> None:
    answer = await old.ask_token(client_id=name, client_secret=secret)

    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


async def test_broken_basic_is_told_so(old: Hall) -> None:
    for given in ("Basic ???", "Basic " + base64.b64encode(b"no colon").decode(), "Basic /w=="):
        answer = await old.ask(
            "POST", "/oauth2/token", data={"grant_type": "client_credentials"}, headers={"Authorization": given}
        )

        assert (answer.status, answer.json["error"]) == (401, "invalid_client")


async def test_a_changed_secret_ends_the_tokens_it_earned(old: Hall) -> None:
    token = (await old.ask_token(client_id="H33.20/dms", client_secret=SECRET)).json["access_token"]
    assert await is_good(old, token)
    old.register(replace(system_of(old, "H33.20/dms"), secret_hash=secret_hash("another")))

    assert not await is_good(old, token)


# -------------------------------------------------------------------------------------------------- the form itself


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&client_assertion=a.b.c", "invalid_request"),
        ("grant_type=client_credentials&client_assertion=a.b.c&client_assertion_type=saml", "invalid_request"),
        ("grant_type=client_credentials", "invalid_client"),
        ("grant_type=client_credentials&client_id=H33.20/dms", "invalid_client"),
        (f"grant_type=client_credentials&client_secret=x&client_assertion_type={JWT_BEARER}", "invalid_request"),
        ("&".join(f"a{number}=1" for number in range(60)), "invalid_request"),
        ("grant_type=%ff", "invalid_request"),
    ],
)
async def test_errors_are_those_of_rfc_6749(hall: Hall, form: str, error: str) -> None:
    answer = await hall.ask(
        "POST", "/oauth2/token", data=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    conforms("TokenError", answer.json)
    assert answer.json["error"] == error
    assert answer.status == (401 if error == "invalid_client" else 400)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_body_that_is_no_form_is_an_invalid_request(hall: Hall) -> None:
    answer = await hall.ask("POST", "/oauth2/token", json={"grant_type": "client_credentials"})

    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


# ------------------------------------------------------------------------------------------- what a token is good for


async def test_a_token_ends_with_its_certificates_registration(hall: Hall) -> None:
    token = await hall.token("H33.05/dms")
    assert await is_good(hall, token)
    _, other = a_pair("H33.05/dms")
    hall.register(replace(system_of(hall, "H33.05/dms"), certificates=(other,)))

    assert not await is_good(hall, token)


async def test_a_token_ends_with_its_certificates_last_day(hall: Hall) -> None:
    hall.town.signers["H33.05/dms"], certificate = a_pair("H33.05/dms", days=(-1, 0.005))
    hall.register(replace(system_of(hall, "H33.05/dms"), certificates=(certificate,)))
    token = await hall.token("H33.05/dms")
    assert await is_good(hall, token)
    hall.town.clock.moment += 0.005 * 86400 + 1

    assert not await is_good(hall, token)


async def test_a_token_that_we_did_not_sign_is_worth_nothing(hall: Hall) -> None:
    token = await hall.token("H33.05/dms")
    head, body, tail = token.split(".")
    stranger, _ = a_pair("a stranger")
    said = base64.urlsafe_b64decode(body + "==")

    forged = [
        stranger.sign("at+jwt", said).decode(),
        hall.doors.signer.sign("receipt+jws", said).decode(),
        f"{head}.{body}.{tail[:-4]}AAAA",
        f"{token}\u00e9",
        "a.b.c",
        "..",
        token * 10,
    ]

    for each in forged:
        assert not await is_good(hall, each.encode("utf-8", "surrogateescape").decode("latin-1"))


async def test_an_assertion_is_no_access_token(hall: Hall) -> None:
    assert not await is_good(hall, hall.assertion())


async def test_the_scheme_is_read_without_case_and_anything_else_is_no_token(hall: Hall) -> None:
    token = await hall.token("H33.05/dms")

    assert (await hall.get("/v1/contracts", headers={"Authorization": f"bearer {token}"})).status == 200
    assert (await hall.get("/v1/contracts", headers={"Authorization": f"Token {token}"})).status == 401
    assert (await hall.get("/v1/contracts", headers={"Authorization": "Bearer"})).status == 401
    assert (await hall.get(f"/v1/contracts?access_token={token}")).status == 401


async def test_an_operators_token_is_known_by_its_hash(hall: Hall) -> None:
    assert await is_good(hall, OPERATOR)
    assert not await is_good(hall, OPERATOR + "x")
