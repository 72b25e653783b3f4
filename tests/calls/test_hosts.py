"""Which hosts a list names: with a port or without, and nothing that only looks like one of them."""

from __future__ import annotations

import pytest

from gateway.calls.hosts import Hosts

LISTED = Hosts(["Tep.Example.vn", "mc.example.vn:8443", "[fd00::1]:8080", "10.1.2.3"])


@pytest.mark.parametrize(
    ("address", "is_listed"),
    [
        ("https://tep.example.vn/1.pdf", True),
        ("http://TEP.example.vn:8080/1.pdf", True),
        ("https://mc.example.vn:8443/1.pdf", True),
        ("https://mc.example.vn/1.pdf", False),
        ("http://[fd00::1]:8080/1.pdf", True),
        ("http://[fd00::1]/1.pdf", False),
        ("http://10.1.2.3/1.pdf", True),
        ("https://tep.example.vn.khac.vn/1.pdf", False),
        ("https://tep.example.vn@khac.vn/1.pdf", False),
        ("https://khac.vn/tep.example.vn", False),
        ("https://khac.vn:99999/", False),
        ("tep.example.vn/1.pdf", False),
        ("", False),
    ],
)
def test_an_address_lies_with_a_listed_host_or_does_not(address: str, is_listed: bool) -> None:
    assert LISTED.has(address) is is_listed
    assert not Hosts([]).has(address)
