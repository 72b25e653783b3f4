"""What an adapter is given in tests: a context with known keys and secrets, and parcels as the relay makes them."""

from __future__ import annotations

import base64
import io
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.core.directory import System
from gateway.core.dossiers.dossier import Dossier
from gateway.core.envelope import seal
from gateway.core.jws import Signer
from gateway.ports import AdapterContext, Parcel

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four.").decode()
SECRET_FILE = "keys/H33.16-dms.hook"
WEBHOOK = Signer(Ed25519PrivateKey.from_private_bytes(b"w" * 32), "EdDSA", "t" * 43, "webhook")
SENDER = Signer(Ed25519PrivateKey.from_private_bytes(b"s" * 32), "EdDSA", "s" * 43)
#: Stands in the message's data, and so must never stand in an error or a log line.
CONTENT = "Nội dung chỉ người nhận được đọc"


@dataclass(slots=True)
class Hands:
    """What a test holds on to: the time, the files that messages name, the gateway's own listeners."""

    folder: Path
    moment: float = field(default_factory=time.time)
    files: dict[str, bytes] = field(default_factory=dict)
    own: frozenset[tuple[str, int]] = frozenset({("127.0.0.1", 1)})
    broker_url: str = "local"
    #: What the gateway knows of dossiers, by code.
    dossiers: dict[str, Dossier] = field(default_factory=dict)

    async def dossier(self, code: str) -> Dossier | None:
        """A dossier; None of an unknown one."""
        return self.dossiers.get(code)

    def link(self, sha256: str, name: str) -> str:
        """Where a file may be fetched."""
        return f"https://lgsp.example.vn/files/{sha256}/{quote(name)}"

    def read_secret(self, path: str) -> bytes:
        """The secret of the webhook, or a file that a stand-in wrote below the folder."""
        return f"{SECRET}\n".encode() if path == SECRET_FILE else (self.folder / path).read_bytes()

    def open_file(self, sha256: str) -> BinaryIO:
        """A file; raises FileNotFoundError as a spool does."""
        if sha256 not in self.files:
            raise FileNotFoundError(2, "No such file or directory", f"{self.folder}/{sha256}")
        return io.BytesIO(self.files[sha256])

    def context(self, adapter: str, settings: Mapping[str, Any], **of_system: Any) -> AdapterContext:
        """A context for system H33.16/dms, which shares a webhook secret with the bus."""
        made: dict[str, Any] = {"sealing": "gateway", "webhook_secret_file": SECRET_FILE, **of_system}
        return AdapterContext(
            system=System("H33.16/dms", "H33.16", adapter, settings=settings, **made),
            settings=settings,
            folder=self.folder,
            user_agent="lgsp/test",
            webhook_signer=WEBHOOK,
            read_secret=self.read_secret,
            open_file=self.open_file,
            own_addresses=self.own,
            now=lambda: self.moment,
            broker_url=lambda: self.broker_url,
            link=self.link,
            dossier=self.dossier,
        )


def an_event(**override: Any) -> dict[str, Any]:
    """A document on its way to H33.16; ``None`` leaves a member out."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": "0193c0de-0000-7000-8000-000000000001",
        "source": "H33.05/dms",
        "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:1.0",
        "subject": "H33.05,2026/11/23,12/STC-VP",
        "time": "2026-11-23T01:00:00Z",
        "datacontenttype": "application/json",
        "to": "H33.16",
        "data": {
            "documentId": "H33.05,2026/11/23,12/STC-VP",
            "symbol": "12/STC-VP",
            "issuingOrganId": "H33.05",
            "recipients": ["H33.16"],
            "subject": CONTENT,
            "confidentiality": "none",
        },
        **override,
    }
    return {name: value for name, value in made.items() if value is not None}


def a_parcel(context: AdapterContext, name: str | int = 1, **override: Any) -> Parcel:
    """The first attempt of the delivery told apart by ``name``; the event may be overridden as ``event``."""
    event = override.pop("event", None) or an_event()
    form = override.get("format", "jws")
    made: dict[str, Any] = {
        "delivery": str(uuid.uuid5(uuid.NAMESPACE_URL, f"delivery {name}")),
        "message": event["id"],
        "attempt": 1,
        "recipient": context.system,
        "body": seal(event, SENDER) if form == "jws" else json.dumps(event).encode(),
        "event": event,
        "format": form,
        "is_translated": False,
        **override,
    }
    return Parcel(**made)
