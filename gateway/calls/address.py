"""Where an adapter may connect to, judged at connect time on the address itself, so that no name can lie about it."""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from gateway.core.faults import Misconfigured, Text, TransientFailure


class ForbiddenAddress(TransientFailure):
    """The destination's address is one the gateway must not call; its operator has to mend the setting."""


def check_address(host: str, port: int, *, own: frozenset[tuple[str, int]], private_allowed: bool) -> None:
    """Raises ForbiddenAddress for link-local, multicast and unspecified addresses, the gateway's own listeners,
    and private ranges where policy forbids them. Loopback is allowed: agencies may run on the same machine.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    # Python counts ::1 among the reserved ones.
    is_reserved = address.is_reserved and not address.is_loopback
    if address.is_link_local or address.is_multicast or address.is_unspecified or is_reserved:
        raise ForbiddenAddress(f"the address {address} may not be called")
    if _is_own(address, port, own):
        raise ForbiddenAddress(f"the address {address}:{port} is the gateway's own listener")
    if not private_allowed and not address.is_global and not address.is_loopback:
        raise ForbiddenAddress(f"the address {address} is private, and this system's setting forbids those")


def _is_own(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, own: frozenset[tuple[str, int]]) -> bool:
    for host, own_port in own:
        if port != own_port:
            continue
        bound = ipaddress.ip_address(host)
        if bound == address or (bound.is_unspecified and _is_local(address)):
            return True
    return False


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether the address is one of this machine's: only those can be bound."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class CheckedResolver(AbstractResolver):
    """Resolves names and lets only callable addresses through; a name with none left is a temporary failure."""

    def __init__(self, *, own: frozenset[tuple[str, int]], private_allowed: bool) -> None:
        """``own`` are the gateway's own listeners."""
        self._inner = ThreadedResolver()
        self._own = own
        self._private_allowed = private_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of ``host`` that may be called; raises ForbiddenAddress where none may."""
        good: list[ResolveResult] = []
        refused: ForbiddenAddress | None = None
        for found in await self._inner.resolve(host, port, family):
            try:
                check_address(found["host"], port, own=self._own, private_allowed=self._private_allowed)
            except ForbiddenAddress as error:
                refused = error
            else:
                good.append(found)
        if refused is not None and not good:
            raise refused
        return good

    async def close(self) -> None:
        """Let go of the inner resolver."""
        await self._inner.close()


def literal_address(host: str | None) -> str | None:
    """``host`` where it is an IP address written out; a resolver is never asked about those."""
    try:
        return None if host is None else str(ipaddress.ip_address(host))
    except ValueError:
        return None


def is_disguised(host: str) -> bool:
    """Whether ``host`` is an IP address in a form (``2852039166``, ``0177.1``) that no check of ours could read.

    The HTTP client would ask no resolver about it and leave its meaning to the operating system.
    """
    return literal_address(host) is None and host.replace(".", "").isdigit()


def check_url(text: str, where: str) -> str:
    """``text`` where it is an address that can be called; raises Misconfigured naming ``where`` otherwise."""
    try:
        url = URL(text)
        # A port that is no number is found only when it is asked for.
        host = url.host if url.scheme in {"http", "https"} and url.port else None
    except ValueError:
        host = None
    if not host:
        raise Misconfigured(
            where,
            Text("Địa chỉ không có tên máy chủ hoặc cổng dùng được", "The address names no host or no usable port"),
            Text("Ghi dạng https://may-chu/duong-dan", "Write it as https://host/path"),
        )
    if is_disguised(host):
        raise Misconfigured(
            where,
            Text("Địa chỉ IP viết khác thường", "The IP address is written in an unusual form"),
            Text("Ghi đủ bốn số thập phân, ví dụ 10.0.0.5", "Write four decimal numbers, such as 10.0.0.5"),
        )
    return text
