"""What is in files: looked at when they are whole, before a message may name them; asked again where it decides.

A file is scanned each time it comes, as what is known of malware grows, and looked into for signatures once. Detached
signatures are held to the file of their name when the message that brings both is handed over or looked at: before,
nobody knows which file lies beside which. No byte of a file is ever changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from gateway.core.content import Content
from gateway.core.directory import Directory, System
from gateway.core.envelope import parse_event
from gateway.core.faults import Busy, Fault, NotYet, Rejected, Text
from gateway.core.fileref import files_told
from gateway.core.findings import Findings, Looked, Policy, Scanned, signed_by_name
from gateway.core.jws import payload_of
from gateway.ports import Clock, Ledger, Spool
from gateway.ports.findings import Examiner, FindingsBook, Lying, Named, Scanner, ScannerAway

#: How long whoever hands messages over waits for looks into their files (seconds): enough is left of a try for what an
#: adapter may take. And after how long a message is tried again whose files are still being looked into.
PATIENCE: Final = 3.0
LATER: Final = 2.0
#: Messages whose files are looked into at once, for those who hand them over.
_MOST_LOOKED_AT: Final = 256
_NOBODY_LOOKED: Final = Looked("none", "not-checked")

log = structlog.get_logger()


class StillLooking(NotYet):
    """A message cannot be judged yet: its files are being looked into. It says nothing about its recipient."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """What the province wants: verdicts that block, for agencies that say nothing whether they do; scanning a must."""

    policy: Policy = "warn"
    blocking: frozenset[str] = frozenset({"invalid", "revoked"})
    is_scan_required: bool = False


class _Scanned(NamedTuple):
    scanned: Scanned
    scanner: str
    at: float | None


@dataclass(frozen=True, slots=True)
class Inspect:
    """The step, with its needs."""

    book: FindingsBook
    examiner: Examiner
    scanner: Scanner | None
    spool: Spool
    ledger: Ledger
    directory: Callable[[], Directory]
    clock: Clock
    rules: FileRules = FileRules()
    #: What goes on although nobody waits for it any more: looks into the files of a message, by its key.
    _looks: dict[str, asyncio.Task[list[Findings]]] = field(default_factory=dict)

    async def arriving(self, file: Content, system: str) -> Findings:
        """A file that is whole and that nobody may name yet; to be kept (:meth:`keep`) once it is.

        Raises Rejected ``infected-file``, or ``too-large`` where it must be scanned and cannot be for its size; Busy
        ``overloaded`` where it must be scanned and the scanner is away. Raises OSError where it cannot be read.
        """
        scanned = await self._scanned(file, system)
        known = await self.book.of(file.sha256)
        if known is not None and not known.is_passing:
            return replace(known, scanned=scanned.scanned, scanner=scanned.scanner, scanned_at=scanned.at)
        looked = await self._look(file)
        return Findings(file.sha256, looked, self.clock.now(), *scanned)

    async def keep(self, findings: Findings) -> None:
        """Remember it; the file is held by now."""
        await self.book.keep(findings)

    async def of(self, sha256: str) -> Findings | None:
        """What is known of a file; it is looked at where nobody did. None where it is not held."""
        size = await self.book.held(sha256)
        return None if size is None else await self._known(Named(sha256, size, await self.book.of(sha256)))

    async def again(self, sha256: str) -> Findings | None:
        """Look once more, by today's trust lists, at a file that is held; None where it is not."""
        size = await self.book.held(sha256)
        if size is None:
            return None
        file = self._lying(sha256, size)
        return await self._kept(
            Findings(sha256, await self._look(file), self.clock.now(), *await self._rescanned(file))
        )

    async def of_message(self, key: str) -> list[Findings]:
        """What is known of each file that a message names, by their SHA-256; looked at where nobody did.

        Of a detached signature it is told what it is worth for the file beside it.
        """
        named = await self.book.named(key)
        found = [await self._known(each) for each in named]
        if len(found) > 1 and any(each.looked.reason == "detached" for each in found):
            return await self._paired(key, {each.sha256: each.size for each in named}, found)
        return found

    async def known(self, key: str) -> list[Findings]:
        """The same without any look: of a file that nobody looked at yet it is told that it was not checked."""
        named = await self.book.named(key)
        found = [each.findings or Findings(each.sha256, _NOBODY_LOOKED, 0.0) for each in named]
        if len(found) > 1 and any(each.looked.reason == "detached" for each in found):
            return await self._paired(key, {each.sha256: each.size for each in named}, found, is_looking=False)
        return found

    async def refusal(self, key: str, recipient: System, *, within: float = PATIENCE) -> str | None:
        """Why a message is not handed to this recipient on account of its files; None where nothing is against it.

        Where the agency does not block, nothing is asked of anybody. Raises StillLooking where looking takes longer
        than ``within`` (seconds): it goes on, and a later call finds how it ended.
        """
        if self._policy(recipient) != "block":
            return None
        for each in await self._soon(key, within):
            if each.looked.verdict in self.rules.blocking:
                reason = f" ({each.looked.reason})" if each.looked.reason else ""
                return f"signature: {each.looked.verdict}{reason}, file {each.sha256[:12]}"
        return None

    async def close(self) -> None:
        """Let go; a look that is under way is taken again when somebody asks."""
        for task in list(self._looks.values()):
            task.cancel()
        await self.examiner.close()

    async def _soon(self, key: str, within: float) -> list[Findings]:
        """What :meth:`of_message` tells, where it does in time; raises StillLooking."""
        task = self._looks.get(key)
        if task is None:
            if len(self._looks) >= _MOST_LOOKED_AT:
                raise StillLooking("the files of too many messages are being looked into")
            task = self._looks[key] = asyncio.create_task(self.of_message(key))
            task.add_done_callback(partial(self._ended, key))
        done, _ = await asyncio.wait({task}, timeout=within)
        if not done:
            raise StillLooking("its files are still being looked into")
        return task.result()

    def _ended(self, key: str, task: asyncio.Task[list[Findings]]) -> None:
        del self._looks[key]
        if not task.cancelled():
            task.exception()  # told to whoever still waited; the next one looks anew

    def _policy(self, recipient: System) -> Policy:
        agency = self.directory().agency(recipient.agency)
        return self.rules.policy if agency is None or agency.signatures is None else agency.signatures

    # ------------------------------------------------------------------------------------------------ looking

    async def _look(self, file: Content, beside: Content | None = None) -> Looked:
        began = asyncio.get_running_loop().time()
        looked = await self.examiner.look(file, beside, now=self.clock.now())
        if looked.kind != "none":
            log.info(
                "file.inspected", sha256=file.sha256, kind=looked.kind, verdict=looked.verdict, reason=looked.reason,
                took_ms=round((asyncio.get_running_loop().time() - began) * 1000),
            )  # fmt: skip
        return looked

    async def _known(self, named: Named) -> Findings:
        """What is known of a file that is held, or what a look now tells."""
        if named.findings is not None and not named.findings.is_passing:
            return named.findings
        try:
            looked = await self._look(self._lying(named.sha256, named.size))
        except OSError:
            looked = Looked("none", "not-checked", "unreadable")
        if named.findings is not None:
            if looked.reason == named.findings.looked.reason:
                return named.findings  # nothing new
            return await self._kept(replace(named.findings, looked=looked, looked_at=self.clock.now()))
        return await self._kept(Findings(named.sha256, looked, self.clock.now()))

    async def _kept(self, findings: Findings) -> Findings:
        await self.book.keep(findings)
        return findings

    def _lying(self, sha256: str, size: int) -> Lying:
        return Lying(sha256, size, partial(self.spool.open, sha256))

    async def _paired(
        self, key: str, sizes: Mapping[str, int], found: Sequence[Findings], *, is_looking: bool = True
    ) -> list[Findings]:
        """The same, each detached signature as that of the file that it is named after."""
        envelope = await self.ledger.envelope(key)
        if envelope is None:
            return list(found)
        told: list[dict[str, Any]] = files_told(parse_event(payload_of(envelope)).get("data"))
        names = {each["name"].casefold(): each["sha256"] for each in told if isinstance(each["name"], str)}
        beside = {sha256: signed_by_name(name, names) for name, sha256 in names.items()}
        paired: list[Findings] = []
        for each in found:
            about = beside.get(each.sha256)
            is_pair = each.looked.reason == "detached" and about is not None and about in sizes
            paired.append(await self._pair(each, sizes, about, is_looking=is_looking) if is_pair and about else each)
        return paired

    async def _pair(self, signature: Findings, sizes: Mapping[str, int], about: str, *, is_looking: bool) -> Findings:
        known = await self.book.of(signature.sha256, about)
        if known is not None and not known.is_passing:
            return known
        if not is_looking:
            return known or signature
        try:
            looked = await self._look(
                self._lying(signature.sha256, sizes[signature.sha256]), self._lying(about, sizes[about])
            )
        except OSError:
            return signature
        return await self._kept(replace(signature, looked=looked, looked_at=self.clock.now(), about=about))

    # ----------------------------------------------------------------------------------------------- scanning

    async def _scanned(self, file: Content, system: str) -> _Scanned:
        if self.scanner is None:
            return _Scanned("not-scanned", "", None)
        try:
            scan = await self.scanner.scan(file)
        except ScannerAway as error:
            log.warning("scanner.away", detail=str(error), agency=system)
            if self.rules.is_scan_required:
                raise _scanner_away() from None
            return _Scanned("not-scanned", "away", None)
        if scan.outcome == "infected":
            log.warning("file.refused", agency=system, sha256=file.sha256, reason="infected-file", detail=scan.name)
            raise _infected(scan.name)
        if scan.outcome == "failed":
            if self.rules.is_scan_required:
                raise _too_large_to_scan()
            return _Scanned("not-scanned", scan.name, None)
        return _Scanned("clean", scan.by, self.clock.now())

    async def _rescanned(self, file: Content) -> _Scanned:
        """Of a file that is held: what is found now is told, and takes nothing away from anybody."""
        try:
            return await self._scanned(file, "")
        except Fault as fault:
            return _Scanned("not-scanned", fault.problem, None)


def _infected(name: str) -> Rejected:
    return Rejected(
        "infected-file",
        Text(
            f"Phần mềm quét phát hiện mã độc trong tệp ({name}); trục không nhận và không giữ gì."
            " Bên gửi hãy kiểm tra máy của mình, thay tệp sạch rồi gửi lại.",
            f"The scanner found malware in the file ({name}); nothing of it was kept."
            " The sender must check the machine it came from and send a clean file.",
        ),
    )


def _scanner_away() -> Busy:
    return Busy(
        "overloaded",
        Text(
            "Trục chưa quét được mã độc cho tệp lúc này nên chưa nhận; các byte đã gửi vẫn còn."
            " Hệ thống gửi hãy hỏi lại sau ít phút; nếu lặp lại, quản trị viên kiểm tra clamd.",
            "The file cannot be scanned for malware at this moment, so it is not taken yet; its bytes are not lost."
            " Ask again in some minutes; where it goes on, the administrator checks clamd.",
        ),
        retry_after=60.0,
    )


def _too_large_to_scan() -> Rejected:
    return Rejected(
        "too-large",
        Text(
            "Tệp lớn hơn mức phần mềm quét mã độc nhận, mà tỉnh yêu cầu mọi tệp phải được quét."
            " Bên gửi hãy chia nhỏ tệp; quản trị viên có thể nâng StreamMaxLength của clamd.",
            "The file is larger than the scanner takes, and every file must be scanned here."
            " The sender must split it; the administrator may raise clamd's StreamMaxLength.",
        ),
    )
