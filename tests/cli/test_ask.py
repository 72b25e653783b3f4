"""Asking a provider at the command line: what is personal in the answer is masked unless it is asked for by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.client.bus import Bus, Refused
from gateway.client.identity import read_signer
from gateway.core.envelope import seal
from gateway.core.masking import MASK
from tests.cli.desk import Ended, lgsp
from tests.province import a_province

PERSON = "Nguyễn Văn Mẫu"
DATA = {
    "officer": {"account": "mau.nv"}, "dossierCode": "H33.05-261123-0001", "name": PERSON,
    "personalNumber": "000000000000",
}  # fmt: skip
BILL = {"isDue": True, "dossierCode": "H33.05-261123-0001", "payer": {"name": PERSON}, "items": [{"amount": 8000}]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A province whose bus answers without a network: a bill, or a refusal where the purpose is ``khac``."""
    folder = a_province(tmp_path / "tinh")
    (folder / "hoi.json").write_text(json.dumps(DATA), "utf-8")

    async def token(*_: Any) -> str:
        return "t"

    async def query(_: Bus, __: str, envelope: bytes, *, within: float) -> bytes:
        asked = json.loads(_payload(envelope))
        if asked.get("purpose") == "khac":
            raise Refused(403, {"type": "urn:lgsp:problem:no-agreement", "detail": "Chưa có thoả thuận."})
        assert (asked["to"], asked["type"], within) == ("H33.16", "bill.lookup", 10)
        signer = read_signer(folder / "keys/H33.16-dms.pem", folder / "keys/H33.16-dms.crt")
        return seal(
            {"id": "1", "type": "bill.found", "dataschema": "urn:lgsp:contract:bill.found:1.0",
             "source": "H33.16/dms", "subject": asked["subject"], "data": BILL}, signer
        )  # fmt: skip

    monkeypatch.setattr(Bus, "token", token)
    monkeypatch.setattr(Bus, "query", query)
    return folder


def _payload(envelope: bytes) -> bytes:
    from gateway.core.jws import split

    return split(envelope).payload


def asked(folder: Path, *more: str) -> Ended:
    return lgsp(
        "-C", folder, "ask", folder / "hoi.json", "--as", "H33.05/dms", "--to", "H33.16", "--contract",
        "bill.lookup/1.0", "--subject", "H33.05-261123-0001", *more,
    )  # fmt: skip


def test_what_is_personal_is_masked_in_words_and_for_programs(folder: Path) -> None:
    for ended in (asked(folder), asked(folder, "--json")):
        assert ended.status == 0, ended.err
        assert PERSON not in ended.out + ended.err
        assert MASK in ended.out
        assert "8000" in ended.out
    assert asked(folder, "--json").json["data"] == {**BILL, "payer": {"name": MASK}}


def test_it_is_shown_where_that_is_asked_for(folder: Path) -> None:
    assert asked(folder, "--show", "--json").json["data"] == BILL
    assert PERSON in asked(folder, "--show").out


def test_a_refusal_is_told_in_words(folder: Path) -> None:
    ended = asked(folder, "--purpose", "khac")
    assert ended.status == 1
    assert "Chưa có thoả thuận." in ended.err


def test_a_contract_without_its_version_is_a_wrong_usage(folder: Path) -> None:
    assert asked(folder, "--contract", "bill.lookup").status == 2
