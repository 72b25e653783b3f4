"""The receipt in an answer to GET_BILL: an address, or the file itself as Base64; which member it is, is a setting."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import Any, Final

from gateway.core.content import InMemory
from gateway.core.edxml.attachments import detect
from gateway.core.handover import CollectedFile

_NAME: Final = "bien-lai"
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,1990}\Z")
_HEAD: Final = 8192


def receipt_in(answer: Any, member: str) -> tuple[dict[str, Any], CollectedFile | None] | None:
    """The receipt as a paper, with its file where the answer holds it; None where there is none to be had."""
    for name in member.split("/"):
        answer = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(answer, str) or not answer.strip():
        return None
    text = answer.strip()
    if _ADDRESS.match(text):
        return {"name": _NAME, "link": text}, None
    try:
        content = InMemory(b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        return None
    if content.size == 0:
        return None
    media = detect(content.data[:_HEAD], _NAME)
    name = f"{_NAME}.pdf" if media == "application/pdf" else _NAME
    file = {"name": name, "mediaType": media, "size": content.size, "sha256": content.sha256}
    return {"name": name, "file": file}, CollectedFile(media, content)
