"""A SOAP service told by WSDL, XSD and one file: order, schema both ways, faults, proofs, whatever is answered."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.soap import adapter, stand_in
from gateway.calls.described.service import FarSide
from gateway.core.content import InMemory, whole
from gateway.core.faults import DeliveryFailure, DestinationGone, Misconfigured, PermanentFailure, TransientFailure
from gateway.ports import Call, Collected, Received, Uncollectable
from tests.adapters.described import Anybody, a_procedure, anybody, quickly
from tests.adapters.fitting import CONTENT, Hands, an_event

EXAMPLE = Path(stand_in.__file__).parent / "example"
HEAD = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
TAIL = "</s:Body></s:Envelope>"
GOOD = f'{HEAD}<CapNhatThuTucTraLoi xmlns="urn:mau:dat-dai"><MaLoi>0</MaLoi></CapNhatThuTucTraLoi>{TAIL}'.encode()
LISTED = f'{HEAD}<LayThayDoiTraLoi xmlns="urn:mau:dat-dai"><MaLoi>0</MaLoi>{{}}</LayThayDoiTraLoi>{TAIL}'


@pytest_asyncio.fixture
async def far() -> AsyncIterator[Anybody]:
    async with anybody() as made:
        yield made


def copied(folder: Path, *changes: tuple[str, str, str]) -> str:
    """The example in a province folder, with changes (file, before, after)."""
    shutil.copytree(EXAMPLE, folder / "far", dirs_exist_ok=True)
    for name, before, after in changes:
        text = (folder / "far" / name).read_text("utf-8")
        assert before in text
        (folder / "far" / name).write_text(text.replace(before, after), "utf-8")
    return "far/dat-dai.toml"


def opened(folder: Path, far: Anybody, *changes: tuple[str, str, str], **options: Any) -> FarSide:
    name = copied(folder, *changes)
    (folder / "goi.key").write_text("khoa-goi-mau")
    made = {
        "url": far.counter.url, "description": name, "poll_seconds": 0, "timeout": 2, "caller_secret_file": "goi.key",
        **options,
    }  # fmt: skip
    return adapter.open_adapter(Hands(folder).context("soap", made))


# ------------------------------------------------------------------------------------------------ what goes out


async def test_elements_stand_in_the_order_of_the_schema_whatever_the_rules_order(tmp_path: Path, far: Anybody) -> None:
    far.says(GOOD)
    side = opened(tmp_path, far)
    await side.deliver(a_procedure(Hands(tmp_path)))
    ((method, _, fields, body),) = far.asked
    assert (method, fields["SOAPAction"]) == ("POST", '"urn:mau:dat-dai/CapNhatThuTuc"')
    assert fields["Content-Type"] == "text/xml; charset=utf-8"
    names = re.findall(rb"<\w+:(\w+)[ >]", body)
    assert names[2:] == [b"CapNhatThuTuc", b"MaLienThong", b"ThuTuc", b"Ma", b"HieuLuc", b"Ten"]
    await side.close()


async def test_soap_1_2_names_its_action_in_the_media_type(tmp_path: Path, far: Anybody) -> None:
    far.says(GOOD.replace(b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"))
    side = opened(tmp_path, far, ("dat-dai.toml", 'soap = "1.1"', 'soap = "1.2"'))
    await side.deliver(a_procedure(Hands(tmp_path)))
    ((_, _, fields, body),) = far.asked
    assert fields["Content-Type"] == ('application/soap+xml; charset=utf-8; action="urn:mau:dat-dai/CapNhatThuTuc"')
    assert "SOAPAction" not in fields
    assert b"http://www.w3.org/2003/05/soap-envelope" in body
    await side.close()


async def test_what_breaks_the_schema_never_leaves_and_no_value_is_told(tmp_path: Path, far: Anybody) -> None:
    side = opened(tmp_path, far)
    with pytest.raises(PermanentFailure) as failure:
        await side.deliver(a_procedure(Hands(tmp_path), CONTENT * 3))
    assert "Ma" in str(failure.value)
    assert CONTENT not in str(failure.value)
    assert far.asked == []
    await side.close()


async def test_a_digest_proves_who_asks_and_another_password_stops_the_queue(tmp_path: Path) -> None:
    async with stand_in.agency(tmp_path) as county:
        hands = Hands(tmp_path)
        side = adapter.open_adapter(hands.context("soap", county.settings))
        await side.deliver(a_procedure(hands))
        (tmp_path / "keys/dat-dai.pass").write_text("sai\n")
        with pytest.raises(DestinationGone):
            await side.deliver(a_procedure(hands))
        await side.close()


@pytest.mark.parametrize(
    ("code", "failure"),
    [("Client", PermanentFailure), ("Server", TransientFailure), ("Server.Quota", TransientFailure),
     ("FailedAuthentication", DestinationGone), ("", TransientFailure)],
)  # fmt: skip
async def test_a_fault_means_what_its_code_says(
    tmp_path: Path, far: Anybody, code: str, failure: type[Exception]
) -> None:
    told = f"{HEAD}<s:Fault><faultcode>s:{code}</faultcode><faultstring>{CONTENT}</faultstring></s:Fault>{TAIL}"
    side = opened(tmp_path, far)
    for status in (200, 500):
        far.says(told.encode(), status)
        with pytest.raises(failure) as raised:
            await side.deliver(a_procedure(Hands(tmp_path)))
        assert CONTENT not in str(raised.value)
    await side.close()


async def test_an_answer_that_breaks_the_schema_is_not_believed_unless_the_description_says_so(
    tmp_path: Path, far: Anybody
) -> None:
    far.says(GOOD.replace(b"<MaLoi>0", b"<La>1</La><MaLoi>0"))
    side = opened(tmp_path, far)
    with pytest.raises(TransientFailure):
        await side.deliver(a_procedure(Hands(tmp_path)))
    await side.close()
    side = opened(tmp_path, far, ("dat-dai.toml", 'soap = "1.1"', 'soap = "1.1"\nis_answer_checked = false'))
    await side.deliver(a_procedure(Hands(tmp_path)))
    await side.close()


async def test_a_question_is_answered_in_the_words_of_the_bus(tmp_path: Path) -> None:
    async with stand_in.agency(tmp_path) as county:
        side = adapter.open_adapter(Hands(tmp_path).context("soap", county.settings))
        county.parcels["12", "5"] = [("12", "5", 120)]
        event = an_event(
            type="land.lookup", dataschema="urn:lgsp:contract:land.lookup:1.0",
            data={"by": "parcel", "parcel": {"mapSheet": "12", "parcelNumber": "5"}},
        )  # fmt: skip
        found = await side.ask(SimpleNamespace(event=event, within=2.0))
        assert found == {"parcels": [{"mapSheet": "12", "parcelNumber": "5", "area": 120}]}
        county.parcels.clear()
        assert await side.ask(SimpleNamespace(event=event, within=2.0)) is None
        await side.close()


# ------------------------------------------------------------------------------------------------ hostile answers

BOMB = (
    b'<!DOCTYPE a [<!ENTITY x0 "xxxxxxxxxx">'
    + b"".join(b'<!ENTITY x%d "%s">' % (n, b"&x%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]><a>&x11;</a>"
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b" " * 5000 + b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        HEAD.encode() + b"<a>" * 100_000,
        HEAD.encode() + b"<a>" * 200 + b"</a>" * 200 + TAIL.encode(),
        LISTED.format("<ThuTuc>" * 100 + "</ThuTuc>" * 100).encode(),
        LISTED.format("<x/>" * 400_000).encode(),
        b"x" * (9 << 20),
        b"",
        b"\x00\xff",
        f"{HEAD}{TAIL}".encode(),
        b'{"json":1}',
    ],
    ids=lambda body: f"{body[:9]!r} {len(body)}",
)
async def test_no_answer_however_hostile_is_more_than_a_failure_in_words(
    tmp_path: Path, far: Anybody, body: bytes
) -> None:
    far.says(body)
    side = opened(tmp_path, far)
    with pytest.raises(TransientFailure) as raised:
        await quickly(side.deliver(a_procedure(Hands(tmp_path))))
    assert "root:" not in str(raised.value)
    with pytest.raises(TransientFailure):
        await quickly(side.collect(10))
    await side.close()


elements = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_characters="<&", min_codepoint=32), max_size=10),
    lambda inner: st.lists(
        st.tuples(st.sampled_from(["ThuTuc", "Ma", "Lan", "HieuLuc", "Ten", "MaLoi", "x"]), inner), max_size=4
    ).map(lambda pairs: "".join(f"<{name}>{text}</{name}>" for name, text in pairs)),
    max_leaves=12,
)


@given(inner=elements, is_checked=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_an_answer_becomes_items_refusals_or_a_failure(
    tmp_path: Path, inner: str, is_checked: bool
) -> None:
    async def work() -> None:
        async with anybody() as far:
            far.says(LISTED.format(inner).encode())
            said = f'soap = "1.1"\nis_answer_checked = {str(is_checked).lower()}'
            side = opened(tmp_path, far, ("dat-dai.toml", 'soap = "1.1"', said))
            with contextlib.suppress(TransientFailure):
                for each in await side.collect(10):
                    assert isinstance(each, Collected | Uncollectable)
            with contextlib.suppress(DeliveryFailure):
                await side.deliver(a_procedure(Hands(tmp_path)))
            await side.close()

    asyncio.run(work())


# ------------------------------------------------------------------------------------------------ their calls


async def test_a_call_that_breaks_the_schema_is_told_where_in_a_fault(tmp_path: Path, far: Anybody) -> None:
    side = opened(tmp_path, far)

    async def take(item: Collected) -> Received:
        return Received(str(item.event["id"]))

    told = f'{HEAD}<BaoThuTuc xmlns="urn:mau:dat-dai"><ThuTuc><Ten>{CONTENT}</Ten></ThuTuc></BaoThuTuc>{TAIL}'
    fields = {"authorization": "Bearer khoa-goi-mau"}
    call = Call("POST", "", {}, fields, InMemory(told.encode()), "127.0.0.1")
    reply = await side.answer(call, take)
    assert (reply.status, b"soap:Client" in reply.body, b"XSD" in reply.body) == (500, True, True)
    assert CONTENT.encode() not in reply.body
    right = told.replace("<ThuTuc>", "<ThuTuc><Ma>1</Ma><Lan>2</Lan><HieuLuc>1</HieuLuc>")
    reply = await side.answer(replace(call, body=InMemory(right.encode())), take)
    assert (reply.status, b"MaLoi>0<" in reply.body) == (200, True)
    assert whole(call.body)
    await side.close()


# ------------------------------------------------------------------------------------------------ WSDL and XSD


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((("dat-dai.wsdl", 'Location="dat-dai.xsd"', 'Location="http://127.0.0.1:9/x.xsd"'),), "schemaLocation"),
        ((("dat-dai.wsdl", 'schemaLocation="dat-dai.xsd"', 'schemaLocation="/etc/passwd"'),), "schemaLocation"),
        ((("dat-dai.wsdl", 'schemaLocation="dat-dai.xsd"', 'schemaLocation="../../x.xsd"'),), "schemaLocation"),
        ((("dat-dai.wsdl", 'schemaLocation="dat-dai.xsd"', 'schemaLocation="none.xsd"'),), "none.xsd"),
        ((("dat-dai.wsdl", "<definitions", "<!DOCTYPE definitions [<!ENTITY a 'b'>]><definitions"),), "DOCTYPE"),
        ((("dat-dai.xsd", 'type="d:KetQua"', 'type="d:KhongCo"'),), "XSD"),
        ((("dat-dai.wsdl", "<definitions", "<definition"),), "XML"),
        ((("dat-dai.wsdl", 'style="document"', 'style="rpc"'),), "document/literal"),
        ((("dat-dai.toml", 'wsdl = "dat-dai.wsdl"', ""),), "wsdl"),
        ((("dat-dai.toml", 'operation = "BaoThuTuc"', 'operation = "Bao"'),), "BaoThuTuc"),
        ((("dat-dai.toml", 'operation = "LayThayDoi"', ""),), "operation"),
    ],
)  # fmt: skip
def test_a_wsdl_that_cannot_be_spoken_is_told_and_nothing_is_fetched(
    tmp_path: Path, changes: tuple[tuple[str, str, str], ...], told: str
) -> None:
    name = copied(tmp_path, *changes)
    with pytest.raises(Misconfigured) as mistake:
        adapter.check({"url": "http://127.0.0.1:9", "description": name}, tmp_path)
    said = " ".join(f"{each.where} {each.wrong.en} {each.right.en}" for each in [mistake.value, *mistake.value.also])
    assert "far/dat-dai.toml" in said
    assert told in said
    assert "root:" not in said


def test_schemas_that_import_each_other_by_namespace_are_one(tmp_path: Path) -> None:
    name = copied(
        tmp_path,
        ("dat-dai.wsdl", '<xs:schema targetNamespace="urn:mau:dat-dai" elementFormDefault="qualified">',
         ('<xs:schema targetNamespace="urn:mau:chung" elementFormDefault="qualified">'
         '<xs:simpleType name="So"><xs:restriction base="xs:int"/></xs:simpleType></xs:schema>'
         '<xs:schema targetNamespace="urn:mau:dat-dai" elementFormDefault="qualified">')),
        ("dat-dai.xsd", 'elementFormDefault="qualified">',
         'xmlns:c="urn:mau:chung" elementFormDefault="qualified"><xs:import namespace="urn:mau:chung"/>'),
        ("dat-dai.xsd", '<xs:element name="MaLoi" type="xs:int"/>', '<xs:element name="MaLoi" type="c:So"/>'),
    )  # fmt: skip
    adapter.check({"url": "http://127.0.0.1:9", "description": name}, tmp_path)
