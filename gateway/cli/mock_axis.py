"""``mock vdxp``: the national document axis in small, in a process of its own, to connect a province to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import Place, examples, json_option
from gateway.cli.mock import for_seconds, mock, run, tell
from gateway.core.faults import Misconfigured, Text

_TICK = 0.2


@mock.command(
    epilog=examples(
        "lgsp -C tinh mock vdxp --port 9010 --secret-file keys/axis.secret --agency H33.05 --agency H33.16",
        "lgsp -C tinh mock vdxp --port 9010 --secret-file keys/axis.secret --agency H33.16 --letters 3 --to H33.16",
        "lgsp -C tinh mock vdxp --port 9010 --secret-file keys/axis.secret --fault sendEdoc=lost-reply",
    )
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Địa chỉ nghe. Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Cổng, 0 là cổng trống. The port.")
@click.option("--system", "own", default="00.33.W00", show_default=True, metavar="ID",
              help="Mã hệ thống của tỉnh. The province's system id.")  # fmt: skip
@click.option("--secret-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
              help="Tệp khoá bí mật, cùng tệp mà trục dùng. The secret, in the file that the bus reads.")  # fmt: skip
@click.option("--agency", "agencies", multiple=True, metavar="CODE",
              help="Cơ quan của tỉnh trên trục. An agency of the province.")  # fmt: skip
@click.option("--letters", type=click.IntRange(min=0), default=0, metavar="N",
              help="Văn phòng Chính phủ (G22) gửi N công văn mẫu. G22 sends N letters made up.")  # fmt: skip
@click.option("--to", "recipients", multiple=True, metavar="CODE", help="Nơi nhận. Who receives them.")
@click.option("--every", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
              help="Khoảng cách giữa hai công văn. Time between two.")  # fmt: skip
@click.option("--answer", metavar="CODE", type=click.Choice(["01", "02", "03", "04", "05", "06"]),
              help="Nơi nhận ở tỉnh bạn báo trạng thái này. Receivers elsewhere report this.")  # fmt: skip
@click.option("--fault", "faults", multiple=True, metavar="OP=KIND[:VALUE]",
              help="Lỗi một lần của một thao tác: lost-reply, code:21, html, … A fault, once.")  # fmt: skip
@for_seconds
@json_option
@click.pass_obj
def vdxp(place: Place, /, seconds: float | None, **wish: Any) -> None:
    """Trục văn bản quốc gia thu nhỏ, kiểm tra chặt từng yêu cầu. The document axis in small, strict on each request."""
    from gateway.compose import stand_in

    kind = stand_in("vdxp")
    axis = kind.Axis()
    kind.a_small_country(axis)
    del axis.keeper.members[kind.SYSTEM]
    secret = wish["secret_file"].read_text("utf-8").strip()
    axis.join(wish["own"], secret, [kind.Listed(code, f"Cơ quan {code}") for code in wish["agencies"]])
    for each in wish["faults"]:
        operation, _, fault = each.partition("=")
        try:
            axis.faults.once(operation, kind.a_fault(fault))
        except ValueError:
            raise Misconfigured(
                f"--fault {each}",
                Text("Không có lỗi này", "There is no such fault"),
                Text(f"Chọn một trong: {', '.join(kind.FAULTS)}.", f"One of: {', '.join(kind.FAULTS)}."),
            ) from None
    run(_serve(place, axis, kind, wish), seconds)


async def _serve(place: Place, axis: Any, kind: Any, wish: dict[str, Any]) -> None:
    try:
        await axis.start(wish["host"], wish["port"])
    except OSError as error:
        raise Misconfigured(
            f"--port {wish['port']}",
            Text(f"Không mở được cổng ({error.strerror})", "The port cannot be opened"),
            Text("Hãy chọn cổng khác.", "Choose another port."),
        ) from None
    place.say(f"Đang nghe tại {axis.url}", f"Listening at {axis.url}")
    place.give({"event": "listening", "url": axis.url})
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_send(place, axis, kind, wish))
            both.create_task(_watch(place, axis, kind, wish["answer"]))
    finally:
        await axis.stop()


async def _send(place: Place, axis: Any, kind: Any, wish: dict[str, Any]) -> None:
    for number in range(1, wish["letters"] + 1):
        doc_id = axis.put(kind.a_letter(number, to=list(wish["recipients"]) or list(wish["agencies"])[:1]), "G22")
        tell(place, "listed", doc_id, Text("→ đã đưa lên trục", "→ listed"))
        await asyncio.sleep(wish["every"])


async def _watch(place: Place, axis: Any, kind: Any, code: str | None) -> None:
    """A line for each document handed in, each item settled and each request that was out of frame."""
    known: set[str] = set()
    seen = 0
    while True:
        for kept in [each for each in axis.keeper.documents.values() if each.fields and each.doc_id not in known]:
            known.add(kept.doc_id)
            to = [item.receiver for item in axis.keeper.items if item.document is kept]
            tell(place, "taken", kept.doc_id, Text("← đã nhận", "← taken"), type=kept.type, sender=kept.sender, to=to,
                 size=len(kept.raw), delivery=kept.fields.get("lgsp-delivery"))  # fmt: skip
            if code is not None and kept.type == "edoc":
                for receiver in to:
                    axis.put(kind.an_answer(kept.raw, code, receiver), receiver)
        for item in axis.keeper.items:
            mark = f"{item.receiver_doc_id} {item.receiver} {item.status}"
            if item.status in {"done", "fail"} and mark not in known:
                known.add(mark)
                words = Text("✓ đã xong", "✓ done") if item.status == "done" else Text("✗ bị trả lại", "✗ failed")
                tell(place, item.status, item.receiver_doc_id, words, to=item.receiver, note=item.note)
        for wrong in axis.doors.violations[seen:]:
            tell(place, "violation", wrong, Text("! sai khung", "! out of frame"))
        seen = len(axis.doors.violations)
        await asyncio.sleep(_TICK)


__all__ = ["mock", "vdxp"]
