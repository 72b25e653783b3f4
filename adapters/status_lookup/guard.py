"""Who asks too much: by address, by code, and all together. Counted in memory, in each process for itself.

Wrong secrets count by address and by code, whether or not there is such a dossier: a limit must not tell. While a
code's limit is passed the right secret is no better than a wrong one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.core.faults import Misconfigured, Text
from gateway.core.paces import Paces
from gateway.core.rate import Rate
from gateway.core.visit import Call

#: Addresses and codes that are remembered each.
REMEMBERED: Final = 20_000
#: One owner of an IPv6 line has all of this.
_PREFIX: Final = 64
_MOST_HOPS: Final = 20


class Guard:
    """The limits of one door."""

    def __init__(self, settings: Mapping[str, Any], where: str) -> None:
        """Raises Misconfigured for ``proxies`` that are no address ranges."""
        self._proxies = tuple(_networks(settings.get("proxies", ()), where))
        per_address = int(settings.get("per_address_minute", 30))
        per_minute = int(settings.get("per_minute", 600))
        by_code = int(settings.get("failures_per_code_hour", 5))
        by_address = int(settings.get("failures_per_address_hour", 20))
        self._all = Paces(Rate(per_minute, per_minute), 1)
        self._addresses = Paces(Rate(per_address, per_address), REMEMBERED)
        self._wrong_codes = Paces(Rate(by_code / 60, by_code), REMEMBERED)
        self._wrong_addresses = Paces(Rate(by_address / 60, by_address), REMEMBERED)

    def who(self, call: Call) -> str:
        """Whom a call counts for: its address, or the one that a proxy of ours tells; of IPv6 the network."""
        address = _address(call.address)
        if address is not None and any(address in proxy for proxy in self._proxies):
            hops = call.fields.get("x-forwarded-for", "").rsplit(",", _MOST_HOPS)
            # The last that is no proxy of ours is whom the outermost of ours saw; what stands before it anybody wrote.
            told = [_address(each) for each in reversed(hops)]
            address = next((a for a in told if a is None or not any(a in proxy for proxy in self._proxies)), address)
        if address is None:
            return "?"
        if address.version == 6:
            return str(ipaddress.ip_network((address, _PREFIX), strict=False))
        return str(address)

    def wait(self, who: str, now: float) -> float:
        """Seconds until whoever asks may; 0.0: it may, and has."""
        return self._addresses.take(who, now) or self._all.take("", now)

    def guess(self, who: str, code: str, now: float) -> float:
        """Seconds until this address may try a secret for this code; 0.0: it may, and it counts as a wrong one.

        Counted before it is looked at: to try many at once is no way around the limit.
        """
        if wait := self._wrong_codes.take(code, now):
            return wait
        if wait := self._wrong_addresses.take(who, now):
            self._wrong_codes.give_back(code)
        return wait

    def was_right(self, who: str, code: str) -> None:
        """The secret was right: it does not count."""
        self._wrong_codes.give_back(code)
        self._wrong_addresses.give_back(who)


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def _networks(ranges: Iterable[str], where: str) -> Iterable[Network]:
    for each in ranges:
        try:
            yield ipaddress.ip_network(each)
        except ValueError:
            raise Misconfigured(
                f"{where}.proxies",
                Text(f"{each} không phải dải địa chỉ", f"{each} is no address range"),
                Text('Ví dụ đúng: "10.1.2.3" hoặc "10.1.2.0/24".', 'For example: "10.1.2.3" or "10.1.2.0/24".'),
            ) from None
