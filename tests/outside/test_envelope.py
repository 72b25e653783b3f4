"""Interfaces, section 2: what an envelope is, who may have signed it, and to whom it goes."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.outside.client import (
    Answer,
    Bus,
    Identity,
    Seat,
    b64,
    document,
    encode,
    identity,
    jws,
    make_key,
    moment,
    opened,
    unb64,
)
from tests.outside.province import GATEWAY, OUTCOMES, Province, wants

SENDER, RECEIVER = "H33.05/dms", "H33.07/dms"
KINDS = {"ed25519": "H33.05/dms", "p256": "H33.05/p256", "rsa": "H33.05/rsa", "rsa4096": "H33.05/rsa4096"}

#: For cases that are told apart by how it is written.
AN_ID = "0198c1d2-7f00-7000-8000-00000000a001"


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """Two agencies with many systems, others that differ in one point each."""
    with Province(tmp_path_factory.mktemp("envelope") / "tinh") as made:
        made.contract("note.made")
        made.contract("note.personal", personal=True)
        made.contract("note.second")
        made.contract("note.lost")
        made.contract("other.made")
        made.contract("note.broad")
        both = [wants("note.made/1.0"), wants("note.broad/1.0")]
        made.agency(
            "H33.05",
            made.system(SENDER, wants("note.made/1.0"), wants("note.broad/1.0"), *OUTCOMES),
            *(made.system(name, kind=kind) for kind, name in KINDS.items() if kind != "ed25519"),
            made.system("H33.05/old", who=identity("H33.05/old", begins=-7200, ends=-3600)),
            made.system("H33.05/young", who=identity("H33.05/young", begins=3600)),
            aliases=["000.00.05.H33"],
        )
        made.agency(
            "H33.07",
            made.system(RECEIVER, *both, wants("note.personal/1.0"), wants("note.second/1.0")),
            made.system("H33.07/copy", wants("note.made/1.0")),
            made.system("H33.07/idle"),
            aliases=["000.00.07.H33"],
        )
        made.one("H33.08/idle")
        made.one("H33.09/picky", wants("note.made/1.0", filter={"source": ["H33.*"], "subject": ["HS-*"]}))
        made.one("H33.10/narrow", wants("note.made/1.0", filter={"source": ["H33.07"]}))
        made.one("H33.07.01/deep", wants("note.second/1.0"), parent="H33.07")
        made.one("X99.01/odd", wants("note.second/1.0"), parent="H33.07.01")
        made.one("H33.77/away", wants("note.second/1.0"), wants("note.made/1.0"), parent="A11")
        made.one("A11/stranger", wants("note.made/1.0"), parent=None)
        local = {"from": ["H33.*"], "to": ["H33.*"], "valid_until": "2090-12-31"}
        made.agreement("TT-01", contracts=["note.made", "note.broad", "note.lost", "document.*"], **local)
        made.agreement("TT-02", contracts=["note.personal"], purpose="giai-quyet-ho-so", **local)
        made.agreement("TT-03", contracts=["note.second"], **{**local, "from": ["H33.05"], "to": ["H33.07.*"]})
        made.agreement("TT-04", contracts=["other.*"], **{**local, "valid_from": "2089-01-01"})
        made.agreement("TT-05", contracts=["other.*"], **{**local, "valid_until": "2019-01-01"})
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def bus(province: Province) -> Bus:
    return province.bus


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats[SENDER]


def post(seat: Seat, header: dict[str, Any] | None = None, /, **members: Any) -> Answer:
    return seat.bus.send(seat.who.seal(seat.event(members.pop("to", RECEIVER), **members), header))


# the signature and its header


@pytest.mark.parametrize(
    ("kind", "alg"),
    [
        ("ed25519", "EdDSA"),
        ("ed25519", "Ed25519"),
        ("p256", "ES256"),
        ("rsa", "PS256"),
        ("rsa", "RS256"),
        ("rsa4096", "PS256"),
    ],
)
def test_each_algorithm_that_fits_its_key_is_taken(province: Province, kind: str, alg: str) -> None:
    seat = province.seats[KINDS[kind]]

    assert post(seat, seat.who.header(alg=alg)).status == 202


@pytest.mark.parametrize(
    ("kind", "alg"),
    [
        ("ed25519", "ES256"),
        ("ed25519", "PS256"),
        ("p256", "EdDSA"),
        ("p256", "ES384"),
        ("rsa", "ES256"),
        ("rsa", "RS384"),
        ("rsa", "PS512"),
        ("rsa", "HS256"),
        ("ed25519", "none"),
        ("ed25519", "HS256"),
        ("ed25519", "eddsa"),
        ("ed25519", None),
        ("ed25519", 7),
    ],
)
def test_an_algorithm_that_does_not_fit_the_key_is_malformed(province: Province, kind: str, alg: object) -> None:
    seat = province.seats[KINDS[kind]]

    assert post(seat, seat.who.header(alg=alg)).is_problem("malformed-envelope", 400)


@pytest.mark.parametrize(
    "typ", [None, "CE+JWS", "JWT", "receipt+jws", "head+jws", "application/ce+jws", ["ce+jws"], ""]
)
def test_the_type_of_an_envelope_is_exactly_one(sender: Seat, typ: object) -> None:
    assert post(sender, sender.who.header(typ=typ)).is_problem("malformed-envelope", 400)


def test_the_signer_may_come_as_a_thumbprint_a_chain_or_both(sender: Seat) -> None:
    who = sender.who

    assert post(sender, who.header()).status == 202
    assert post(sender, who.header(**{"x5t#S256": None, "x5c": [who.x5c]})).status == 202
    assert post(sender, who.header(x5c=[who.x5c])).status == 202


def test_a_header_without_a_signer_or_with_two_different_ones_is_malformed(sender: Seat, province: Province) -> None:
    other = province.seats[RECEIVER].who

    assert post(sender, sender.who.header(**{"x5t#S256": None})).is_problem("malformed-envelope", 400)
    assert post(sender, sender.who.header(x5c=[other.x5c])).is_problem("malformed-envelope", 400)


@pytest.mark.parametrize("x5c", [[], "MIIB", ["not base64!"], [b64(b"no certificate")], [7], None])
def test_a_chain_that_is_none_is_malformed(sender: Seat, x5c: object) -> None:
    header = json.dumps({"alg": "EdDSA", "typ": "ce+jws", "x5c": x5c}).encode()

    assert sender.bus.send(jws(sender.who.key, header, sender.event(RECEIVER))).is_problem("malformed-envelope", 400)


def test_a_chain_of_five_is_malformed(sender: Seat) -> None:
    header = sender.who.header(**{"x5t#S256": None, "x5c": [sender.who.x5c] * 5})

    assert post(sender, header).is_problem("malformed-envelope", 400)


def test_a_chain_to_nobody_that_is_trusted_is_untrusted(sender: Seat) -> None:
    forger = Seat(sender.bus, identity(SENDER))
    answer = post(forger, forger.who.header(**{"x5t#S256": None, "x5c": [forger.who.x5c]}))

    # an unknown leaf has no trusted root either: both names are true
    assert answer.status == 401 or answer.is_problem("untrusted-certificate", 403)
    assert answer.status == 403 or answer.is_problem("unknown-signer", 401)


@pytest.mark.parametrize(
    "member",
    [{"jwk": {}}, {"jku": "https://a.vn/k"}, {"x5u": "https://a.vn/c"}, {"b64": True}, {"crit": []}, {"crit": ["exp"]}],
)
def test_members_that_bring_their_own_trust_are_refused(sender: Seat, member: dict[str, Any]) -> None:
    assert post(sender, sender.who.header(**member)).is_problem("malformed-envelope", 400)


def test_other_members_of_the_header_are_ignored(sender: Seat) -> None:
    header = sender.who.header(kid="whatever", cty="json", x5t="AAAA", foo={"bar": [1]})

    assert post(sender, header).status == 202


def test_a_header_may_have_16_kib_and_no_more(sender: Seat) -> None:
    room = 16 * 1024 - len(json.dumps(sender.who.header(pad="")))

    assert post(sender, sender.who.header(pad="x" * (room - 8))).status == 202
    refused = post(sender, sender.who.header(pad="x" * 16 * 1024))
    assert refused.is_problem("malformed-envelope", 400)


def test_a_doubled_member_of_the_header_is_malformed(sender: Seat) -> None:
    plain = json.dumps(sender.who.header())
    header = (plain[:-1] + ', "alg": "EdDSA"}').encode()

    assert sender.bus.send(jws(sender.who.key, header, sender.event(RECEIVER))).is_problem("malformed-envelope", 400)


def test_one_line_end_after_the_envelope_is_not_part_of_it(sender: Seat) -> None:
    envelope = sender.who.seal(sender.event(RECEIVER))

    for end in ("\n", "\r\n", ""):
        assert sender.bus.send(envelope + end).json["id"] == opened(envelope)[1]["id"]
    stored = sender.get(f"/v1/messages/{opened(envelope)[1]['id']}/envelope")
    assert stored.body.decode() == envelope
    assert stored.headers["content-type"] == "application/jose"


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", " ", "\r", "\n\r", "\t", "\x00"])
def test_anything_else_after_the_envelope_is_malformed(sender: Seat, end: str) -> None:
    envelope = sender.who.seal(sender.event(RECEIVER))

    assert sender.bus.send(envelope + end).is_problem("malformed-envelope", 400)
    assert sender.bus.send(f" {envelope}").is_problem("malformed-envelope", 400)


def test_what_is_no_compact_jws_is_malformed(sender: Seat) -> None:
    good = sender.who.seal(sender.event(RECEIVER))
    head, body, signature = good.split(".")
    general = json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]})

    for wrong in (
        "",
        "a.b",
        "..",
        "{}",
        general,
        f"{good}.{body}",
        f"{head}..{signature}",
        f".{body}.{signature}",
        f"{head}.{body}.{signature}=",
        f"{head}.{body}.{signature[:40]}+{signature[41:]}",
        f"{head}.{body[:10]}\n{body[10:]}.{signature}",
        f"{head}.{body[:10]} {body[10:]}.{signature}",
        f"{head}.{body}A.{signature}"
        if len(body) % 4 == 0
        else f"{head}.{body}{'A' * (5 - len(body) % 4)}.{signature}",
    ):
        assert sender.bus.send(wrong).is_problem("malformed-envelope", 400), wrong
    assert sender.bus.send(f"{head}.{body}.").status in {400, 401}
    assert sender.bus.send(b"\xff\xfe\x00").is_problem("malformed-envelope", 400)


def test_trailing_bits_that_are_not_zero_are_malformed(sender: Seat) -> None:
    head, body, signature = sender.who.seal(sender.event(RECEIVER)).split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    bent = signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]
    assert unb64(bent) == unb64(signature)

    assert sender.bus.send(f"{head}.{body}.{bent}").is_problem("malformed-envelope", 400)


def test_a_signature_that_does_not_verify_is_bad(sender: Seat, province: Province) -> None:
    forger = Identity(SENDER, make_key("ed25519"), sender.who.certificate)
    head, _, signature = sender.who.seal(sender.event(RECEIVER)).split(".")
    swapped = f"{head}.{b64(encode(sender.event(RECEIVER)))}.{signature}"

    assert sender.bus.send(forger.seal(sender.event(RECEIVER))).is_problem("bad-signature", 401)
    assert sender.bus.send(swapped).is_problem("bad-signature", 401)
    assert sender.bus.send(f"{swapped[:-86]}{b64(b'short')}").is_problem("bad-signature", 401)
    rsa = province.seats[KINDS["rsa"]]
    signed = rsa.who.seal(rsa.event(RECEIVER), rsa.who.header(alg="RS256"))
    head, body, signature = signed.split(".")
    as_pss = b64(encode(rsa.who.header(alg="PS256")))
    assert rsa.bus.send(f"{as_pss}.{body}.{signature}").is_problem("bad-signature", 401)


def test_a_signer_that_nobody_registered_is_unknown(sender: Seat) -> None:
    nobody = Seat(sender.bus, identity(SENDER))

    assert post(nobody).is_problem("unknown-signer", 401)


@pytest.mark.parametrize("name", ["H33.05/old", "H33.05/young"])
def test_a_certificate_outside_its_dates_is_untrusted(province: Province, name: str) -> None:
    assert post(province.seats[name]).is_problem("untrusted-certificate", 403)


@pytest.mark.parametrize("source", [RECEIVER, "H33.05/p256", "H33.05", "nobody/at-all", GATEWAY, "000.00.05.H33/dms"])
def test_a_source_that_is_not_the_signer_is_untrusted(sender: Seat, source: str) -> None:
    # an alias names the agency in `to`; whether it may also name the source is for the registry: see the next test
    if source.startswith("000"):
        assert post(sender, source=source).status in {202, 403}
        return
    assert post(sender, source=source).is_problem("untrusted-certificate", 403)


# the payload


def nest(depth: int) -> str:
    """JSON of so many levels of arrays."""
    return "[" * depth + "]" * depth


def raw(sender: Seat, change: tuple[str, str] | None = None, **members: Any) -> Answer:
    text = json.dumps(sender.event(RECEIVER, **members), ensure_ascii=False)
    if change:
        assert change[0] in text
        text = text.replace(*change, 1)
    return sender.bus.send(sender.who.seal(text))


@pytest.mark.parametrize(
    "data",
    [
        '{"text": "a", "text": "a"}',
        '{"text": "a", "x": {"y": 1, "y": 1}}',
        '{"text": "a", "x": NaN}',
        '{"text": "a", "x": Infinity}',
        '{"text": "a", "x": -Infinity}',
        '{"text": "a", "x": 1e400}',
        '{"text": "a", "x": -1e309}',
        '{"text": "\\ud800"}',
        '{"text": "\\udc00\\ud800"}',
        '{"text": "a", "\\ud800": 1}',
        '{"text": "a", "x": 01}',
        '{"text": "a", "x": +1}',
        '{"text": "a", "x": .5}',
        '{"text": "a", }',
        "{'text': 'a'}",
        '{"text": "a\nb"}',
        '{"text": "a"} // so',
        f'{{"text": "a", "x": {nest(63)}}}',
        f'{{"text": "a", "x": {nest(100000)}}}',
        '{"text": "a", "x": ' + "1" * 5000 + "}",
    ],
    ids=lambda text: text[:36],
)
def test_a_payload_that_two_readers_could_read_differently_is_malformed(sender: Seat, data: str) -> None:
    assert raw(sender, ('{"text": "here"}', data), data={"text": "here"}).is_problem("malformed-envelope", 400)


@pytest.mark.parametrize(
    "data",
    [
        f'{{"text": "a", "x": {nest(62)}}}',
        '{"text": "\\ud83d\\ude00 \U0001f600"}',
        '{"text": "a", "x": 1e308, "y": -0.0, "z": 12345678901234567890, "n": null}',
        ' {\t"text":\r\n"a"\n} ',
    ],
    ids=lambda text: text[:36],
)
def test_a_payload_at_the_limit_is_taken(sender: Seat, data: str) -> None:
    assert raw(sender, ('{"text": "here"}', data), data={"text": "here"}).status == 202


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'"a"', b"7", b"\xef\xbb\xbf{}", b"{", b"\xff", b"{}{}"])
def test_a_payload_that_is_no_json_object_is_malformed(sender: Seat, payload: bytes) -> None:
    assert sender.bus.send(sender.who.seal(payload)).is_problem("malformed-envelope", 400)


def test_text_that_is_not_utf_8_is_malformed(sender: Seat) -> None:
    text = encode(sender.event(RECEIVER, data={"text": "here"})).replace(b"here", b"\xe1\xba")

    assert sender.bus.send(sender.who.seal(text)).is_problem("malformed-envelope", 400)


@pytest.mark.parametrize(
    "name", ["specversion", "id", "source", "type", "dataschema", "subject", "time", "datacontenttype", "data"]
)
def test_every_attribute_that_is_no_extension_is_required(sender: Seat, name: str) -> None:
    answer = post(sender, **{name: None})

    assert answer.is_problem("malformed-envelope", 400)
    assert name in answer.json["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"id": "1"},
        {"id": 7},
        {"id": ""},
        {"id": f"{AN_ID} "},
        {"id": f"{{{AN_ID}}}"},
        {"id": AN_ID.replace("-", "")},
        {"id": f"urn:uuid:{AN_ID}"},
        {"type": "other.made"},
        {"type": "note.made/1.0"},
        {"type": ""},
        {"dataschema": "urn:lgsp:contract:note.made"},
        {"dataschema": "urn:lgsp:contract:note.made:1"},
        {"dataschema": "urn:lgsp:contract:note.made:1.0.0"},
        {"dataschema": "https://a.vn/note.made/1.0"},
        {"dataschema": "urn:lgsp:contract:other.made:1.0"},
        {"subject": ""},
        {"subject": "x" * 257},
        {"subject": 7},
        {"subject": "two\nlines"},
        {"time": "2026-10-12"},
        {"time": "2026-10-12T08:00:00"},
        {"time": "2026-10-12 08:00:00Z x"},
        {"time": "12/10/2026"},
        {"time": "2026-02-30T08:00:00Z"},
        {"time": "2026-10-12T25:00:00Z"},
        {"time": 1760227200},
        {"datacontenttype": "text/plain"},
        {"datacontenttype": "application/cloudevents+json"},
        {"to": ""},
        {"to": f" {RECEIVER}"},
        {"to": f"{RECEIVER} "},
        {"to": f"{RECEIVER}  H33.05"},
        {"to": f"{RECEIVER}\tH33.05"},
        {"to": [RECEIVER]},
        {"bus": "H34.14/lgsp"},
        {"bus": 7},
        {"priority": "high"},
        {"priority": "Urgent"},
        {"priority": 1},
        {"notbefore": "tomorrow"},
        {"notbefore": "2026-10-12T08:00:00"},
        {"expirytime": "2026-10-12"},
        {"expirytime": 5},
        {"purpose": 5},
        {"sealedby": GATEWAY},
        {"originsource": SENDER},
        {"originid": AN_ID},
        {"origindigest": "sha-256:00"},
        {"rulesdigest": "sha-256:00"},
        {"queryid": AN_ID},
        {"querydigest": "sha-256:00"},
    ],
    ids=lambda wrong: "-".join(f"{name}={str(value)[:30]}" for name, value in wrong.items()),
)
def test_an_attribute_that_is_not_as_described_is_malformed(sender: Seat, wrong: dict[str, Any]) -> None:
    answer = post(sender, **wrong)

    assert answer.is_problem("malformed-envelope", 400)
    assert next(iter(wrong)) in answer.json["detail"]


@pytest.mark.parametrize(
    "right",
    [
        {"subject": "ệ" * 256},
        {"subject": "x"},
        {"time": moment(-3600).replace("Z", "+00:00")},
        {"bus": GATEWAY},
        {"priority": "normal"},
        {"priority": "urgent"},
        {"priority": "very-urgent"},
        {"priority": "express"},
        {"purpose": "van-ban"},
        {"correlationid": "cuoc-trao-doi-1", "causationid": str(uuid.uuid4())},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"},
        {"traceparent": "nonsense"},
        {"expirytime": moment(3600)},
        {"notbefore": moment(-3600)},
        {"myextension": "kept", "mynumber": 7, "myflag": True},
    ],
    ids="-".join,
)
def test_an_attribute_as_described_is_taken(sender: Seat, right: dict[str, Any]) -> None:
    assert post(sender, **right).status == 202


def test_a_uuid_compares_without_case_and_is_kept_as_first_sent(sender: Seat) -> None:
    plain = str(uuid.uuid4())
    sent = sender.event(RECEIVER, id=plain.upper())
    first = sender.bus.send(sender.who.seal(sent))
    assert first.json["id"] == plain.upper()

    again = sender.bus.send(sender.who.seal(sent | {"id": plain}))
    assert again.is_problem("conflict", 409)
    for written in (plain, plain.upper()):
        assert sender.message(written)["id"] == plain.upper()


def test_data_is_not_compared_with_the_attributes_nor_deduplicated_by_content(sender: Seat) -> None:
    data = document(issuingOrganId="H33.99", recipients=["G12"])
    first = post(sender, contract="document.issued/1.0", to=SENDER, subject="s", data=data)
    assert first.is_problem("no-subscriber", 422)
    same: dict[str, Any] = {"data": {"text": "source: nobody"}, "subject": "twice"}

    ids = {post(sender, **same).json["id"] for _ in range(2)}
    assert len(ids) == 2


def test_an_envelope_may_have_one_mebibyte_and_no_more(sender: Seat) -> None:
    def sized(size: int) -> str:
        payload = encode(sender.event(RECEIVER, data={"text": "x"}))
        empty = len(sender.who.seal(payload))
        text = "x" * ((size - empty) * 3 // 4 + 3)
        while True:
            envelope = sender.who.seal(payload.replace(b'"text": "x"', b'"text": "' + text.encode() + b'"'))
            if len(envelope) <= size:
                return envelope
            text = text[:-1]

    largest = sized(1024 * 1024)
    assert 1024 * 1024 - len(largest) <= 1

    assert sender.bus.send(largest).status == 202
    assert sender.bus.send(largest + "A" * 2).is_problem("too-large", 413)
    assert sender.bus.send("x" * (5 * 1024 * 1024)).is_problem("too-large", 413)


# secrecy, personal data, contracts, data


@pytest.mark.parametrize("degree", ["mật", "tối mật", "tuyệt mật", "secret", "None", "", 0, ["none"]])
def test_what_says_it_is_secret_stays_off_the_network(sender: Seat, degree: object) -> None:
    assert post(sender, data={"text": "a", "confidentiality": degree}).is_problem("secret-content", 403)


def test_what_says_it_is_not_secret_or_only_speaks_of_secrets_is_taken(sender: Seat) -> None:
    assert post(sender, data={"text": "Quy chế bảo vệ tài liệu TUYỆT MẬT", "confidentiality": "none"}).status == 202


def test_a_document_that_does_not_state_its_confidentiality_violates_its_contract(sender: Seat) -> None:
    data = document()
    del data["confidentiality"]
    answer = post(sender, contract="document.issued/1.0", data=data)

    assert answer.is_problem("contract-violation", 422)
    assert [one["rule"] for one in answer.json["violations"]] == ["required"]


def test_a_personal_contract_needs_the_agreements_purpose(sender: Seat) -> None:
    about: dict[str, Any] = {"contract": "note.personal/1.0"}

    assert post(sender, **about, purpose="giai-quyet-ho-so").status == 202
    assert post(sender, **about, purpose="to-mo").is_problem("no-agreement", 403)
    assert post(sender, **about).is_problem("no-agreement", 403)


def test_a_purpose_that_no_agreement_knows_is_refused_even_where_none_is_needed(sender: Seat) -> None:
    assert post(sender, purpose="to-mo").is_problem("no-agreement", 403)


@pytest.mark.parametrize(
    "contract",
    ["note.unknown/1.0", "note.made/1.1", "note.made/2.0", "receipt.delivered/1.0", "receipt.refused/1.0"],
)
def test_a_contract_that_is_not_published_or_not_for_this_door_is_unknown(sender: Seat, contract: str) -> None:
    assert post(sender, contract=contract).is_problem("unknown-contract", 422)


def test_data_that_the_contract_does_not_allow_is_explained_by_pointer_and_rule(sender: Seat) -> None:
    answer = post(sender, data={"text": 7, "count": -1, "day": "2026-02-30"})

    assert answer.is_problem("contract-violation", 422)
    found = {(one["pointer"], one["rule"]) for one in answer.json["violations"]}
    assert found == {("/text", "type"), ("/count", "minimum"), ("/day", "format")}
    assert all(one["message"] for one in answer.json["violations"])


@pytest.mark.parametrize("data", [7, "a", [], True])
def test_data_of_another_shape_violates_the_contract(sender: Seat, data: object) -> None:
    assert post(sender, data=data).is_problem("contract-violation", 422)


# recipients


def recipients(answer: Answer) -> list[str]:
    assert answer.status == 202, answer
    return sorted(answer.json["recipients"])


def test_an_agency_stands_for_its_systems_that_subscribe(sender: Seat) -> None:
    assert recipients(post(sender, to="H33.07")) == ["H33.07/copy", "H33.07/dms"]
    assert recipients(post(sender, to="H33.07/copy")) == ["H33.07/copy"]


def test_doubles_and_aliases_merge_into_one_delivery_a_system(sender: Seat) -> None:
    to = "H33.07 000.00.07.H33 H33.07/dms 000.00.07.H33/dms H33.07/dms"
    answer = post(sender, to=to)

    assert recipients(answer) == ["H33.07/copy", "H33.07/dms"]
    assert len(sender.message(answer.json["id"])["deliveries"]) == 2


def test_a_form_that_the_registry_does_not_list_is_not_computed_from_another(sender: Seat) -> None:
    answer = post(sender, to="000.00.08.H33")

    assert answer.is_problem("unknown-recipient", 422)
    assert answer.json["recipients"] == ["000.00.08.H33"]


def test_unknown_names_are_listed_as_written_and_nobody_gets_anything(province: Province, sender: Seat) -> None:
    quiet = province.seats["H33.07/copy"]
    subject = f"HS-{uuid.uuid4()}"
    answer = post(sender, to="H33.07/copy H99.01 000.00.07.H33/nothing H33.08 A11", subject=subject)

    assert answer.is_problem("unknown-recipient", 422)
    assert answer.json["recipients"] == ["H99.01", "000.00.07.H33/nothing"]
    assert subject not in [one["event"]["subject"] for one in quiet.lease(500)]


def test_names_that_no_agreement_allows_are_listed_before_those_where_nothing_subscribes(sender: Seat) -> None:
    answer = post(sender, to="H33.07 A11 H33.77/away H33.08 H33.07/idle")
    assert answer.is_problem("no-agreement", 403)
    assert answer.json["recipients"] == ["A11", "H33.77/away"]

    answer = post(sender, to="H33.07 H33.08 H33.07/idle")
    assert answer.is_problem("no-subscriber", 422)
    assert answer.json["recipients"] == ["H33.08", "H33.07/idle"]


def test_the_agreement_of_another_contract_or_another_time_does_not_count(sender: Seat) -> None:
    assert post(sender, contract="other.made/1.0").is_problem("no-agreement", 403)


def test_below_means_by_parent_links_at_any_depth_and_never_by_the_text_of_a_code(sender: Seat) -> None:
    about: dict[str, Any] = {"contract": "note.second/1.0"}

    assert recipients(post(sender, **about, to="H33.07.01")) == ["H33.07.01/deep"]
    assert recipients(post(sender, **about, to="X99.01")) == ["X99.01/odd"]
    assert post(sender, **about, to="H33.07").is_problem("no-agreement", 403)
    assert post(sender, to="H33.77").is_problem("no-agreement", 403)


def test_a_sender_outside_the_agreement_may_send_nothing(province: Province) -> None:
    assert post(province.seats["A11/stranger"], to="H33.07").is_problem("no-agreement", 403)


def test_without_recipients_every_subscriber_that_an_agreement_allows_gets_it_but_the_sender(sender: Seat) -> None:
    expected = ["H33.07/copy", "H33.07/dms", "H33.09/picky"]

    assert recipients(post(sender, to=None)) == expected


def test_without_recipients_and_subscribers_it_is_taken_with_an_empty_list(sender: Seat) -> None:
    answer = post(sender, to=None, contract="note.lost/1.0")

    assert recipients(answer) == []
    assert sender.message(answer.json["id"])["deliveries"] == []


def test_the_own_agency_may_be_named(sender: Seat) -> None:
    assert recipients(post(sender, to="H33.05")) == [SENDER]
    assert recipients(post(sender, to=SENDER)) == [SENDER]


def test_what_is_filtered_out_counts_as_not_subscribed(province: Province, sender: Seat) -> None:
    assert recipients(post(sender, to="H33.09", subject="HS-1")) == ["H33.09/picky"]
    assert post(sender, to="H33.09", subject="VB-1").is_problem("no-subscriber", 422)
    assert post(sender, to="H33.10").is_problem("no-subscriber", 422)
    assert recipients(post(province.seats[RECEIVER], to="H33.10")) == ["H33.10/narrow"]


def test_base64_of_a_chain_is_standard_with_padding(sender: Seat) -> None:
    raw_der = base64.b64decode(sender.who.x5c)
    header = sender.who.header(**{"x5t#S256": None, "x5c": [b64(raw_der)]})

    # where the text is the same in both alphabets, nothing is wrong with it
    same = b64(raw_der) == sender.who.x5c
    assert post(sender, header).status == (202 if same else 400)
