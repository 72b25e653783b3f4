"""``ask``: one question to one provider, as an agency's system asks it; what is personal is shown on demand alone."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import Misuse, Place, examples, json_option
from gateway.cli.messages import (
    as_option,
    cert_option,
    data_of,
    key_option,
    schema_of,
    signer_of,
    tell_refusal,
    url_option,
)
from gateway.core.faults import Text
from gateway.core.masking import masked


@click.command(
    epilog=examples(
        "lgsp -C tinh ask hoi.json --as H33.05/dms --to H33.16 --contract citizen.lookup/1.0 --purpose giai-quyet-tthc"
        " --subject 000000000000"
    )
)
@click.argument("file", metavar="FILE", type=click.File("rb"))
@as_option
@click.option("--to", required=True, metavar="CODE[/NAME]", help="Nơi cung cấp. The provider.")
@click.option("--contract", required=True, metavar="NAME/VERSION", help="Hợp đồng truy vấn. The query's contract.")
@click.option("--purpose", metavar="TEXT", help="Mục đích theo thoả thuận. The agreement's purpose.")
@click.option("--subject", required=True, metavar="TEXT",
              help="Mã của người hoặc đối tượng được hỏi. What it is about.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0.1, 60), default=10, show_default=True,
              help="Chờ nhiều nhất bao nhiêu giây. Wait so many seconds at most.")  # fmt: skip
@click.option("--show", is_flag=True, help="Hiện cả dữ liệu cá nhân. Show what is personal, too.")
@key_option
@cert_option
@url_option
@json_option
@click.pass_obj
def ask(place: Place, *, file: Any, system: str, to: str, contract: str, purpose: str | None, subject: str,
        timeout: float, show: bool, key: Path | None, cert: Path | None, url: str | None) -> int | None:  # fmt: skip
    """Hỏi một nơi cung cấp; FILE là nội dung hỏi. Ask a provider; FILE holds the question's data.

    Dữ liệu cá nhân trong câu trả lời được che, trừ khi có --show. What is personal is masked unless --show is given.
    """
    from gateway.client.bus import Bus, Refused
    from gateway.client.message import make_event, new_id
    from gateway.core.contract import is_contract_name, parse_label
    from gateway.core.envelope import seal

    name, _, version = contract.partition("/")
    if not is_contract_name(name) or parse_label(version) is None:
        raise Misuse(
            Text(
                "--contract có dạng NAME/MAJOR.MINOR, ví dụ citizen.lookup/1.0",
                "--contract is NAME/MAJOR.MINOR, for example citizen.lookup/1.0",
            )
        )
    signer, data, now = signer_of(place, system, key, cert), data_of(file), time.time()
    event = make_event(
        id=new_id(now, secrets.token_bytes(10)), source=system, contract=name, version=version, subject=subject,
        now=now, data=data, extensions={"to": to, "purpose": purpose},
    )  # fmt: skip
    envelope = seal(event, signer)

    async def work() -> bytes:
        async with Bus.reach(url or place.settings.public_url, language=place.language or "vi") as bus:
            return await bus.query(await bus.token(signer, system), envelope, within=timeout)

    try:
        answer = asyncio.run(work())
    except Refused as refused:
        return tell_refusal(place, refused)
    _show(place, _spoken(answer), is_whole=show)
    return None


def _spoken(answer: bytes) -> dict[str, Any]:
    from gateway.core.jws import NotAJws, split
    from gateway.core.strictjson import StrictJsonError, parse_strict

    try:
        said: dict[str, Any] = parse_strict(split(answer).payload)
    except (NotAJws, StrictJsonError):
        raise _not_understood() from None
    return said


def _show(place: Place, said: dict[str, Any], *, is_whole: bool) -> None:
    data = said.get("data")
    shown = data if is_whole else masked(schema_of(str(said.get("dataschema", ""))), data)
    given = {name: value for name, value in said.items() if name not in {"data", "subject"} or is_whole}
    place.give({**given, "data": shown})
    origin = said.get("originsource") or said.get("source")
    place.say(f"{origin} trả lời ({said.get('type')}):", f"{origin} answers ({said.get('type')}):")
    if not place.as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


def _not_understood() -> Misuse:
    return Misuse(
        Text("Trục trả lời không phải phong bì; kiểm tra --url.", "The answer is no envelope; check --url."),
    )
