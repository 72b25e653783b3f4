"""``mock``: an agency's software in small, with faults on demand; runs until Ctrl-C or for as long as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import time
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.frame import Place, examples, json_option
from gateway.core.faults import Misconfigured, Text
from gateway.core.moments import VIET_NAM

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_TICK: Final = 0.2

for_seconds = click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS",
                            help="Tự kết thúc sau chừng ấy giây. End by itself.")  # fmt: skip


@click.group(epilog=examples("lgsp mock documents exchange/H33.05", "lgsp mock webhook --port 9001 --status 503"))
def mock() -> None:
    """Giả lập phần mềm của một cơ quan để thử. An agency's software in small, to try things with."""


# ------------------------------------------------------------------------------------------------- documents


@mock.command(
    epilog=examples(
        "lgsp mock documents exchange/H33.05 --letters 3 --to H33.16",
        "lgsp mock documents exchange/H33.16 --answer 03",
        "lgsp mock documents exchange/H33.05 --drop congvan.edxml --half-written 5",
    )
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--drop", "files", metavar="FILE", multiple=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Tệp .edxml cần gửi. A file to send.")  # fmt: skip
@click.option("--letters", type=click.IntRange(min=0), default=0, metavar="N",
              help="Gửi N công văn mẫu. Send N letters made up.")  # fmt: skip
@click.option("--sender", default="H33.05", show_default=True, metavar="CODE", help="Cơ quan gửi. Who sends.")
@click.option("--to", "recipients", multiple=True, default=("H33.16",), show_default=True, metavar="CODE",
              help="Cơ quan nhận. Who receives.")  # fmt: skip
@click.option("--every", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
              help="Khoảng cách giữa hai tệp gửi. Time between two files.")  # fmt: skip
@click.option("--answer", metavar="CODE", type=click.Choice(["01", "02", "03", "04", "05", "06"]),
              help="Báo trạng thái này cho mỗi văn bản nhận được. Report on what arrives.")  # fmt: skip
@click.option("--half-written", type=click.FloatRange(min=0), metavar="SECONDS",
              help="Lỗi: ghi nửa tệp, nửa sau chậm chừng ấy giây. Fault: half a file, the rest later.")  # fmt: skip
@click.option("--rubbish", is_flag=True, help="Lỗi: gửi tệp không phải edXML. Fault: send no edXML.")
@click.option("--away", type=click.FloatRange(min=0), metavar="SECONDS",
              help="Lỗi: thư mục biến mất chừng ấy giây. Fault: the folder is gone for a while.")  # fmt: skip
@for_seconds
@json_option
@click.pass_obj
def documents(place: Place, /, folder: Path, seconds: float | None, **wish: Any) -> None:
    """Hệ thống quản lý văn bản dùng thư mục outbox và inbox. A document system at folders outbox and inbox.

    Đặt tệp .edxml vào outbox, lấy tệp trục giao ở inbox, in ra từng việc. Drops files in outbox, takes those the bus
    puts in inbox, and prints a line for each.
    """
    from gateway.compose import stand_in

    desk = stand_in("edxml_folder").DocumentSystem(folder)
    letters = _letters(wish["sender"], wish["recipients"], wish["letters"], wish["files"])
    run(_documents(place, desk, letters, wish), seconds)


def _letters(
    sender: str, recipients: tuple[str, ...], count: int, files: tuple[Path, ...]
) -> Iterator[tuple[str, bytes]]:
    from gateway.compose import stand_in

    for file in files:
        yield file.name, file.read_bytes()
    first = int(time.time())
    today = datetime.now(VIET_NAM).date().isoformat()
    for number in range(first, first + count):
        made = stand_in("edxml_folder").a_document(str(number), sender=sender, recipients=recipients, date=today)
        yield f"{number}.edxml", made


async def _documents(place: Place, desk: Any, letters: Iterator[tuple[str, bytes]], wish: dict[str, Any]) -> None:
    if wish["away"]:
        await desk.go_down()
        place.say("… thư mục biến mất", "… the folder is gone")
        try:
            await asyncio.sleep(wish["away"])
        finally:
            # Also when interrupted: a folder that stays away would be the user's loss.
            await desk.come_back()
        place.say("… thư mục đã trở lại", "… the folder is back")
    if wish["rubbish"]:
        await desk.drop_rubbish()
    desk.half_written = wish["half_written"] is not None
    async with asyncio.TaskGroup() as both:
        both.create_task(_sending(place, desk, letters, wish))
        both.create_task(_watching(place, desk, wish["answer"]))


async def _sending(place: Place, desk: Any, letters: Iterator[tuple[str, bytes]], wish: dict[str, Any]) -> None:
    for name, raw in letters:
        desk.send(raw, name)
        tell(place, "dropped", name, Text("→ đã đặt", "→ dropped"))
        if desk.half_written:
            await asyncio.sleep(wish["half_written"])
            desk.finish()
        await asyncio.sleep(wish["every"])
    desk.half_written = False


async def _watching(place: Place, desk: Any, code: str | None) -> None:
    known: set[str] = set()
    while True:
        with contextlib.suppress(OSError):
            for taken in desk.collected():
                tell(place, "collected", taken.name, Text("← đã nhận", "← collected"))
                at = datetime.now(VIET_NAM).isoformat(timespec="seconds")
                report = desk.answer(taken.raw, code, at=at) if code else None
                if report is not None:
                    desk.send(report, f"{code}-{taken.name}")
            for name in desk.sent():
                if f"+{name}" not in known:
                    known.add(f"+{name}")
                    tell(place, "accepted", name, Text("✓ trục đã nhận", "✓ accepted by the bus"))
            for name, note in desk.refused().items():
                if f"-{name}" not in known:
                    known.add(f"-{name}")
                    tell(place, "refused", name, Text("✗ trục từ chối", "✗ refused by the bus"), note=note)
        await asyncio.sleep(_TICK)


# --------------------------------------------------------------------------------------------------- webhook


@mock.command(
    epilog=examples(
        "lgsp mock webhook --port 9001",
        "lgsp mock webhook --status 503 --status 503 --retry-after 2",
        "lgsp mock webhook --hang --first 1 --jwks http://127.0.0.1:8600/.well-known/jwks.json",
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Địa chỉ nghe. The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=9001, show_default=True, help="Cổng nghe. The port.")
@click.option("--status", "statuses", type=click.IntRange(200, 599), multiple=True, metavar="CODE",
              help="Trả lời lần lượt, sau đó 200. Answers in turn, then 200.")  # fmt: skip
@click.option("--always", type=click.IntRange(200, 599), default=200, metavar="CODE",
              help="Trả lời mọi lần còn lại. The answer from then on.")  # fmt: skip
@click.option("--delay", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
              help="Lỗi: trả lời chậm. Fault: answer late.")  # fmt: skip
@click.option("--hang", is_flag=True, help="Lỗi: không bao giờ trả lời. Fault: never answer.")
@click.option("--reset", is_flag=True, help="Lỗi: cắt kết nối. Fault: break the connection.")
@click.option("--redirect", metavar="URL", help="Lỗi: chuyển hướng. Fault: redirect.")
@click.option("--retry-after", metavar="SECONDS", help="Kèm Retry-After. With Retry-After.")
@click.option("--gone", is_flag=True, help="Lỗi: 410, không nhận nữa. Fault: 410, no more.")
@click.option("--first", type=click.IntRange(min=1), metavar="N",
              help="Lỗi chỉ ở N yêu cầu đầu. The faults hold for the first N requests.")  # fmt: skip
@click.option("--secret-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Khoá chung của chữ ký v1. The secret of v1.")  # fmt: skip
@click.option("--jwks", metavar="URL", help="Khoá công khai của trục cho v1a. The bus's keys for v1a.")
@for_seconds
@json_option
@click.pass_obj
def webhook(place: Place, /, host: str, port: int, seconds: float | None, **wish: Any) -> None:
    """Nơi nhận qua HTTP: in từng thông điệp và kết quả kiểm tra chữ ký. An HTTP recipient, a line a message."""
    from gateway.compose import stand_in

    kind = stand_in("webhook")
    sink = kind.WebhookSink(secret=wish["secret_file"].read_text().strip() if wish["secret_file"] else None)
    sink.script, sink.usual = _answers(kind.Answer, wish)
    sink.on_received = lambda received: tell(
        place,
        "received",
        received.delivery,
        Text(
            f"← {received.status} {_shown(received.signatures)}", f"← {received.status} {_shown(received.signatures)}"
        ),
        message=received.message,
        attempt=received.headers.get("lgsp-attempt"),
        status=received.status,
        signatures=dict(received.signatures),
        size=len(received.body),
    )
    run(_listen(place, sink, host, port, wish["jwks"]), seconds)


def _answers(answer: Any, wish: dict[str, Any]) -> tuple[list[Any], Any]:
    headers = {"Retry-After": wish["retry_after"]} if wish["retry_after"] else {}
    good = answer(wish["always"], headers if wish["always"] >= 300 else {})
    script = [answer(status, headers if status >= 300 else {}) for status in wish["statuses"]]
    if not any(wish[name] for name in ("delay", "hang", "reset", "redirect", "gone")):
        return script, good
    status = 302 if wish["redirect"] else 410 if wish["gone"] else wish["always"]
    moved = {"Location": wish["redirect"]} if wish["redirect"] else {}
    bad = answer(status, {**headers, **moved}, delay=wish["delay"], hang=wish["hang"], reset=wish["reset"])
    return (script + list(itertools.repeat(bad, wish["first"])), good) if wish["first"] else (script, bad)


async def _listen(place: Place, sink: Any, host: str, port: int, jwks: str | None) -> None:
    sink.public_key = await _webhook_key(jwks) if jwks else None
    try:
        await sink.start(host, port)
    except OSError as error:
        raise Misconfigured(
            f"--port {port}",
            Text(f"Không mở được cổng {host}:{port} ({error.strerror})", f"{host}:{port} cannot be opened"),
            Text("Hãy chọn cổng khác.", "Choose another port."),
        ) from None
    place.say(f"Đang nghe tại {sink.url}", f"Listening at {sink.url}")
    place.give({"event": "listening", "url": sink.url})
    try:
        await asyncio.Event().wait()
    finally:
        await sink.stop()


async def _webhook_key(url: str) -> Ed25519PublicKey:
    """The webhook key of the JWKS at ``url``: the last Ed25519 key in it."""
    import base64

    import aiohttp
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(url) as answer,
        ):
            keys = (await answer.json())["keys"]
        found = [key for key in keys if key.get("crv") == "Ed25519"]
        x = found[-1]["x"]
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, IndexError, TypeError) as error:
        raise Misconfigured(
            f"--jwks {url}",
            Text(f"Không lấy được khoá của trục ({type(error).__name__})", "The keys of the bus cannot be fetched"),
            Text("Kiểm tra địa chỉ; trục phải đang chạy.", "Check the address; the gateway must be running."),
        ) from None


# ------------------------------------------------------------------------------------------------------ amqp


@mock.command(
    epilog=examples(
        "lgsp -C tinh mock amqp H33.16/dms",
        "lgsp -C tinh mock amqp H33.16/dms --deed reject --deed die --delay 0.5",
        "lgsp -C tinh mock amqp H33.16/dms --say refused --reason 'Sai định dạng'",
    )
)
@click.argument("system", metavar="CODE/NAME")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Mật khẩu của hệ thống; mặc định keys/CODE-NAME.amqp. Its password.")  # fmt: skip
@click.option("--deed", "deeds", type=click.Choice(["take", "reject", "requeue", "die"]), multiple=True,
              help="Lần lượt làm với từng thông điệp, sau đó take. Done in turn, then take.")  # fmt: skip
@click.option("--delay", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
              help="Lỗi: xử lý chậm. Fault: slow.")  # fmt: skip
@click.option("--say", type=click.Choice(["taken", "refused", "later", "nothing"]), default="taken",
              help='Trả lời trục (acknowledge = "receipt"). What the bus is told.')  # fmt: skip
@click.option("--reason", metavar="TEXT", help="Lý do kèm theo. The reason that goes along.")
@click.option("--jwks", metavar="URL", help="Khoá công khai của trục. The bus's keys.")
@for_seconds
@json_option
@click.pass_obj
def amqp(place: Place, /, system: str, password_file: Path | None, seconds: float | None, **wish: Any) -> None:
    """Nơi nhận qua AMQP: lấy từ hàng đợi của hệ thống, in từng thông điệp. A consumer of a system's own queue."""
    from gateway.compose import stand_in

    kind = stand_in("amqp")
    file = password_file or place.settings.folder / f"keys/{system.replace('/', '-')}.amqp"
    try:
        password = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            str(file),
            Text(f"Không đọc được mật khẩu ({type(error).__name__})", "The password cannot be read"),
            Text("Hãy chạy trước: lgsp apply", "Run first: lgsp apply"),
        ) from None
    desk = kind.desk_of(place.settings.broker_url, system, password)
    desk.script, desk.delay = list(wish["deeds"]), wish["delay"]
    headers = {"lgsp-reason": wish["reason"]} if wish["reason"] else {}
    desk.word = None if wish["say"] == "nothing" else kind.Word(wish["say"], headers)
    desk.on_received = lambda received: tell(
        place,
        "received",
        received.delivery,
        Text(f"← {received.deed}", f"← {received.deed}"),
        message=received.headers.get("lgsp-message"),
        attempt=received.headers.get("lgsp-attempt"),
        deed=received.deed,
        signed=received.is_signed,
        redelivered=received.is_redelivered,
        size=len(received.body),
    )
    run(_consume(place, desk, wish["jwks"]), seconds)


async def _consume(place: Place, desk: Any, jwks: str | None) -> None:
    desk.public_key = await _webhook_key(jwks) if jwks else None
    try:
        await desk.start()
    except desk.trouble as error:
        raise Misconfigured(
            desk.queue.name,
            Text(f"Không lấy được từ hàng đợi ({type(error).__name__})", "The queue cannot be consumed from"),
            Text(
                "Kiểm tra RabbitMQ có chạy không và đã chạy lgsp apply chưa.",
                "Check that RabbitMQ runs, and that lgsp apply was run.",
            ),
        ) from None
    place.say(f"Đang lấy từ {desk.queue.name}", f"Consuming from {desk.queue.name}")
    place.give({"event": "consuming", "queue": desk.queue.name})
    try:
        await desk.go_on()
    finally:
        await desk.stop()


# ---------------------------------------------------------------------------------------------------- running


def run(work: Coroutine[Any, Any, None], seconds: float | None) -> None:
    """Run until the time is up, Ctrl-C or SIGTERM."""
    asyncio.run(_until(work, seconds))


async def _until(work: Coroutine[Any, Any, None], seconds: float | None) -> None:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    if seconds is not None:
        loop.call_later(seconds, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def tell(place: Place, event: str, name: str, words: Text, **more: Any) -> None:
    """One thing that happened: a line for people, a JSON object for programs."""
    place.say(f"{words.vi} {name}", f"{words.en} {name}")
    place.give({"event": event, "name": name, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **more})


def _shown(signatures: Any) -> str:
    return json.dumps(dict(signatures)) if signatures else "—"
