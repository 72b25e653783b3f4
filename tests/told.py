"""Lines of the register of dossiers, sensible by default: a message that says something of a dossier, and its head."""

from __future__ import annotations

from typing import Any

from gateway.core.dossiers.dossier import Head
from gateway.core.dossiers.event import DossierEvent
from gateway.ports import NewMessage
from tests.build import MORNING, a_message

CODE = "H33.16-261012-0007"
LEAD, NEXT = "H33.16", "H33.05"


def an_event(kind: str = "registered", **override: Any) -> DossierEvent:
    """What a message of LEAD says of the dossier CODE."""
    code = override.get("code", CODE)
    made: dict[str, Any] = {
        "kind": kind, "code": code, "written": code, "agency": LEAD, "recipients": (NEXT,), "said_at": MORNING - 60.5,
        "sent_at": MORNING - 1,
    }  # fmt: skip
    return DossierEvent(**{**made, **override})


def a_telling(name: str | int = "told", *, of: DossierEvent | None = None, **override: Any) -> NewMessage:
    """A message that speaks of a dossier; fields of the message."""
    event = an_event() if of is None else of
    made: dict[str, Any] = {"type": f"dossier.{event.kind}", "source": f"{event.agency}/dms", "dossier": event}
    return a_message(name, **{**made, **override})


def a_head(place: int, code: str = CODE, **override: Any) -> Head:
    """Where a dossier stands by the line at ``place``."""
    made: dict[str, Any] = {
        "code": code, "written": code, "lead": LEAD, "status": 2, "status_at": MORNING, "procedure": "1.001234",
        "channel": "online", "parent": "", "received_at": MORNING, "due": MORNING + 86400, "finished_at": None,
        "flags": (), "next_look": MORNING + 86400, "place": place,
    }  # fmt: skip
    return Head(**{**made, **override})
