"""``send``, ``inbox``, ``status``: what an agency's system does, with its own key."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.frame import FAILED, Misuse, Place, examples, json_option, opened_ledger
from gateway.core.faults import PROBLEMS, Misconfigured, Rejected, Text

if TYPE_CHECKING:
    from gateway.client.bus import Refused
    from gateway.core.jws import Signer

_MAX_DATA: Final = 1024 * 1024
_PRIORITIES: Final = ("normal", "urgent", "very-urgent", "express")

as_option = click.option(
    "--as", "system", required=True, metavar="CODE/NAME",
    help="Hệ thống gửi hoặc nhận. The system that acts.",
)  # fmt: skip
key_option = click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE",
    help="Khoá bí mật PEM; mặc định keys/CODE-NAME.pem. The private key.",
)  # fmt: skip
cert_option = click.option(
    "--cert", type=click.Path(path_type=Path), metavar="FILE",
    help="Chứng thư PEM đã đăng ký; mặc định cạnh khoá. The registered certificate.",
)  # fmt: skip
url_option = click.option("--url", metavar="URL", help="Địa chỉ của trục; mặc định public_url. The address of the bus.")


@click.command(
    epilog=examples(
        "lgsp -C tinh send congvan.json --as H33.05/dms --to H33.16",
        "lgsp send - --as H33.05/dms --to H33.16 --contract document.issued/2.0 --url https://lgsp.example.vn"
        " --key dms.pem --cert dms.crt",
    )
)
@click.argument("file", metavar="FILE", type=click.File("rb"))
@as_option
@click.option("--to", multiple=True, metavar="CODE[/NAME]",
              help="Nơi nhận; bỏ trống: mọi nơi đăng ký. A recipient; may be repeated.")  # fmt: skip
@click.option("--contract", default="document.issued/1.0", show_default=True, metavar="NAME/VERSION",
              help="Hợp đồng dữ liệu. The contract.")  # fmt: skip
@click.option("--subject", metavar="TEXT", help="Khoá nghiệp vụ; mặc định documentId hoặc tên tệp. The business key.")
@click.option("--priority", type=click.Choice(_PRIORITIES), help="Độ khẩn. The priority.")
@click.option("--purpose", metavar="TEXT", help="Mục đích theo thoả thuận. The agreement's purpose.")
@click.option("--id", "id_", metavar="UUID", help="Mã thông điệp; mặc định sinh mới. The message id.")
@key_option
@cert_option
@url_option
@json_option
@click.pass_obj
def send(place: Place, *, file: Any, system: str, to: tuple[str, ...], contract: str, subject: str | None,
         priority: str | None, purpose: str | None, id_: str | None, key: Path | None, cert: Path | None,
         url: str | None) -> int | None:  # fmt: skip
    """Ký và gửi một thông điệp; FILE chứa dữ liệu JSON. Sign and send one message; FILE holds its data."""
    from gateway.client.bus import Bus, Refused
    from gateway.client.message import make_event, new_id
    from gateway.core.contract import is_contract_name, parse_label
    from gateway.core.envelope import seal

    name, _, version = contract.partition("/")
    if not is_contract_name(name) or parse_label(version) is None:
        raise Misuse(
            Text(
                "--contract có dạng NAME/MAJOR.MINOR, ví dụ document.issued/1.0",
                "--contract is NAME/MAJOR.MINOR, for example document.issued/1.0",
            )
        )
    signer = signer_of(place, system, key, cert)
    data = data_of(file)
    now = time.time()
    event = make_event(
        id=id_ or new_id(now, secrets.token_bytes(10)),
        source=system,
        contract=name,
        version=version,
        subject=subject or _subject(data, str(file.name)),
        now=now,
        data=data,
        extensions={"to": " ".join(to) or None, "priority": priority, "purpose": purpose},
    )
    envelope = seal(event, signer)

    async def work() -> dict[str, Any]:
        async with Bus.reach(url or place.settings.public_url, language=place.language or "vi") as bus:
            return await bus.send(envelope)

    try:
        answer = asyncio.run(work())
    except Refused as refused:
        return tell_refusal(place, refused)
    recipients = answer.get("recipients", [])
    place.give(answer)
    place.say(
        f"Trục đã nhận thông điệp {answer.get('id')}.\n"
        f"Nơi nhận: {', '.join(recipients) or 'chưa có nơi nào đăng ký'}\nBiên nhận: {answer.get('receipt')}",
        f"The bus accepted message {answer.get('id')}.\n"
        f"Recipients: {', '.join(recipients) or 'nobody subscribes yet'}\nReceipt: {answer.get('receipt')}",
    )
    return None


@click.command(
    epilog=examples("lgsp -C tinh inbox --as H33.16/dms --max 5", "lgsp -C tinh inbox --as H33.16/dms --take")
)
@as_option
@click.option("--max", "most", type=click.IntRange(1, 500), default=10, show_default=True,
              help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
@click.option("--wait", type=click.FloatRange(0, 60), default=0, show_default=True,
              help="Chờ bao nhiêu giây. Wait so many seconds.")  # fmt: skip
@click.option("--visibility", type=click.FloatRange(1, 3600), default=30, show_default=True,
              help="Giữ bao nhiêu giây. Lease for so many seconds.")  # fmt: skip
@click.option("--take", is_flag=True, help="Xác nhận đã nhận ngay. Settle them as taken.")
@click.option("--show", is_flag=True,
              help="Hiện cả dữ liệu cá nhân (--json luôn đủ). Show what is personal.")  # fmt: skip
@key_option
@cert_option
@url_option
@json_option
@click.pass_obj
def inbox(place: Place, *, system: str, most: int, wait: float, visibility: float, take: bool, show: bool,
          key: Path | None, cert: Path | None, url: str | None) -> int | None:  # fmt: skip
    """Lấy thông điệp đang chờ của một hệ thống. Lease what waits for a system."""
    from gateway.client.bus import Bus, Refused

    signer = signer_of(place, system, key, cert)

    async def work() -> list[dict[str, Any]]:
        async with Bus.reach(url or place.settings.public_url, language=place.language or "vi") as bus:
            token = await bus.token(signer, system)
            leased = await bus.lease(token, most=most, wait=wait, visibility=visibility)
            if leased:
                # shown before they are settled: what could not be shown is not taken
                _show(place, leased, is_whole=show)
            if take and leased:
                await bus.settle(token, taken=[each["delivery"] for each in leased])
            return leased

    try:
        leased = asyncio.run(work())
    except Refused as refused:
        return tell_refusal(place, refused)
    if not leased:
        place.say("Không có thông điệp nào đang chờ.", "Nothing waits.")
    elif take:
        place.say(f"Đã xác nhận nhận {len(leased)} thông điệp.", f"Took {len(leased)} messages.")
    return None


@click.command(epilog=examples("lgsp -C tinh status 0190c2a4-… ", "lgsp -C tinh status 0190c2a4-… --as H33.05/dms"))
@click.argument("id_", metavar="ID")
@click.option("--as", "system", metavar="CODE/NAME",
              help="Với tư cách hệ thống này; bỏ trống: đọc kho. As this system; else the ledger.")  # fmt: skip
@key_option
@cert_option
@url_option
@json_option
@click.pass_obj
def status(place: Place, *, id_: str, system: str | None, key: Path | None, cert: Path | None,
           url: str | None) -> int | None:  # fmt: skip
    """Thông điệp đã đi đến đâu. What became of a message."""
    from gateway.cli.timeline import members_of, told
    from gateway.client.bus import Bus, Refused

    async def asked(signer: Signer, name: str) -> dict[str, Any]:
        async with Bus.reach(url or place.settings.public_url, language=place.language or "vi") as bus:
            return await bus.message(await bus.token(signer, name), id_)

    async def looked_up() -> dict[str, Any]:
        async with opened_ledger(place.settings, must_exist=True) as ledger:
            record = await ledger.find(id_.lower())
        if record is None:
            raise Rejected("not-found", Text(f"Không có thông điệp {id_}.", f"There is no message {id_}."))
        return members_of(record)

    try:
        if system is None:
            message = asyncio.run(looked_up())
        else:
            message = asyncio.run(asked(signer_of(place, system, key, cert), system))
    except Refused as refused:
        return tell_refusal(place, refused)
    place.give(message)
    if not place.as_json:
        for line in told(message, place.language or "vi"):
            click.echo(line)
    return None


def signer_of(place: Place, system: str, key: Path | None, cert: Path | None) -> Signer:
    """The system's key: the one that was named, or the one in the province's keys/."""
    from gateway.client.identity import find_files, read_signer

    if key is None:
        key, beside = find_files(place.folder / "keys", system)
    else:
        beside = key.with_suffix(".crt")
    return read_signer(key, cert or beside)


def data_of(file: Any) -> Any:
    """A message's data out of a file; raises Misconfigured or Rejected where it is no JSON that may be sent."""
    from gateway.core.strictjson import StrictJsonError, parse_strict

    raw = file.read(_MAX_DATA + 1)
    try:
        if len(raw) > _MAX_DATA:
            raise StrictJsonError("over 1 MiB")
        return parse_strict(raw)
    except StrictJsonError as error:
        raise Misconfigured(
            str(file.name),
            Text(f"Tệp không phải dữ liệu JSON dùng được ({error})", f"Not JSON that can be sent ({error})"),
            Text(
                "Hãy sửa tệp: một đối tượng JSON, UTF-8, dưới 1 MiB.", "Mend it: one JSON object, UTF-8, under 1 MiB."
            ),
        ) from None


def _subject(data: Any, file: str) -> str:
    named = data.get("documentId") if isinstance(data, dict) else None
    return named if isinstance(named, str) and 0 < len(named) <= 256 else Path(file).stem


def _show(place: Place, leased: list[dict[str, Any]], *, is_whole: bool) -> None:
    from gateway.core.envelope import parse_event
    from gateway.core.jws import split
    from gateway.core.masking import masked

    for each in leased:
        event = parse_event(split(each["envelope"].encode()).payload)
        place.give({**each, "event": event})
        place.say(
            f"{each['delivery']}  lần {each['attempt']}  {event['type']}  từ {event['source']}  {event['subject']}",
            f"{each['delivery']}  try {each['attempt']}  {event['type']}  from {event['source']}  {event['subject']}",
        )
        if not place.as_json:
            data = event["data"] if is_whole else masked(schema_of(str(event["dataschema"])), event["data"])
            click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def schema_of(dataschema: str) -> dict[str, Any]:
    """The schema of data to be shown; where this machine does not know it an empty one, under which all is masked."""
    from gateway import compose

    name, _, label = dataschema.removeprefix("urn:lgsp:contract:").rpartition(":")
    version = compose.built_in_catalog().find(name, label)
    return {} if version is None else dict(version.schema)


def tell_refusal(place: Place, refused: Refused) -> int:
    """What the bus refused, for people on stderr; the problem itself for programs."""
    problem = refused.problem
    title = PROBLEMS.get(refused.name, Text(f"Trục từ chối ({refused})", f"The bus refused ({refused})"))
    place.complain(
        Text(f"✗ {refused.status} {refused.name}: {title.vi}.", f"✗ {refused.status} {refused.name}: {title.en}.")
    )
    if detail := problem.get("detail") or problem.get("error_description"):
        click.echo(f"    {detail}", err=True)
    for violation in problem.get("violations", []):
        click.echo(f"    {violation.get('pointer') or '/'}: {violation.get('message')}", err=True)
    if problem.get("recipients"):
        click.echo(f"    {', '.join(problem['recipients'])}", err=True)
    place.give({"result": "failed", "status": refused.status, **problem})
    return FAILED
