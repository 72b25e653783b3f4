"""``inspect``: what is known of a file, or another look at it by today's trust lists."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

import click

from gateway.cli.frame import DONE, FAILED, Misuse, Place, actor, examples, json_option, opened_ledger
from gateway.core.faults import Text
from gateway.core.findings import REASONS
from gateway.core.moments import format_moment

if TYPE_CHECKING:
    from gateway.core.findings import Findings

_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
_VERDICTS: Final = {
    "valid": Text("chữ ký hợp lệ", "the signatures are good"),
    "unsigned": Text("không có chữ ký", "there is no signature"),
    "not-checked": Text("chưa kiểm tra được", "not checked"),
    "expired": Text("chứng thư hết hạn", "a certificate has expired"),
    "unknown-signer": Text("không rõ người ký", "the signer is not known"),
    "revoked": Text("chứng thư bị thu hồi", "a certificate is revoked"),
    "invalid": Text("chữ ký không hợp lệ", "a signature is not good"),
}


@click.command(epilog=examples("lgsp -C tinh inspect SHA256", "lgsp -C tinh inspect SHA256 --again --json"))
@click.argument("sha256", metavar="SHA256")
@click.option("--again", is_flag=True, help="Kiểm tra lại theo trust/ hiện nay. Look once more, by today's lists.")
@json_option
@click.pass_obj
def inspect(place: Place, sha256: str, again: bool) -> int:
    """Chữ ký trong một tệp và kết quả quét. What was found in a file.

    Sau khi bổ sung chứng thư gốc hoặc CRL: --again, rồi lgsp replay. After a change of trust/: --again, then replay.
    """
    wanted = sha256.lower()
    if not _SHA256.match(wanted):
        raise Misuse(Text("SHA256 gồm 64 chữ số hex", "SHA256 is 64 hex digits"))
    found = asyncio.run(_found(place, wanted, again=again))
    if found is None:
        place.give({"result": "unknown", "sha256": wanted})
        place.say(f"Trục không giữ tệp {wanted}.", f"The bus holds no file {wanted}.")
        return FAILED
    place.give(found.members())
    _tell(place, found)
    return DONE


async def _found(place: Place, sha256: str, *, again: bool) -> Findings | None:
    from gateway import compose
    from gateway.ports import AuditRow

    settings = place.settings
    async with opened_ledger(settings, must_exist=True) as ledger:
        version, rows = await ledger.registry()
        directory = compose.picture_of(settings, version, rows, compose.built_in_catalog()).directory
        step = compose.inspect_on(settings, ledger, compose.open_spool(settings), lambda: directory)
        try:
            if not again:
                return await step.of(sha256)
            found = await step.again(sha256)
            if found is not None:
                details = {"sha256": sha256, "verdict": found.looked.verdict}
                await ledger.audit([AuditRow(step.clock.now(), actor(), "file.inspected", details)])
            return found
        finally:
            await step.examiner.close()


def _tell(place: Place, found: Findings) -> None:
    looked = found.looked
    said = place.in_words(_VERDICTS[looked.verdict])
    why = f": {place.in_words(REASONS[looked.reason])}" if looked.reason else ""
    place.say(f"{looked.verdict} – {said}{why}", f"{looked.verdict}: {said}{why}")
    for each in looked.signatures:
        at = "" if each.signed_at is None else format_moment(each.signed_at)
        stamp = place.in_words(Text(", có dấu thời gian", ", time-stamped")) if each.is_stamped else ""
        place.say(f"  {each.verdict}  {each.signer}  {at}{stamp}", f"  {each.verdict}  {each.signer}  {at}{stamp}")
    scanned = found.scanner or place.in_words(Text("không có phần mềm quét", "nothing scans"))
    place.say(f"Quét mã độc: {found.scanned} ({scanned})", f"Scan for malware: {found.scanned} ({scanned})")
