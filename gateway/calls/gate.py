"""Who may call a system's door: proven by where a call comes from, by a secret that it brings, or by both.

The settings are the same for every adapter with a door (``SETTINGS``, to copy into its settings.schema.json). What is
set must hold, all of it: an address and a secret together mean that address with that secret. Only the peer's own
address counts; what a header says about other addresses (X-Forwarded-For) is never believed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from gateway.calls.account import secret_in
from gateway.core.faults import Misconfigured, Rejected, Text
from gateway.core.visit import Call

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The settings of a gate as a fragment of JSON Schema: an adapter's schema has these members just so.
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "callers": {
        "description": "Các dải địa chỉ được phép gọi cửa này (CIDR) - the address ranges that may call this door.",
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "items": {"type": "string", "minLength": 2, "maxLength": 50},
    },
    "caller_header": {
        "description": "Tiêu đề HTTP mang khoá của bên gọi; mặc định Authorization: Bearer - the header field that"
        " brings the caller's secret; Authorization: Bearer where none is named.",
        "type": "string",
        "pattern": "^[A-Za-z0-9-]{1,64}$",
    },
    "caller_secret_file": {
        "description": "Tệp giữ khoá của bên gọi - the file that holds the caller's secret.",
        "type": "string",
        "minLength": 1,
        "maxLength": 1000,
    },
    "caller_user": {
        "description": "Tên của bên gọi khi dùng HTTP Basic - the caller's name where it uses HTTP Basic.",
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
    },
}

_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
#: What a header field with a secret holds at most (characters).
_LONGEST: Final = 4096


class Gate:
    """Proves the callers of one system's door."""

    def __init__(
        self,
        *,
        callers: Iterable[str] = (),
        secret_file: str | None = None,
        header: str | None = None,
        user: str | None = None,
        read_secret: Callable[[str], bytes],
        where: str = "settings",
    ) -> None:
        """``callers`` in CIDR form; the secret comes by HTTP Basic where ``user`` is named, else in ``header``.

        Raises Misconfigured naming ``where`` for what cannot be read, and where nothing is set that proves anybody.
        """
        self._networks = tuple(_network(each, where) for each in callers)
        self._file = secret_file
        self._user = user
        self._header = (header or "authorization").lower()
        self._read_secret = read_secret
        if not self._networks and secret_file is None:
            raise _nobody_proven(where)
        if (header is not None or user is not None) and secret_file is None:
            raise _no_secret(where)
        if header is not None and (user is not None or _NAME.match(header) is None):
            raise _two_ways(where)

    @classmethod
    def of(cls, settings: Mapping[str, Any], read_secret: Callable[[str], bytes], where: str) -> Gate:
        """The gate that a system's settings describe (``SETTINGS``); raises Misconfigured as above."""
        callers, header, secret_file, user = (settings.get(name) for name in SETTINGS)
        return cls(
            callers=callers or (), secret_file=secret_file, header=header, user=user, read_secret=read_secret,
            where=where,
        )  # fmt: skip

    @classmethod
    def if_set(cls, settings: Mapping[str, Any], read_secret: Callable[[str], bytes], where: str) -> Gate | None:
        """The same for an adapter that has a proof of its own: None where the settings ask for no other."""
        return cls.of(settings, read_secret, where) if any(settings.get(name) for name in SETTINGS) else None

    def lets_in(self, call: Call) -> bool:
        """Whether the caller proved itself; raises TransientFailure where the secret's file cannot be read."""
        return self._is_near(call) and self._is_known(call)

    def check(self, call: Call) -> None:
        """Raises Rejected ``unauthenticated`` for who did not prove itself; TransientFailure as above."""
        if not self.lets_in(call):
            raise Rejected(
                "unauthenticated",
                Text(
                    "Bên gọi chưa chứng minh được mình là ai. Bên gọi kiểm tra địa chỉ và khoá đã thống nhất với đơn vị"
                    " vận hành trục.",
                    "The caller did not prove who it is. It must check address and secret as agreed with the operator"
                    " of the bus.",
                ),
            )

    def _is_near(self, call: Call) -> bool:
        if not self._networks:
            return True
        try:
            address = ipaddress.ip_address(call.address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        return any(address in network for network in self._networks)

    def _is_known(self, call: Call) -> bool:
        if self._file is None:
            return True
        secret = secret_in(self._file, self._read_secret)
        given = call.fields.get(self._header, "")[:_LONGEST]
        if self._user is not None:
            return hmac.compare_digest(_basic(given), f"{self._user}:{secret}".encode())
        if self._header == "authorization":
            scheme, _, rest = given.partition(" ")
            given = rest.strip() if scheme.lower() == "bearer" else given
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def _basic(given: str) -> bytes:
    """NAME:SECRET as HTTP Basic brings it; nothing where it is not that."""
    scheme, _, encoded = given.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _network(text: str, where: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise Misconfigured(
            f"{where}: callers",
            Text(f"{text} không phải dải địa chỉ", f"{text} is no address range"),
            Text('Ví dụ đúng: "10.1.2.0/24" hoặc "10.1.2.3".', 'For example: "10.1.2.0/24" or "10.1.2.3".'),
        ) from None


def _nobody_proven(where: str) -> Misconfigured:
    return Misconfigured(
        where,
        Text("Cửa này không có cách nào nhận ra bên gọi", "Nothing proves who calls this door"),
        Text(
            "Ghi callers (dải địa chỉ), hoặc caller_secret_file, hoặc cả hai.",
            "Set callers (address ranges), or caller_secret_file, or both.",
        ),
    )


def _no_secret(where: str) -> Misconfigured:
    return Misconfigured(
        f"{where}: caller_secret_file",
        Text("Thiếu tệp giữ khoá của bên gọi", "The file with the caller's secret is missing"),
        Text(
            "caller_header và caller_user chỉ dùng cùng caller_secret_file.",
            "caller_header and caller_user need caller_secret_file.",
        ),
    )


def _two_ways(where: str) -> Misconfigured:
    return Misconfigured(
        f"{where}: caller_header",
        Text("Tên tiêu đề không dùng được, hoặc ghi cùng caller_user", "No usable name, or beside caller_user"),
        Text(
            "Ghi tên một tiêu đề như X-API-Key, hoặc caller_user để dùng HTTP Basic; không ghi cả hai.",
            "Name a header field such as X-API-Key, or caller_user for HTTP Basic; not both.",
        ),
    )
