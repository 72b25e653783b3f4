"""``adapters try``: a system's adapter tried on samples; what would be sent and what would come of it, nothing sent."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from gateway.cli.frame import FAILED, Misuse, Place, examples, json_option
from gateway.core.faults import Misconfigured, Text, Violation

if TYPE_CHECKING:
    from gateway.config.settings import Settings
    from gateway.core.contract import Catalog
    from gateway.core.directory import System
    from gateway.ports import Sketch, Trying

_MOST_SAMPLE: Final = 16 << 20


@click.group(epilog=examples("lgsp -C tinh adapters try H33.07/dat-dai --sample mau.json"))
def adapters() -> None:
    """Bộ chuyển đổi: thử bằng mẫu. Adapters: tried on samples."""


@adapters.command("try", epilog=examples(
    "lgsp -C tinh adapters try H33.07/dat-dai --sample thong-diep.json",
    "lgsp -C tinh adapters try H33.07/dat-dai --as thay-doi --sample tra-loi.xml",
))  # fmt: skip
@click.argument("system", metavar="CODE/NAME")
@click.option("--sample", "samples", metavar="FILE", multiple=True, required=True, type=click.Path(path_type=Path),
              help="Tệp mẫu; nêu được nhiều lần. A sample; may be given several times.")  # fmt: skip
@click.option("--as", "part", metavar="PART", default=None,
              help="Phần của mô tả mà mẫu thuộc về. Which part of the description the sample belongs to.")  # fmt: skip
@json_option
@click.pass_obj
def try_samples(place: Place, system: str, samples: tuple[Path, ...], part: str | None) -> int | None:
    """Thử mẫu: sẽ gửi gì đi, sẽ nhận được thông điệp nào. What would be asked, what would come of an answer.

    Mẫu là một sự kiện của trục (type, data) thì cho xem lời gọi; mẫu khác là lời của phần mềm bên kia (--as). Không
    gửi gì, không đọc bí mật. An event of the bus shows the request; anything else is what the far side says (--as).
    Nothing is sent, no secret read. Exit status 1 where anything breaks a contract or cannot be said.
    """
    from gateway.config.catalog import builtin_folder, read_catalog

    trying = _trying(place.settings, system)
    catalog = read_catalog([builtin_folder(), *place.settings.contract_folders])
    is_whole = True
    for sample in samples:
        raw = _read(sample)
        event = _event(raw) if part is None else None
        if event is not None:
            sketch = asyncio.run(trying.outgoing(event))
        else:
            sketch = asyncio.run(trying.incoming(_part(trying, part), raw))
        members, is_right = _judged(place, catalog, sketch, event)
        is_whole = is_whole and is_right
        place.give({"file": str(sample), "result": "fit" if is_right else "failed", **members})
        if not place.as_json:
            click.echo(_shown(sample, members, place))
    return None if is_whole else FAILED


def _trying(settings: Settings, name: str) -> Trying:
    """The adapter's trial; raises Misuse for an unknown system, or one whose adapter has none."""
    from gateway.cli.descriptions import systems_in
    from gateway.compose.handouts import own_addresses
    from gateway.config.province import read_province
    from gateway.core.content import MemorySink
    from gateway.ports import AdapterContext
    from gateway.tongues import load_kind
    from gateway.trust.keyring import Keyring

    found: dict[str, System] = {each.name: each for each in systems_in(read_province(settings).rows)}
    if name not in found:
        known = ", ".join(sorted(found))
        raise Misuse(Text(f"không có hệ thống {name}, chỉ có {known}", f"there is no system {name}, only {known}"))
    system = found[name]
    kind: Any = load_kind(system.adapter, settings.adapter_folders)
    if not hasattr(kind, "dry"):
        raise Misuse(
            Text(
                f"bộ chuyển đổi {system.adapter} không thử bằng mẫu được",
                f"{system.adapter} cannot be tried on samples",
            )
        )
    context = AdapterContext(
        system=system, settings=system.settings, folder=settings.folder, user_agent="lgsp",
        webhook_signer=Keyring.read(settings).webhook, read_secret=_no_secret, open_file=_no_file,
        own_addresses=own_addresses(settings), now=time.time, new_sink=MemorySink,
    )  # fmt: skip
    trying: Trying = kind.dry(context)
    return trying


def _no_secret(file: str) -> bytes:
    del file
    return b"***"


def _no_file(sha256: str) -> BinaryIO:
    del sha256
    return io.BytesIO()


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MOST_SAMPLE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Misconfigured(
            str(file), Text(f"Không đọc được ({reason})", f"It cannot be read ({reason})"),
            Text("Kiểm tra tên tệp.", "Look at its name."),
        ) from None  # fmt: skip
    if len(raw) > _MOST_SAMPLE:
        raise Misconfigured(
            str(file), Text("Tệp quá lớn", "The file is too large"), Text("Dưới 16 MiB.", "Less than 16 MiB.")
        )
    return raw


def _event(raw: bytes) -> dict[str, Any] | None:
    """The sample where it is an event of the bus: it has a type and data."""
    from gateway.core.contract import dataschema_of
    from gateway.core.strictjson import StrictJsonError, parse_strict

    try:
        value = parse_strict(raw)
    except StrictJsonError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str) or not isinstance(value.get("data"), dict):
        return None
    if "dataschema" not in value and isinstance(value.get("version"), str):
        value["dataschema"] = dataschema_of(value["type"], value["version"])
    return value


def _part(trying: Trying, part: str | None) -> str:
    parts = list(trying.parts)
    if part is not None and part in parts:
        return part
    if part is None and len(parts) == 1:
        return parts[0]
    known = ", ".join(parts)
    raise Misuse(Text(f"cần --as, một trong: {known}", f"--as is needed, one of: {known}"))


def _judged(
    place: Place, catalog: Catalog, sketch: Sketch, event: Mapping[str, Any] | None
) -> tuple[dict[str, Any], bool]:
    """The sketch as JSON, with what breaks contracts; whether nothing does, and nothing is in the way."""
    said = []
    broken = _violations(catalog, event) if event is not None else []
    is_right = not sketch.troubles and not broken and (sketch.request is not None or bool(sketch.said))
    for each in sketch.said:
        found = _violations(catalog, each)
        is_right = is_right and not found
        said.append({**each, "violations": [_as_json(place, one) for one in found]})
    members = {
        "part": sketch.part,
        "request": None if sketch.request is None else dict(sketch.request),
        "said": said,
        "violations": [_as_json(place, one) for one in broken],
        "troubles": [place.in_words(each) for each in sketch.troubles],
    }
    return members, is_right


def _violations(catalog: Catalog, said: Mapping[str, Any]) -> list[Violation]:
    from gateway.core.contract import parse_dataschema

    schema = parse_dataschema(str(said.get("dataschema", "")))
    name, label = schema or (str(said.get("type")), str(said.get("version", "")))
    version = catalog.find(name, label)
    if version is None:
        missing = Text(f"Không có hợp đồng {name} {label}", f"There is no contract {name} {label}")
        return [Violation("", "contract", missing)]
    return list(version.check(said.get("data")))


def _as_json(place: Place, violation: Violation) -> dict[str, str]:
    return {"pointer": violation.pointer, "rule": violation.rule, "message": place.in_words(violation.message)}


def _shown(sample: Path, members: Mapping[str, Any], place: Place) -> str:
    """For people."""
    lines = [f"# {sample}: {members['part']}"]
    request = members["request"]
    if request is not None:
        lines.append(place.in_words(Text("Sẽ gửi (chưa gửi gì):", "Would be sent (nothing was):")))
        lines.append(f"  {request['method']} {request['address']}")
        lines += [f"  ? {name} = {value}" for name, value in request.get("params", {}).items()]
        lines += [f"  {name}: {value}" for name, value in request.get("fields", {}).items()]
        lines += ["", f"  {request['body']}"] if request["body"] else []
    lines += [f"  ✗ {each['pointer'] or '/'}: {each['message']}" for each in members["violations"]]
    for each in members["said"]:
        lines.append(f"→ {each['type']} {each['version']}  {each['subject']}")
        lines.append(json.dumps(each["data"], ensure_ascii=False, indent=2))
        lines += [f"  ✗ {one['pointer'] or '/'}: {one['message']}" for one in each["violations"]]
    lines += [f"✗ {each}" for each in members["troubles"]]
    return "\n".join(lines)
