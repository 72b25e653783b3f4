"""How vendors pack what is attached: raw, or as a ZIP with one entry of an odd name."""

from __future__ import annotations

import base64
import io
import random
import uuid
import zipfile
from typing import Final

from gateway.core.content import whole
from gateway.core.edxml.values import Attachment

#: Kinds that the official software leaves as they are, and what it calls them.
RAW: Final = {"pdf": "application/pdf", "doc": "application/doc", "docx": "application/docx"}


def zipped(content: bytes, extension: str, chance: random.Random) -> bytes:
    """A ZIP with one entry, named by chance with the extension of the file."""
    packed = io.BytesIO()
    name = f"{uuid.UUID(int=chance.getrandbits(128), version=4)}.{extension or 'bin'}"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6)), content)
    return packed.getvalue()


def as_the_kit_packs(one: Attachment, chance: random.Random) -> tuple[str, bytes]:
    """The type declared and the bytes sent, by the rule of the official software: by the name's extension alone."""
    extension = one.name.rpartition(".")[2].casefold() if "." in one.name else ""
    content = whole(one.content)
    if extension in RAW:
        return RAW[extension], content
    plain = extension if extension.isascii() and extension.isalnum() else "bin"
    return "application/zip", zipped(content, plain, chance)


def encoded(data: bytes, chance: random.Random) -> str:
    """Base64, in lines or in one."""
    return (base64.encodebytes(data) if chance.random() < 0.5 else base64.b64encode(data)).decode().strip()
