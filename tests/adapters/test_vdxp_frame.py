"""The frame of the axis' kit: signed as OpenSSL says it is, and whatever is out of shape is noticed by the axis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vdxp import signing
from adapters.vdxp.axis import frame as axis

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "vdxp"
SECRET = "Khoá bí mật 2026"
NOW = 1795395600.456
LIST = {"servicetype": "eDoc", "messagetype": "edoc"}


def text(name: str) -> str:
    return (VECTORS / name).read_text("utf-8").strip()


def a_frame(parameters: dict[str, str] | None = None, *, secret: str = SECRET) -> dict[str, str]:
    return signing.frame(LIST if parameters is None else parameters, system="00.33.W00", secret=secret.encode(), at=NOW)


def arrived(fields: dict[str, str]) -> dict[str, str]:
    """Header fields as a server has them."""
    return {name.lower(): value for name, value in fields.items()}


# ---------------------------------------------------------------------------------------------- golden vectors


def test_a_list_is_asked_for_with_the_text_and_the_hash_of_another_program() -> None:
    made = a_frame()
    assert made["XroadVnpt-sign-header"] == text("list.sign-header")
    assert made["XroadVnpt-hash-header"] == text("list.hash-header")
    assert made["XroadVnpt-sign-header-key"] == "Content-Type;systemid;timestamp;servicetype;messagetype"


def test_a_document_is_handed_in_with_the_text_and_the_hashes_of_another_program() -> None:
    digest = hashlib.sha256((VECTORS / "file.edxml").read_bytes()).hexdigest()
    made = signing.frame(
        {
            "from": "H33.05",
            "servicetype": "eDoc",
            "messagetype": "edoc",
            "to": '["G22","000.00.00.G12"]',
            "hash-file": signing.file_hash(digest),
        },
        system="00.33.W00",
        secret=SECRET.encode(),
        at=1801501199.007,
        content_type="application/octet-stream",
    )
    assert made["XroadVnpt-hash-file"] == text("file.hash-file")
    assert made["XroadVnpt-sign-header"] == text("send.sign-header")
    assert made["XroadVnpt-hash-header"] == text("send.hash-header")


def test_the_axis_in_small_agrees_with_the_other_program() -> None:
    assert axis.odd_hash((VECTORS / "file.edxml").read_bytes()) == text("file.hash-file")


def test_what_the_kit_adds_after_signing_is_there() -> None:
    made = a_frame()
    assert made["XroadVnpt-version"] == "3.0.201608"
    assert made["User-Agent"] == "JAVASDKAgent/1.0.0 XRoad/VPCP"
    assert made["Content-Type"] == made["XroadVnpt-Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (1795395600.456, "23112026T080000+0456"),
        (1801501199.007, "01022027T235959+0007"),
        (1795395600.0, "23112026T080000+0000"),
        (1795395600.9996, "23112026T080000+0999"),
    ],
)
def test_a_timestamp_is_local_time_a_plus_and_four_digits_of_milliseconds(at: float, written: str) -> None:
    assert signing.timestamp(at) == written


# ------------------------------------------------------------------------------------- header fields are safe


@given(st.dictionaries(st.sampled_from(["from", "to", "status", "docId"]), st.text(max_size=40)))
def test_no_value_breaks_out_of_its_header_field(parameters: dict[str, str]) -> None:
    try:
        made = a_frame(parameters)
    except ValueError:
        assert any(not value.isprintable() for value in parameters.values())
        return
    assert all(value.isprintable() for value in made.values())
    assert "\n" not in "".join(made.values())


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\x00b", "a\x85b", "a\u2028b", "\t"])
def test_a_line_break_in_a_parameter_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="docId cannot stand in a header field"):
        a_frame({"docId": value})


@given(st.text(), st.sampled_from(["percent", "ascii", "utf-8"]), st.integers(0, 200))
def test_a_text_is_worded_within_its_room_and_in_one_line(said: str, wording: signing.Wording, room: int) -> None:
    worded = signing.worded(said, wording, room)
    assert len(worded.encode()) <= room
    assert worded.isprintable()
    assert wording == "utf-8" or worded.isascii()


def test_a_vietnamese_text_comes_back_from_percents_and_loses_its_marks_in_ascii() -> None:
    said = "Đơn vị cần sửa: 100%\r\nrồi gửi lại"
    assert signing.worded(said, "utf-8", 200) == "Đơn vị cần sửa: 100% rồi gửi lại"
    assert signing.worded(said, "percent", 200).startswith("%C4%90%C6%A1n v%E1%BB%8B c%E1%BA%A7n")
    assert "100%25 r" in signing.worded(said, "percent", 200)
    assert signing.worded(said, "ascii", 200) == "Don vi can sua: 100% roi gui lai"


def test_a_text_is_cut_between_characters() -> None:
    assert signing.worded("ầầ", "percent", 17) == "%E1%BA%A7"


@pytest.mark.parametrize("code", ["", "a b", "mã", "a\r\nb", "x" * 201, "a\tb"])
def test_codes_that_cannot_stand_in_a_header_field_are_known(code: str) -> None:
    assert not signing.is_plain(code)
    assert signing.is_plain("000.00.05.H33")


# ----------------------------------------------------------------------------------------- the axis is strict


def judged(fields: dict[str, str], name: str = "getReceivedEdocList", method: str = "POST") -> axis.Frame:
    return axis.judged(name, method, arrived(fields), {"00.33.W00": SECRET}, frozenset())


def test_a_sound_frame_passes_and_gives_its_parameters() -> None:
    assert judged(a_frame()) == axis.Frame("00.33.W00", LIST)


def resigned(change: Callable[[dict[str, str]], None]) -> dict[str, str]:
    """A frame whose signed pairs were changed before signing, by code of this test's own."""
    made = a_frame()
    pairs: dict[str, str] = json.loads(made["XroadVnpt-sign-header"])
    for name in pairs:
        del made[name]
    change(pairs)
    signed = json.dumps(pairs, separators=(",", ":"))
    made.update(pairs)
    made["XroadVnpt-sign-header"] = signed
    made["XroadVnpt-sign-header-key"] = ";".join(name.removeprefix("XroadVnpt-") for name in pairs)
    made["XroadVnpt-hash-header"] = hashlib.sha256(b"").hexdigest()
    made["XroadVnpt-hash-header"] = _hmac(SECRET.encode(), signed.encode())
    return made


def _hmac(key: bytes, said: bytes) -> str:
    """HMAC by its definition (RFC 2104)."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + said).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()


def drop(name: str) -> Callable[[dict[str, str]], None]:
    def change(pairs: dict[str, str]) -> None:
        del pairs[f"XroadVnpt-{name}"]

    return change


def put(name: str, value: str) -> Callable[[dict[str, str]], None]:
    return lambda pairs: pairs.update({f"XroadVnpt-{name}": value})


def test_this_tests_own_way_of_signing_is_sound() -> None:
    assert judged(resigned(lambda _: None)).parameters == LIST


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (drop("systemid"), "missing: systemid"),
        (drop("timestamp"), "missing: timestamp"),
        (drop("messagetype"), "lacks messagetype"),
        (drop("Content-Type"), "missing: Content-Type"),
        (put("docId", "1"), "does not know docId"),
        (put("Content-Type", "text/plain"), "Content-Type of"),
        (put("timestamp", "23112026T080000+456"), "timestamp is not"),
        (put("timestamp", "23112026T080000.0456"), "timestamp is not"),
        (put("timestamp", "2026-11-23T08:00:00Z"), "timestamp is not"),
        (put("timestamp", "31022026T080000+0456"), "timestamp is no moment"),
        (put("timestamp", "23112026T080000+1456"), "timestamp is not"),
    ],
)
def test_a_signed_frame_of_another_shape_is_refused(change: Callable[[dict[str, str]], None], why: str) -> None:
    with pytest.raises(axis.BadFrame, match=why):
        judged(resigned(change))


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ({"XroadVnpt-version": "2"}, "version"),
        ({"User-Agent": "aiohttp"}, "User-Agent"),
        ({"XroadVnpt-messagetype": "status"}, "not as signed"),
        ({"XroadVnpt-extra": "1"}, "not signed: extra"),
        ({"XroadVnpt-sign-header-key": "systemid"}, "sign-header-key"),
        ({"XroadVnpt-sign-header": "{}x"}, "no JSON"),
        ({"XroadVnpt-sign-header": "[]"}, "sign-header-key"),
        ({"XroadVnpt-sign-header": '{"XroadVnpt-a":1}'}, "object of texts"),
        ({"XroadVnpt-sign-header": '{"a":"1"}'}, "no XroadVnpt field"),
        ({"XroadVnpt-hash-header": "A" * 64}, "lower-case hex"),
        ({"Content-Type": "text/plain"}, "Content-Type of"),
        ({"XroadVnpt-description": "mã"}, "printable ASCII"),
        ({"XroadVnpt-description": "x" * 9000}, "too long"),
    ],
)
def test_fields_that_differ_from_what_was_signed_are_refused(override: dict[str, str], why: str) -> None:
    with pytest.raises(axis.BadFrame, match=why):
        judged({**a_frame(), **override})


@pytest.mark.parametrize("name", ["sign-header", "sign-header-key", "hash-header", "version"])
def test_a_missing_field_of_the_signature_is_refused(name: str) -> None:
    made = a_frame()
    del made[f"XroadVnpt-{name}"]
    with pytest.raises(axis.BadFrame):
        judged(made)


def test_another_secret_or_an_unknown_system_is_refused_as_wrong_credentials() -> None:
    with pytest.raises(axis.BadCredentials):
        judged(a_frame(secret="another"))
    with pytest.raises(axis.BadCredentials):
        judged(resigned(put("systemid", "99.99.W00")))


def test_a_call_by_another_method_is_refused() -> None:
    with pytest.raises(axis.BadFrame, match="is called with POST"):
        judged(a_frame(), method="GET")
