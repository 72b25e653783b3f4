"""What comes back from the document management system, read: outcomes with signed files, and traces.

Whose answer it is stands in the body under names that no document tells (settings), in the address that the bus gave
out, or between brackets in the abstract.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from gateway.calls.wire import Wire
from gateway.core.brought import Bringer
from gateway.core.content import Content, NewSink
from gateway.core.dossiers.code import read_code
from gateway.core.edxml.attachments import detect
from gateway.core.faults import Text
from gateway.core.handover import Collected, CollectedFile
from gateway.core.lifting import Lifted, from_base64, lift
from gateway.core.moments import VIET_NAM
from gateway.core.strictjson import StrictJsonError
from gateway.core.wire_record import canonical_bytes, name_in

_MARK: Final = "\x00lifted:"
_MOST_FILES: Final = 100
_HEAD: Final = 8192
#: Where the address that the bus gave out names dossier and request.
_PLACE: Final = re.compile(r"ho-so/([^/]{1,200})/([^/]{1,600})(?:/|\Z)")
_BRACKETS: Final = re.compile(r"\(([!-~]{5,50})\)")
_TRACE: Final = "capnhattrangthaivanban"


class Senseless(Exception):
    """What came cannot be understood; ``args[0]`` is the Text for whoever sent it."""

    @property
    def text(self) -> Text:
        """Who must do what."""
        text: Text = self.args[0]
        return text


@dataclass(frozen=True, slots=True)
class Names:
    """Under which names the body says what no document tells. ``trace_is_request``: what MaVanBan names."""

    request: str = "IDHoSo"
    dossier: str = "MaHoSo"
    reason: str | None = None
    trace_is_request: bool = False


class Results:
    """Reads what comes back to one system."""

    def __init__(self, folder: Path, names: Names, bringer: Bringer, new_sink: NewSink) -> None:
        """Raises Misconfigured where the rules in ``folder`` cannot be read."""
        self._completed, self._trace = Wire(folder, "completed"), Wire(folder, "trace")
        self._names = names
        self._bringer = bringer
        self._new_sink = new_sink

    async def read(self, path: str, body: Content, now: float) -> Collected:
        """The message in a call to ``path``; ``now`` is seconds since 1970. Raises Senseless."""
        return await asyncio.to_thread(self._read, path, body, now)

    def _read(self, path: str, body: Content, now: float) -> Collected:
        try:
            lifted = lift(body, self._new_sink)
        except StrictJsonError:
            raise Senseless(_NO_JSON) from None
        said = lifted.value
        if not isinstance(said, dict):
            raise Senseless(_NO_JSON)
        is_trace = path.rstrip("/").rpartition("/")[2].casefold() == _TRACE or (
            name_in(said, "VanBanDi") is None and name_in(said, "MaVanBan") is not None
        )
        papers: list[dict[str, Any]] = []
        files: dict[str, CollectedFile] = {}
        document = name_in(said, "VanBanDi")
        if not is_trace and isinstance(document, dict):
            papers, files = self._files(lifted, name_in(document, "DinhKem"))
        known = self._placed(path, _short(said), is_trace=is_trace)
        read = (self._trace if is_trace else self._completed).inward(known)
        if read.faults:
            raise Senseless(read.faults[0])
        data = _whole(read.data, papers)
        data["at"] = datetime.fromtimestamp(int(now), VIET_NAM).isoformat()
        # The same outcome said again is the same message, whatever else stands around it; a state may come back.
        beside = {"at"} if data["outcome"] == "trace" else {"at", "ext"}
        itself = {name: value for name, value in data.items() if name not in beside}
        identity = hashlib.sha256(canonical_bytes(itself)).hexdigest()
        return self._bringer.message(
            "signing.completed", "1.0", data, subject=data["dossierCode"], identity=[identity], now=now,
            files=tuple(files.values()), warnings=read.warnings,
        )  # fmt: skip

    def _placed(self, path: str, said: dict[str, Any], *, is_trace: bool) -> dict[str, Any]:
        """``said`` with dossier, request and reason under the names that the rules read."""
        names = self._names
        found = dict(said)
        place = _PLACE.search(path)
        document = name_in(said, "VanBanDi")
        bracketed = _BRACKETS.findall(str(name_in(document, "TrichYeu"))) if isinstance(document, dict) else []
        of_dossier, of_request = name_in(said, names.dossier), name_in(said, names.request)
        for name in (names.dossier, names.request, *([names.reason] if names.reason else [])):
            found.pop(name, None)
        if is_trace:
            about = name_in(said, "MaVanBan")
            of_request = of_request or (about if names.trace_is_request else None)
            of_dossier = of_dossier or (None if names.trace_is_request or place else about)
        if place is not None:
            of_dossier, of_request = of_dossier or unquote(place[1]), of_request or unquote(place[2])
        of_dossier = of_dossier or next((code for code in reversed(bracketed) if read_code(code)), None)
        reason = name_in(said, names.reason) if names.reason else None
        outcome = name_in(said, "LoaiKetQua")
        if outcome is None and isinstance(document, dict):
            outcome = name_in(document, "LoaiKetQua")
        return {**found, "MaHoSo": of_dossier, "IDHoSo": of_request, "LyDo": reason, "LoaiKetQua": outcome}

    def _files(self, lifted: Lifted, given: Any) -> tuple[list[dict[str, Any]], dict[str, CollectedFile]]:
        """The papers that a list of attachments names, and the files by digest."""
        items = given if isinstance(given, list) else [given] if isinstance(given, dict) else []
        if len(items) > _MOST_FILES:
            raise Senseless(_TOO_MANY)
        papers: list[dict[str, Any]] = []
        files: dict[str, CollectedFile] = {}
        for number, item in enumerate(each for each in items if isinstance(each, dict)):
            name = str(name_in(item, "Ten") or "").strip()[:500] or f"tep-{number + 1}"
            text = replace(lifted, value={"Base64": name_in(item, "Base64")}).text("Base64")
            if text is None or text.size == 0:
                raise Senseless(_NO_FILE)
            try:
                content = from_base64(text, self._new_sink)
            except ValueError:
                raise Senseless(_NO_FILE) from None
            with content.open() as file:
                media = detect(file.read(_HEAD), name)
            files.setdefault(content.sha256, CollectedFile(media, content))
            told = {"name": name, "mediaType": media, "size": content.size, "sha256": content.sha256}
            papers.append({"name": name, "file": told})
        return papers, files


def _whole(data: dict[str, Any], papers: list[dict[str, Any]]) -> dict[str, Any]:
    """The data with its files, if it says what the contract needs; raises Senseless."""
    if "outcome" not in data:
        raise Senseless(_NO_OUTCOME)
    if "dossierCode" not in data:
        raise Senseless(_NO_DOSSIER)
    if data["outcome"] == "issued" and not papers:
        raise Senseless(_NO_FILE)
    if papers:
        data.setdefault("document", {})["attachments"] = papers
    if data["outcome"] == "rejected":
        # Whoever waits for the dossier must see that nobody said why, not an empty line.
        data.setdefault("reason", NO_REASON)
    return data


def _short(value: Any) -> Any:
    """``value`` without its long texts: files, which were taken out of it."""
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return None if isinstance(value, str) and value.startswith(_MARK) else value


#: What a rejection without a reason says.
NO_REASON: Final = "(Hệ thống quản lý văn bản trả lại mà không nêu lý do - rejected without a reason being given)"
_NO_JSON: Final = Text(
    "Nội dung không phải là một đối tượng JSON (UTF-8). Phần mềm quản lý văn bản cần sửa rồi gửi lại.",
    "The body is no JSON object (UTF-8). The document management software must mend it and send again.",
)
_NO_OUTCOME: Final = Text(
    "LoaiKetQua thiếu hoặc không phải 01, 02, 03, 04. Phần mềm quản lý văn bản cần sửa rồi gửi lại.",
    "LoaiKetQua is absent or none of 01, 02, 03, 04. The document management software must mend it and send again.",
)
_NO_DOSSIER: Final = Text(
    "Không rõ kết quả này của hồ sơ nào. Phần mềm quản lý văn bản cần nêu mã hồ sơ, hoặc gọi đúng địa chỉ HccLinkAPI"
    " đã nhận.",
    "It is not told whose answer this is. The document management software must name the dossier's code, or call the"
    " very address that it was given as HccLinkAPI.",
)
_NO_FILE: Final = Text(
    "Kết quả thiếu tệp, tệp rỗng hoặc Base64 hỏng. Phần mềm quản lý văn bản cần gửi lại kèm tệp đã ký.",
    "A file is missing, empty, or its Base64 is spoilt. The document management software must send again with the"
    " signed file.",
)
_TOO_MANY: Final = Text(
    f"Quá {_MOST_FILES} tệp trong một kết quả. Phần mềm quản lý văn bản cần gộp tệp rồi gửi lại.",
    f"Over {_MOST_FILES} files in one answer. The document management software must join some and send again.",
)
