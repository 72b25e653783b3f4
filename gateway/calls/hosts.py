"""Hosts from which an adapter may fetch what outsiders name by address, as settings list them: HOST or HOST:PORT."""

from __future__ import annotations

from collections.abc import Iterable

from yarl import URL


class Hosts:
    """HOST stands for the host at any port, HOST:PORT for that port alone; capital letters make no difference."""

    def __init__(self, listed: Iterable[str]) -> None:
        """``listed`` as the settings have them; none means that nothing is fetched."""
        self._listed = frozenset(each.strip().lower() for each in listed)

    def has(self, address: str) -> bool:
        """Whether it lies with one of them; False of what is no address."""
        try:
            url = URL(address)
            host, port = (url.host or "").lower(), url.port
        except ValueError:
            return False
        # An IPv6 address is listed as it stands in an address: in brackets.
        written = f"[{host}]" if ":" in host else host
        return bool(host) and not {host, written, f"{written}:{port}"}.isdisjoint(self._listed)
