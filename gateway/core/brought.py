"""A message made of what a far side said in its own words: the same thing said again is the same message. Pure."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.contract import dataschema_of
from gateway.core.faults import Text
from gateway.core.handover import Collected, CollectedFile
from gateway.core.moments import format_moment

#: Why personal data of a one-stop dossier passes, where the settings say nothing else.
PURPOSE: Final = "giai-quyet-tthc"
_LONGEST_SUBJECT: Final = 256


@dataclass(frozen=True, slots=True)
class Bringer:
    """Whose words they are: the adapter's name, the system's, the purpose of what it brings and for whom it is.

    ``to``: agency codes; empty means every subscriber that an agreement lets.
    """

    tongue: str
    system: str
    purpose: str = PURPOSE
    to: tuple[str, ...] = ()

    @classmethod
    def of(cls, tongue: str, system: str, settings: Mapping[str, Any]) -> Bringer:
        """As the settings ``purpose`` and ``to`` say."""
        return cls(tongue, system, str(settings.get("purpose", PURPOSE)), tuple(settings.get("to", ())))

    def message(
        self,
        contract: str,
        version: str,
        data: Mapping[str, Any],
        *,
        subject: str,
        identity: Sequence[str],
        now: float,
        files: tuple[CollectedFile, ...] = (),
        warnings: tuple[Text, ...] = (),
        token: str = "",
        thing: str = "",
    ) -> Collected:
        """The message; id and origin follow from contract, system and ``identity`` (what makes the thing itself) alone.

        ``now``: seconds since 1970. ``token``: the adapter's name for it; the origin where it has none. ``thing``: what
        it is, in place of the contract, where the same words may mean something else once the bus knows more: they
        stay one message.
        """
        what = [self.tongue, self.system, thing or contract, *identity]
        origin = hashlib.sha256("\x00".join(what).encode()).hexdigest()
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:lgsp:{self.tongue}:{self.system}:{origin}")),
            "type": contract,
            "dataschema": dataschema_of(contract, version),
            "subject": subject[:_LONGEST_SUBJECT],
            "time": format_moment(now),
            "datacontenttype": "application/json",
            "purpose": self.purpose,
            "data": dict(data),
        }
        if self.to:
            event["to"] = " ".join(self.to)
        return Collected(token or origin, event, origin, files, warnings)
