"""The checksum of notices and requests, computed as the gateway's guide says: how that is stands in the settings."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.calls.account import secret_in


@dataclass(frozen=True, slots=True)
class Checksum:
    """One way to compute it; the secret is read at the moment of use."""

    settings: Mapping[str, Any]
    read_secret: Callable[[str], bytes]

    def fits(self, said: Mapping[str, Any], given: Any) -> bool:
        """Whether ``given`` is the checksum of a notice, compared in constant time.

        Raises TransientFailure where the secret cannot be read.
        """
        right = self._computed([said.get(name) for name in self.settings["fields"]])
        offered = given.strip().lower() if isinstance(given, str) else ""
        return hmac.compare_digest(offered.encode("utf-8", "surrogatepass"), right.encode())

    def of(self, message: Mapping[str, Any]) -> str:
        """The checksum of a message of ours. Raises TransientFailure as above."""
        names: Sequence[str] = self.settings.get("request_fields") or [
            name for name, value in message.items() if isinstance(value, str)
        ]
        made = self._computed([message.get(name) for name in names])
        return made.upper() if self.settings.get("letters") == "upper" else made

    def _computed(self, values: Sequence[Any]) -> str:
        settings = self.settings
        secret = secret_in(str(settings["secret_file"]), self.read_secret)
        texts = [plain(value) for value in values]
        separator = str(settings.get("separator", "|"))
        if settings["algorithm"] == "hmac-sha256":
            return hmac.digest(secret.encode(), _bytes(separator.join(texts)), "sha256").hex()
        texts = [secret, *texts] if settings.get("secret_at") == "start" else [*texts, secret]
        # The gateway's choice, not ours: where it is md5, the README says to guard the door by address besides.
        made = hashlib.new(settings["algorithm"], _bytes(separator.join(texts)), usedforsecurity=False)
        return made.hexdigest()


def plain(value: Any) -> str:
    """A member as text, as the sender most likely joined it; nothing of what is no single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
