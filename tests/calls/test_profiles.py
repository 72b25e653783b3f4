"""How the bus proves itself, profile by profile: what one exchange bears, what is renewed, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.calls.caller import Answer
from gateway.calls.profiles import ACCOUNT, PROFILES, Profile, Proof, open_profile
from gateway.core.content import InMemory
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, TransientFailure

SECRETS = {
    "pw": b"mat-khau\n", "secret": b"bi-mat\n", "key": b"khoa-1\n", "an": b"keyA:passA\n", "binh": b"keyB:passB\n",
}  # fmt: skip
LGSP = {
    "access_key": "AK",
    "secret_key_file": "secret",
    "app_name": "A",
    "partner_code": "H33",
    "partner_code_cus": "C",
}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "none": {},
    "basic": {"username": "u", "password_file": "pw"},
    "session": {"url": "https://a/login", "username": "u", "password_file": "pw"},
    "wso2": {"url": "https://a/token", "client_id": "k", "client_secret_file": "secret"},
    "password": {"url": "https://a/token", "username": "u", "password_file": "pw"},
    "lgsp-token": {"url": "https://a/token", **LGSP},
    "authhash": {"url": "https://a/token", **LGSP, "officers": {"an": "an", "binh": "binh"}},
    "apikey": {"key_file": "key", "unit": "H33.16"},
    "acceptkey": {"key_file": "key"},
    "bodykey": {"key_file": "key", "member": "SecurityCode"},
    "jwt": {"url": "https://a/login", "username": "u", "password_file": "pw"},
}


@dataclass
class Login:
    """A place that gives tokens; remembers what it was asked with."""

    says: list[Any] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    base: str = ""

    async def ask(self, method: str, path: str, *, fields: Mapping[str, str], body: bytes) -> Answer:
        self.asked.append((self.base, dict(fields), body))
        number = len(self.asked)
        usual = {"access_token": f"t{number}", "expires_in": 3600, "session": f"t{number}", "token": f"t{number}",
                 "refreshToken": f"r{number}", "refreshTokenExpiryTime": "2026-12-01"}  # fmt: skip
        said = self.says.pop(0) if self.says else usual
        if isinstance(said, int):
            return Answer(said, {}, InMemory(b"{}"))
        return Answer(200, {}, InMemory(json.dumps(said).encode()))

    async def close(self) -> None:
        pass


@dataclass
class Said:
    is_unproven: bool


@dataclass
class Bench:
    """A profile and the clock that it looks at."""

    login: Login = field(default_factory=Login)
    now: float = 1000.0
    proofs: list[Proof] = field(default_factory=list)
    #: How many of the next exchanges find the proof wanting.
    wanting: int = 0

    def open(self, kind: str, **more: Any) -> Profile:
        def caller_of(base: str) -> Any:
            self.login.base = base
            return self.login

        account = {"profile": kind, **ACCOUNTS[kind], **more}
        return open_profile(
            account,
            read_secret=lambda file: SECRETS[file],
            now=lambda: self.now,
            caller_of=caller_of,
            where="accounts.a",
        )

    async def ask(self, proof: Proof) -> Said:
        self.proofs.append(proof)
        self.wanting -= 1
        return Said(self.wanting >= 0)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_every_profile_has_an_account_that_is_whole() -> None:
    assert set(ACCOUNTS) == set(PROFILES) == set(ACCOUNT["properties"]["profile"]["enum"])
    named = set(ACCOUNT["properties"])
    assert {name for names in PROFILES.values() for name in names} <= named


@pytest.mark.parametrize(
    ("kind", "proof"),
    [
        ("none", Proof()),
        ("basic", Proof({"Authorization": f"Basic {b64('u:mat-khau')}"})),
        ("session", Proof(members={"session": "t1"})),
        ("wso2", Proof({"Authorization": "Bearer t1"})),
        ("password", Proof({"Authorization": "Bearer t1"})),
        ("acceptkey", Proof({"Authorization": "Bearer khoa-1"}, members={"AcceptKey": "khoa-1"})),
        ("bodykey", Proof(members={"SecurityCode": "khoa-1"})),
        ("jwt", Proof({"Authorization": "Bearer t1"})),
        (
            "apikey",
            Proof({"Authorization": "Bearer khoa-1", "ApiKey": "khoa-1", "MaDonVi": "H33.16"}, {"APIKey": "khoa-1"}),
        ),
    ],
)
async def test_each_profile_bears_what_its_service_wants(bench: Bench, kind: str, proof: Proof) -> None:
    await bench.open(kind).proven(bench.ask)
    assert bench.proofs == [proof]


async def test_the_lgsp_token_goes_to_the_token_form_and_with_every_call(bench: Bench) -> None:
    await bench.open("lgsp-token").proven(bench.ask)
    ((_, fields, body),) = bench.login.asked
    told = json.loads(base64.b64decode(fields["lgspaccesstoken"]))
    assert told == {
        "AccessKey": "AK", "SecretKey": "bi-mat", "AppName": "A", "PartnerCode": "H33", "PartnerCodeCus": "C",
    }  # fmt: skip
    assert body == b"grant_type=client_credentials"
    assert bench.proofs[0].fields == {"Authorization": "Bearer t1", "lgspaccesstoken": fields["lgspaccesstoken"]}


async def test_wso2_proves_itself_at_the_token_door_by_key_and_secret(bench: Bench) -> None:
    await bench.open("wso2", fields={"dstcode": "VN:1"}).proven(bench.ask)
    ((_, fields, body),) = bench.login.asked
    assert fields["Authorization"] == f"Basic {b64('k:bi-mat')}"
    assert (fields["dstcode"], body) == ("VN:1", b"grant_type=client_credentials")


async def test_officers_share_the_token_and_not_the_hash(bench: Bench) -> None:
    profile = bench.open("authhash")
    await profile.proven(bench.ask, "an")
    await profile.proven(bench.ask, "binh")
    one, other = (proof.body(b"<xml/>") for proof in bench.proofs)
    assert set(one) == {"accessToken", "lgspAccessToken", "AuthHash", "data"}
    assert (one["accessToken"], one["AuthHash"], one["data"]) == ("Bearer t1", b64("keyA:passA"), "<xml/>")
    assert (other["accessToken"], other["AuthHash"]) == ("Bearer t1", b64("keyB:passB"))


@pytest.mark.parametrize("officer", ["", "ai"])
async def test_an_officer_without_a_key_is_refused_before_anybody_is_asked(bench: Bench, officer: str) -> None:
    with pytest.raises(PermanentFailure):
        await bench.open("authhash").proven(bench.ask, officer)
    assert (bench.proofs, bench.login.asked) == ([], [])


RENEWED = ["session", "wso2", "password", "lgsp-token", "authhash", "jwt"]


@pytest.mark.parametrize("kind", RENEWED)
async def test_a_proof_that_ended_in_mid_work_is_had_anew_once(bench: Bench, kind: str) -> None:
    profile, bench.wanting = bench.open(kind), 1
    assert not (await profile.proven(bench.ask, "an")).is_unproven
    assert (len(bench.proofs), len(bench.login.asked)) == (2, 2)


@pytest.mark.parametrize("kind", RENEWED)
async def test_a_new_proof_that_is_refused_too_needs_an_operator(bench: Bench, kind: str) -> None:
    profile, bench.wanting = bench.open(kind), 9
    with pytest.raises(DestinationGone):
        await profile.proven(bench.ask, "an")
    assert len(bench.proofs) == 2


@pytest.mark.parametrize("kind", ["basic", "apikey", "acceptkey", "bodykey"])
async def test_a_key_that_is_refused_is_not_tried_twice(bench: Bench, kind: str) -> None:
    profile, bench.wanting = bench.open(kind), 1
    with pytest.raises(DestinationGone):
        await profile.proven(bench.ask)
    assert len(bench.proofs) == 1


async def test_many_who_wait_for_a_token_get_one(bench: Bench) -> None:
    profile = bench.open("wso2")
    await asyncio.gather(*(profile.proven(bench.ask) for _ in range(20)))
    assert len(bench.login.asked) == 1


async def test_a_token_is_not_used_in_its_last_seconds(bench: Bench) -> None:
    profile, bench.login.says = bench.open("wso2"), [{"access_token": "a", "expires_in": "100"}]
    await profile.proven(bench.ask)
    bench.now += 69
    await profile.proven(bench.ask)
    assert len(bench.login.asked) == 1
    bench.now += 2
    await profile.proven(bench.ask)
    assert len(bench.login.asked) == 2


REFRESH = {"refresh_url": "https://a/refresh", "refresh_body": {"a": "{token}", "b": "{refreshToken}"}}


async def test_a_jwt_is_refreshed_as_the_settings_say(bench: Bench) -> None:
    profile = bench.open("jwt", **REFRESH)
    await profile.proven(bench.ask)
    bench.wanting = 1
    await profile.proven(bench.ask)
    assert [json.loads(body) for _, _, body in bench.login.asked] == [
        {"userName": "u", "password": "mat-khau"}, {"a": "t1", "b": "r1"},
    ]  # fmt: skip
    assert bench.proofs[-1].fields == {"Authorization": "Bearer t2"}


async def test_where_the_refresh_is_refused_the_account_itself_is_asked(bench: Bench) -> None:
    profile = bench.open("jwt", **REFRESH)
    await profile.proven(bench.ask)
    bench.wanting, bench.login.says = 1, [401]
    await profile.proven(bench.ask)
    assert [set(json.loads(body)) for _, _, body in bench.login.asked] == [
        {"userName", "password"}, {"a", "b"}, {"userName", "password"},
    ]  # fmt: skip


@pytest.mark.parametrize("said", [{}, [], {"access_token": ""}, {"access_token": 1}, {"access_token": "a\nb"}, 500])
async def test_a_login_that_gives_no_token_is_for_another_time_and_its_words_are_nobodys(
    bench: Bench, said: Any
) -> None:
    bench.login.says = [said]
    with pytest.raises(TransientFailure) as failure:
        await bench.open("wso2").proven(bench.ask)
    assert "bi-mat" not in str(failure.value)


@pytest.mark.parametrize("kind", [kind for kind in PROFILES if PROFILES[kind]])
def test_an_account_that_is_not_told_wholly_is_refused_by_name(bench: Bench, kind: str) -> None:
    for name in PROFILES[kind]:
        with pytest.raises(Misconfigured) as fault:
            bench.open(kind, **{name: ""})
        assert (fault.value.where, name in fault.value.wrong.en) == ("accounts.a", True)


def test_a_refresh_is_told_wholly_or_not_at_all(bench: Bench) -> None:
    with pytest.raises(Misconfigured):
        bench.open("jwt", refresh_url="https://a/refresh")


@pytest.mark.parametrize("kind", list(PROFILES))
async def test_no_secret_is_shown_by_what_is_kept(bench: Bench, kind: str) -> None:
    profile = bench.open(kind)
    await profile.proven(bench.ask, "an")
    shown = repr(profile) + str(profile)
    assert [secret for secret in SECRETS.values() if secret.decode().strip() in shown] == []
    await profile.close()
