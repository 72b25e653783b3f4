"""Files inside a document as base64: lifted out piece by piece, told by their own bytes, put in their papers' place."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any, Final

from adapters.onestop_wso2.meaning import Senseless
from gateway.core.content import Content, NewSink
from gateway.core.faults import Text
from gateway.core.handover import CollectedFile
from gateway.core.lifting import Lifted, from_base64
from gateway.core.wire_record import name_in

_LIST: Final = "Attachments"
_TEXT: Final = "Base64"
_SIGNS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
_ANY: Final = "application/octet-stream"


def files_of(lifted: Lifted, place: tuple[int, ...], most: int, new_sink: NewSink) -> dict[int, CollectedFile]:
    """The files of the document at ``place`` by the positions of their papers; raises Senseless.

    ``most``: bytes of one file. Blocks: for a thread.
    """
    said = lifted.value
    for position in place:
        said = said[position]
    name = _called(said, _LIST)
    papers = None if name is None else said[name]
    found: dict[int, CollectedFile] = {}
    for position, paper in enumerate(_listed(papers)):
        member = _called(paper, _TEXT) if isinstance(paper, dict) else None
        if name is None or member is None:
            continue
        within = (position,) if isinstance(papers, list) else ()
        text = lifted.text(*place, name, *within, member)
        if text is not None and text.size:
            found[position] = _file(text, paper, position, most, new_sink)
    return found


def marked(said: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a mark of its position in each paper in place of its bytes."""
    name = _called(said, _LIST)
    made = {key: value for key, value in said.items() if key == name or key.casefold() != _LIST.casefold()}
    if name is None or not isinstance(said[name], list | dict):
        return made
    made[name] = [
        {**{key: value for key, value in paper.items() if key.casefold() != _TEXT.casefold()}, _TEXT: f"#{position}"}
        if isinstance(paper, dict)
        else paper
        for position, paper in enumerate(_listed(said[name]))
    ]
    return made


def placed(item: dict[str, Any], files: Mapping[int, CollectedFile]) -> list[str]:
    """Name the files in the papers of a tidy document; a paper without a name is called as its place says.

    The digests, in order: with the document they are what makes it itself. Raises Senseless for papers that are a list
    in a text: their bytes cannot be lifted.
    """
    for paper in item.get(_LIST, ()):
        mark = str(paper.pop(_TEXT, ""))
        if not mark.startswith("#"):
            raise Senseless(_NO_LIST)
        position = int(mark[1:])
        paper.setdefault("AttachmentName", f"Tệp {position + 1}")
        if (file := files.get(position)) is not None:
            paper["@file"] = {
                "name": paper["AttachmentName"][-500:], "mediaType": file.media_type, "size": file.size,
                "sha256": file.sha256,
            }  # fmt: skip
    return [file.sha256 for _, file in sorted(files.items())]


def _called(said: Mapping[str, Any], wanted: str) -> str | None:
    """The member of this name in any casing; the exact one wins."""
    if wanted in said:
        return wanted
    return next((name for name in said if name.casefold() == wanted.casefold()), None)


def _listed(papers: Any) -> list[Any]:
    if isinstance(papers, dict):
        return [papers]
    return papers if isinstance(papers, list) else []


def _file(text: Content, paper: Mapping[str, Any], position: int, most: int, new_sink: NewSink) -> CollectedFile:
    if text.size // 4 * 3 > most:
        raise Senseless(_too_large(position, most))
    try:
        content = from_base64(text, new_sink)
    except ValueError:
        raise Senseless(_no_base64(position)) from None
    with content.open() as opened:
        head = opened.read(16)
    told = str(name_in(paper, "AttachmentName") or "")
    media_type = next((kind for sign, kind in _SIGNS if head.startswith(sign)), None)
    return CollectedFile(media_type or mimetypes.guess_type(told)[0] or _ANY, content)


def _too_large(position: int, most: int) -> Text:
    return Text(
        f"Tệp thứ {position + 1} lớn hơn {most >> 20} MiB. Phần mềm một cửa cần giảm dung lượng tệp rồi gửi lại.",
        f"File {position + 1} is over {most >> 20} MiB. The one-stop software must make it smaller and send again.",
    )


def _no_base64(position: int) -> Text:
    return Text(
        f"Base64 của tệp thứ {position + 1} bị hỏng. Phần mềm một cửa cần gửi lại nguyên tệp.",
        f"The Base64 of file {position + 1} is broken. The one-stop software must send the whole file again.",
    )


_NO_LIST: Final = Text(
    "Attachments phải là danh sách JSON, không phải chuỗi. Phần mềm một cửa cần sửa rồi gửi lại.",
    "Attachments must be a list of JSON, not a text. The one-stop software must mend it and send again.",
)
