"""Base64 read in pieces: what it says, what is wrong with it, and that how it was cut makes no difference."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.base64_text import Base64Text, NotBase64


def read(pieces: list[bytes], *, takes_url: bool = False, may_lack_padding: bool = False) -> bytes | None:
    """What the pieces say; None where they are no base64."""
    found: list[bytes] = []
    text = Base64Text(found.append, takes_url=takes_url, may_lack_padding=may_lack_padding)
    try:
        for piece in pieces:
            text.feed(piece)
        text.end()
    except NotBase64:
        return None
    return b"".join(found)


def cut(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@given(st.binary(max_size=100), st.integers(1, 9))
def test_what_was_encoded_comes_back(data: bytes, size: int) -> None:
    assert read(cut(base64.b64encode(data), size)) == data
    assert read(cut(base64.encodebytes(data), size)) == data
    plain = base64.urlsafe_b64encode(data).rstrip(b"=")
    assert read(cut(plain, size), takes_url=True, may_lack_padding=True) == data


@given(st.text(alphabet="AQYgw01+/-_= \r\n*", max_size=24).map(str.encode), st.integers(1, 9), st.booleans())
def test_how_it_was_cut_makes_no_difference(text: bytes, size: int, lenient: bool) -> None:
    whole = read([text], takes_url=lenient, may_lack_padding=lenient)
    assert read(cut(text, size), takes_url=lenient, may_lack_padding=lenient) == whole


@pytest.mark.parametrize("text", [b"YWJ", b"YW=jYWJj", b"YQ==YWJj", b"YW*j", "Vă=".encode(), b"YQ=", b"Y", b"-_-_"])
def test_what_is_no_base64_is_told(text: bytes) -> None:
    assert read(cut(text, 4)) is None
    assert read([text]) is None


@pytest.mark.parametrize("text", [b"Y", b"YWJjY", b"YQ==YQ", b"=", b"YQ=a"])
def test_padding_may_be_left_out_and_nothing_else(text: bytes) -> None:
    assert read(cut(text, 3), may_lack_padding=True) is None
