"""What a sender claims of an attachment by its name, held against what it is: each untruth and each danger is told.

Deliberately silent: names of any length up to what file systems hold, blanks, brackets and Vietnamese in them; another
type in the manifest than at the content; ``cid:`` before an id on one side alone; the layer of ZIP that the axis' own
software puts around files. Nothing is changed: a name travels as it was written, the receiver is warned.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from gateway.core.content import Weighed
from gateway.core.edxml.attachments import OLD_OFFICE, PACKAGES, PDF, ZIP, Warn, extension
from gateway.core.edxml.inflow import HEAD
from gateway.core.edxml.parse import EDXML
from gateway.core.edxml.values import Attachment

#: What the bytes must be where the name ends so.
_NAMED: Final[dict[str, str]] = {
    "pdf": PDF,
    "zip": ZIP,
    "rtf": "application/rtf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    **PACKAGES,
}
#: What no file of old office software is; text, HTML, XML and RTF under such a name are everyday.
_NOT_OLD_OFFICE: Final = frozenset(_NAMED.values()) - {"application/rtf"} | {
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/gzip",
}
#: File systems take names of so many bytes.
_LONGEST_NAME: Final = 255
_PATH: Final = re.compile(r"[/\\\x00]|\A\.{1,2}\Z|\A[A-Za-z]:")
_ROOT: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?edXML[\s>/]", re.IGNORECASE)


def tell_claims(attachment: Attachment, listed_name: str | None, warn: Warn) -> None:
    """Call ``warn`` for what the name of ``attachment`` claims falsely, and for what it might do to a receiver.

    ``listed_name``: what the manifest calls it, if it does.
    """
    name = attachment.name
    if listed_name is not None and listed_name != name:
        warn("differing-names", value=listed_name, taken=name)
    if _PATH.search(name):
        warn("path-in-name", value=name)
    if any(unicodedata.category(letter) in {"Cc", "Cf"} for letter in name):
        warn("hidden-letters-in-name", value=name)
    if (length := len(name.encode())) > _LONGEST_NAME:
        warn("long-name", value=length)
    if attachment.broken:
        return
    if _lies(attachment):
        warn("untrue-name", value=extension(name), taken=attachment.detected_type)
    if _is_message(attachment):
        warn("nested-edxml")


def _lies(attachment: Attachment) -> bool:
    ending, actual = extension(attachment.name), attachment.detected_type
    if ending in OLD_OFFICE:
        return actual in _NOT_OLD_OFFICE
    return _NAMED.get(ending, actual) != actual


def _is_message(attachment: Attachment) -> bool:
    """Whether the file is itself an edXML message."""
    # What was only weighed cannot be looked into.
    if attachment.detected_type not in {"application/xml", "text/plain"} or isinstance(attachment.content, Weighed):
        return False
    with attachment.content.open() as file:
        head = file.read(HEAD)
    return _ROOT.search(head) is not None and EDXML.encode() in head
