"""An older one-stop office in small: its documents with a sync flag of 0 or 1, files inline, and nobody can call it.

It takes the bus for the former provincial bus: a token, then documents, traces, figures. What is for it, it fetches
from its inbox by a token of the bus' own. Forwarding has no wire shape there: it goes to ``/v1/messages`` as an event.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.core.content import InMemory
from gateway.core.visit import Call, Reply
from gateway.ports import Parcel

CLIENT: Final = "motcua-huyen"
#: Made up for this stand-in alone.
SECRET: Final = "khoa-mot-cua-huyen"  # noqa: S105
DATES: Final = "dd/MM/yyyy HH:mm:ss"
_VIET_NAM: Final = timedelta(hours=7)


@dataclass(slots=True)
class Habits:
    """What real software of this kind does; each is off until it is switched on.

    ``shuffles``: traces go in any order. ``twice``: each call is made twice. ``forgets``: an error is noted and nothing
    sent again. ``nulls``: empty lists are null. ``texts``: numbers and marks are texts. ``misspells``: a paper's id is
    called Attachmentld. ``ahead``: seconds by which its clock is ahead. ``backdates``: by which its traces are.
    ``patience``: seconds that it waits for an answer. ``by_words``: success is the word "thành công" alone.
    """

    shuffles: bool = False
    twice: bool = False
    forgets: bool = False
    nulls: bool = False
    texts: bool = False
    misspells: bool = True
    ahead: float = 0.0
    backdates: float = 0.0
    patience: float = 3.0
    by_words: bool = False


@dataclass(slots=True)
class Kept:
    """A document with its sync flag, and its traces."""

    document: dict[str, Any]
    is_synced: bool = False
    traces: list[dict[str, Any]] = field(default_factory=list)
    sent_traces: int = 0


@dataclass(slots=True)
class OldOffice:
    """The office. ``door`` is the one base address in its settings; ``bus`` that of the inbox."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    habits: Habits = field(default_factory=Habits)
    agency: str = "H33.16"
    system: str = "H33.16/motcua"
    door: str = ""
    bus: str = ""
    inbox_secret: str = ""
    clock: Callable[[], float] = time.time
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - a seeded office
    documents: dict[str, Kept] = field(default_factory=dict)
    #: What it fetched: delivery and event; what it noted of errors.
    fetched: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _token: str = ""

    # ------------------------------------------------------------------------------------ what officers do here

    def receive(self, dossier: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> str:
        """Take a new dossier in, by its wire members; its code."""
        number = "Attachmentld" if self.habits.misspells else "AttachmentId"
        papers = [
            {
                number: f"TL-{at}", "AttachmentName": name, "IsDeleted": False,
                "Base64": base64.b64encode(content).decode(), "IsVerified": False,
            }
            for at, (name, content) in enumerate((files or {}).items(), start=1)
        ]  # fmt: skip
        document = {
            "DocTypeCode": "1.004199", "DocTypeName": "Đăng ký biến động quyền sử dụng đất",
            "CitizenName": "Nguyễn Văn Mẫu", "CitizenInfo": "", "ApplicantsId": "", "ApplicantsType": 1, "Address": "",
            "Email": "", "Phone": "", "Compendium": "", "DateReceived": self.now(),
            "DateAppointed": self.now(5 * 86400),
            "IsSuccess": False, "SuccessDate": None, "ApproverName": None, "ApproverPosition": None,
            "SuccessNote": None, "IsReturned": False, "ReturnedDate": None, "ReturnNote": None, "ReturnedType": None,
            "FinishedDate": None, "Status": 1, "ProcessingOrganName": "Bộ phận Một cửa", "HasSupplementary": False,
            "RequireSupplementaryDate": None, "Note": "", "OrganInchargeIdLevel1": self.agency,
            "OrganInchargeName": "UBND huyện Mẫu", "Attachments": papers, "DocFees": [], "DocPapers": [],
            "Supplementaries": [], **dossier,
        }  # fmt: skip
        self.documents[document["DocCode"]] = Kept(document)
        return str(document["DocCode"])

    def progress(self, code: str, status: int, content: str = "") -> None:
        """Do a step: kept to be told."""
        self.documents[code].traces.append(
            {
                "DocumentId": code, "DocCode": code, "UserName": "Nguyễn Văn Mẫu", "UserPosition": "Chuyên viên",
                "DateCreated": self.now(-self.habits.backdates), "Comment": content, "Status": status,
                "OrganizationInchargeIdLevel1": self.agency, "OrganizationInchargeName": "UBND huyện Mẫu",
            }
        )  # fmt: skip
        self._set(code, Status=status)

    def ask_supplement(self, code: str, content: str) -> str:
        """Ask the applicant for more; the request's id."""
        entries = self.documents[code].document["Supplementaries"]
        named = f"BS-{len(entries) + 1}"
        entry = {
            "SupplementaryId": named, "SendUser": "Nguyễn Văn Mẫu", "SendComment": content, "SendDate": self.now(),
            "ReceivedUser": None, "ReceivedComment": None, "ReceivedDate": None, "IsReceived": False, "Papers": [],
            "Fees": [], "OldDateAppointed": self.documents[code].document["DateAppointed"], "NewDateAppointed": None,
        }  # fmt: skip
        told = {"HasSupplementary": True, "RequireSupplementaryDate": self.now()}
        self._set(code, **told, Supplementaries=[*entries, entry])
        return named

    def take_supplement(self, code: str, named: str) -> None:
        """The applicant brought what was asked for."""
        entries = self.documents[code].document["Supplementaries"]
        told = {"ReceivedDate": self.now(), "ReceivedUser": "Nguyễn Văn Mẫu", "IsReceived": True}
        self._set(code, Supplementaries=[{**e, **told} if e["SupplementaryId"] == named else e for e in entries])

    def issue_result(self, code: str, *, is_handed_over: bool = False) -> None:
        """The result is there, or handed over; this interface names no result files."""
        now = self.now()
        told = {"IsReturned": True, "ReturnedDate": now, "FinishedDate": now} if is_handed_over else {}
        self._set(code, IsSuccess=True, SuccessDate=now, Status=2, **told)

    def give_back(self, code: str, reason: str) -> None:
        """Return a dossier without success."""
        self._set(code, IsReturned=True, ReturnedDate=self.now(), ReturnNote=reason)

    def now(self, later: float = 0.0) -> str:
        """The moment as this office's clock has it, as its software writes it."""
        at = datetime.fromtimestamp(self.clock() + later + self.habits.ahead, UTC) + _VIET_NAM
        return at.strftime("%d/%m/%Y %H:%M:%S")

    # ------------------------------------------------------------------------------------------- what it sends

    async def cycle(self) -> None:
        """Send whatever has flag 0, then its traces. Errors are noted; the flag stays 0, unless it forgets."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.habits.patience)) as http:
            for kept in list(self.documents.values()):
                if not kept.is_synced:
                    was = await self._call(http, "Document/SyncDocument", self.wire(kept.document))
                    kept.is_synced = was or self.habits.forgets
                waiting = kept.traces[kept.sent_traces :]
                if self.habits.shuffles:
                    self.chance.shuffle(waiting)
                for trace in waiting:
                    if not await self._call(http, "Document/UpdateDocumentTraces", trace) and not self.habits.forgets:
                        break
                    kept.sent_traces += 1

    async def send_figures(self, figures: Mapping[str, Any]) -> bool:
        """A month's table; whether it was taken."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.habits.patience)) as http:
            return await self._call(http, "Statistic/UpdateStatistic", dict(figures))

    async def send_votes(self) -> bool:
        """What nobody takes yet."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.habits.patience)) as http:
            return await self._call(http, "Vote/UpdateVote", {"TotalVoted": 1, "Questions": []})

    def unsent(self) -> list[str]:
        """Codes whose flag is 0, or of which traces wait."""
        kept = self.documents.items()
        return [code for code, each in kept if not each.is_synced or each.sent_traces < len(each.traces)]

    def wire(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A document as this office's software writes it."""
        made = dict(document)
        if self.habits.nulls:
            made = {name: None if value == [] else value for name, value in made.items()}
        if self.habits.texts:
            made = {name: str(value) if isinstance(value, int) else value for name, value in made.items()}
        return made

    async def _call(self, http: aiohttp.ClientSession, path: str, body: Any) -> bool:
        was_taken = await self._said(http, path, body)
        return await self._said(http, path, body) if self.habits.twice else was_taken

    async def _said(self, http: aiohttp.ClientSession, path: str, body: Any) -> bool:
        try:
            if not self._token:
                form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
                async with http.post(f"{self.door}/token", data=form) as answer:
                    granted = await answer.json()
                    self._token = str(granted.get("access_token", ""))
            fields = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            written = io.BytesIO(json.dumps(body).encode())
            async with http.post(f"{self.door}/{path}", data=written, headers=fields) as answer:
                said = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self.errors.append(type(error).__name__)
            return False
        is_taken = _is_yes(said, by_words=self.habits.by_words)
        if not is_taken:
            # It knows no other reason than its token.
            self._token = ""
            self.errors.append(str(said.get("Message")) if isinstance(said, dict) else "?")
        return is_taken

    def _set(self, code: str, **members: Any) -> None:
        self.documents[code].document.update(members)
        self.documents[code].is_synced = False

    # --------------------------------------------------------------------------- what it fetches and hands on

    async def bus_token(self, http: aiohttp.ClientSession) -> str:
        """A token of the bus itself, for the inbox and for events."""
        form = {
            "grant_type": "client_credentials", "client_id": self.system, "client_secret": self.inbox_secret,
        }  # fmt: skip
        async with http.post(f"{self.bus}/oauth2/token", data=form) as answer:
            return str((await answer.json())["access_token"])

    async def fetch(self) -> int:
        """Lease what waits, keep it, settle it; how many there were."""
        async with aiohttp.ClientSession() as http:
            fields = {"Authorization": f"Bearer {await self.bus_token(http)}"}
            asked = {"max": 100, "visibility": 5}
            async with http.post(f"{self.bus}/v1/inbox/lease", json=asked, headers=fields) as answer:
                answer.raise_for_status()
                deliveries = (await answer.json())["deliveries"]
            for each in deliveries:
                payload = each["envelope"].split(".")[1]
                event = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
                self.fetched.append((each["delivery"], event))
            taken = {"taken": [each["delivery"] for each in deliveries]}
            async with http.post(f"{self.bus}/v1/inbox/settle", json=taken, headers=fields) as answer:
                answer.raise_for_status()
            return len(deliveries)

    async def forward(self, code: str, to: str, due: str, *, number: int = 1, child: str = "") -> int:
        """Hand a dossier on to another agency, as an event of the bus itself; the status of the answer.

        ``due`` is RFC 3339.
        """
        document = self.documents[code].document
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat()
        hop = {"number": number, "from": {"code": self.agency}, "to": {"code": to}, "forwardedAt": now, "dueAt": due}
        data = {
            "dossierCode": code, "hop": hop,
            "dossier": {
                "procedure": {"code": document["DocTypeCode"], "name": document["DocTypeName"]},
                "applicant": {"name": document["CitizenName"], "kind": "citizen"},
            },
            **({"child": {"dossierCode": child}} if child else {}),
        }  # fmt: skip
        event = {
            "specversion": "1.0", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{code}:{number}:{to}")),
            "source": self.system, "type": "dossier.forwarded", "subject": code, "time": now, "to": to,
            "dataschema": "urn:lgsp:contract:dossier.forwarded:1.0", "datacontenttype": "application/json",
            "purpose": "giai-quyet-tthc", "data": data,
        }  # fmt: skip
        async with aiohttp.ClientSession() as http:
            fields = {
                "Authorization": f"Bearer {await self.bus_token(http)}",
                "Content-Type": "application/cloudevents+json",
            }
            async with http.post(f"{self.bus}/v1/messages", data=json.dumps(event).encode(), headers=fields) as answer:
                return answer.status

    # --------------------------------------------------------------------------------------- for those who watch

    async def arrivals(self) -> list[str]:
        """Delivery ids of what it fetched."""
        return [delivery for delivery, _ in self.fetched]

    async def go_down(self) -> None:
        """Nobody calls it: it cannot be missed."""

    async def come_back(self) -> None:
        """As above."""

    def hopeless(self, parcel: Parcel) -> Parcel:
        """It is never handed anything."""
        return parcel

    def fits(self, parcel: Parcel) -> Parcel:
        """The suite's parcel: whatever it is, it waits in the inbox."""
        return parcel

    def visit(self, event: Mapping[str, Any]) -> Call:
        """A sound call that brings one document, by id and secret."""
        number = int(uuid.UUID(str(event["id"]))) % 9000 + 1000
        document = {
            "DocCode": f"H33.16-261123-{number}", "DocTypeCode": "1.004199", "DocTypeName": "Thủ tục mẫu",
            "CitizenName": event["data"]["subject"], "ApplicantsType": 1, "Status": 1,
            "DateReceived": "23/11/2026 08:30:00", "ProcessingOrganName": "Bộ phận một cửa",
            "Attachments": [{"AttachmentName": "a.pdf", "Base64": "JVBERi0xLjQKbWF1CiUlRU9GCg=="}],
        }  # fmt: skip
        return self._called("Document/SyncDocument", document, f"{CLIENT}:{SECRET}")

    def rubbish_visit(self) -> Call:
        """A call that is proven and brings nothing."""
        return self._called("Document/SyncDocument", {"DocCode": ""}, f"{CLIENT}:{SECRET}")

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """The sound call by one who does not know the secret."""
        sound = self.visit(event)
        return replace(sound, fields=self._called("", {}, f"{CLIENT}:another").fields)

    def said_yes(self, reply: Reply) -> bool:
        """Whether the software would take the reply for success."""
        try:
            return reply.status == 200 and _is_yes(json.loads(reply.body), by_words=False)
        except ValueError:
            return False

    def _called(self, path: str, body: Any, account: str) -> Call:
        fields = {"authorization": "Basic " + base64.b64encode(account.encode()).decode()}
        raw = json.dumps(body, ensure_ascii=False).encode()
        return Call("POST", path, {}, fields, InMemory(raw), "127.0.0.1")


def _is_yes(said: Any, *, by_words: bool) -> bool:
    if not isinstance(said, dict):
        return False
    return "thành công" in str(said.get("Message")).lower() if by_words else said.get("Status") == 1


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[OldOffice]:
    """An office whose settings fit the adapter beside this file; its secret is a file under ``folder``."""
    file = folder / "keys" / "motcua-huyen.secret"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{SECRET}\n")
    yield OldOffice({"client_id": CLIENT, "client_secret_file": "keys/motcua-huyen.secret", "dates": DATES})
