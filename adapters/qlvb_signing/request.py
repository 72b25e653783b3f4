"""What goes to be signed, as one body: the words by rules, the files as Base64 written piece by piece.

Nothing large is held in memory: the body is written into a sink, and each file read from the spool as it is written.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from gateway.calls.wire import Wire
from gateway.core.content import Content, NewSink, pieces
from gateway.core.faults import PermanentFailure, TransientFailure

Variant = Literal["gui-ho-so", "hau-giang"]
_WIRES: Final[Mapping[Variant, str]] = {"gui-ho-so": "request", "hau-giang": "request-hau-giang"}


@dataclass(frozen=True, slots=True)
class Held:
    """A file of the message, where the bus keeps it."""

    size: int
    sha256: str
    opener: Callable[[str], BinaryIO]

    def open(self) -> BinaryIO:
        """Its bytes; raises FileNotFoundError where it is not held."""
        return self.opener(self.sha256)


@dataclass(frozen=True, slots=True)
class Means:
    """How files travel. ``link``: (SHA-256, name) -> an address. ``most``: bytes of the files together."""

    open_file: Callable[[str], BinaryIO]
    link: Callable[[str, str], str]
    as_links: bool
    most: int
    new_sink: NewSink


class Requests:
    """Writes bodies of one variant."""

    def __init__(self, folder: Path, variant: Variant, means: Means, *, code_in_abstract: bool) -> None:
        """Raises Misconfigured where the rules in ``folder`` cannot be read."""
        self._wire = Wire(folder, _WIRES[variant])
        self._variant = variant
        self._means = means
        self._code_in_abstract = code_in_abstract

    def body(self, data: Mapping[str, Any], callback: str | None) -> Content:
        """The body for the data of a ``signing.requested``; ``callback`` is where what came of it is to be told.

        Raises PermanentFailure where its files are too many bytes, TransientFailure where one is not held here.
        """
        said = self._wire.outward(data)
        files = data["draft"]["attachments"]
        if self._variant == "hau-giang":
            self._make_readable(said, "trichYeu", data)
            shown, place = said.get("files", []), "fileByte"
        else:
            self._make_readable(said["VanBanDuThao"], "TrichYeu", data)
            if "ThamSoAn" in said and not isinstance(said["ThamSoAn"], str):
                said["ThamSoAn"] = json.dumps(said["ThamSoAn"], ensure_ascii=False, separators=(",", ":"))
            if callback is not None:
                said["HccLinkAPI"] = callback
            for paper, line in zip(data.get("papers", []), said.get("ThanhPhanHoSo", []), strict=True):
                self._link(paper, line)
            shown, place = said["VanBanDuThao"].get("DinhKem", []), "Base64"
        total = 0
        for paper, line in zip(files, shown, strict=True):
            file = paper.get("file")
            if file is None:
                if self._variant == "hau-giang":
                    raise PermanentFailure("unwritable: a file of the draft is not held here, and takes no address")
            elif self._means.as_links and place == "Base64":
                self._link(paper, line)
            else:
                total += int(file["size"])
                line[place] = Held(int(file["size"]), str(file["sha256"]), self._means.open_file)
        if total > self._means.most:
            raise PermanentFailure(f"unwritable: the files of the draft are over {self._means.most} bytes together")
        return self._written(said)

    def _make_readable(self, said: dict[str, Any], name: str, data: Mapping[str, Any]) -> None:
        """Let people find the dossier's code in the abstract, where the settings want it."""
        code = f"({data['dossierCode']})"
        if self._code_in_abstract and code not in said.get(name, ""):
            said[name] = f"{said.get(name, '')} {code}".strip()

    def _link(self, paper: Mapping[str, Any], line: dict[str, Any]) -> None:
        file = paper.get("file")
        if file is not None:
            try:
                line["Link"] = self._means.link(str(file["sha256"]), str(paper["name"]))
            except FileNotFoundError:
                raise TransientFailure("the bus gives out no addresses of files; files must go as base64") from None

    def _written(self, said: Mapping[str, Any]) -> Content:
        sink = self._means.new_sink()
        try:
            for piece in _json(said):
                sink.write(piece)
        except FileNotFoundError:
            raise TransientFailure("the spool does not hold a file of the draft") from None
        return sink.done()


def _json(value: Any) -> Iterator[bytes]:
    """``value`` as JSON, what is a file in it as a Base64 text."""
    if isinstance(value, Held):
        yield b'"'
        yield from _base64(value)
        yield b'"'
    elif isinstance(value, Mapping):
        yield b"{"
        for number, (name, each) in enumerate(value.items()):
            yield (b"," if number else b"") + _plain(name) + b":"
            yield from _json(each)
        yield b"}"
    elif isinstance(value, list):
        yield b"["
        for number, each in enumerate(value):
            if number:
                yield b","
            yield from _json(each)
        yield b"]"
    else:
        yield _plain(value)


def _plain(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _base64(content: Content) -> Iterator[bytes]:
    left = b""
    for piece in pieces(content):
        left += piece
        ready = len(left) - len(left) % 3
        yield base64.b64encode(left[:ready])
        left = left[ready:]
    yield base64.b64encode(left)
