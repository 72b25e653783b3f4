"""Checks of the gateway's own address: who listens there, and whether the public address leads to it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from gateway.cli.doctor.asking import Answer, ask
from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding
from gateway.core.faults import Text

_JWKS: Final = "/.well-known/jwks.json"
_READY: Final = "/health/ready"
_ANY: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask what listens everywhere


async def on_listening(line: aiohttp.ClientSession, settings: Settings, jwks: Mapping[str, Any]) -> list[Finding]:
    """The port of lgsp.toml: our own gateway and whether it is ready, a stranger, or free; then the public address."""
    host = _ANY.get(settings.host, settings.host)
    local = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    answer = await ask(line, "GET", local + _JWKS)
    if answer.is_refused:
        return [on_free_port(settings)]
    if not is_ours(answer, jwks):
        return [_stranger(settings.listen)]
    found = [on_ready(settings.listen, await ask(line, "GET", local + _READY))]
    return found + await on_public_url(line, settings, jwks)


def is_ours(answer: Answer, jwks: Mapping[str, Any]) -> bool:
    """Whether the answer is the key set of this very gateway."""
    try:
        told = json.loads(answer.body)
        return {key["kid"]: key for key in told["keys"]} == {key["kid"]: dict(key) for key in jwks["keys"]}
    except (ValueError, KeyError, TypeError):
        return False


def on_free_port(settings: Settings) -> Finding:
    """Nobody answers: the gateway does not run, and the port can be had or cannot."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        return Finding(
            "ports",
            "error",
            settings.listen,
            Text(f"Không mở được cổng ({reason})", f"The port cannot be opened ({reason})"),
            Text("Sửa gateway.listen trong lgsp.toml.", "Mend gateway.listen in lgsp.toml."),
        )
    return Finding(
        "ports",
        "note",
        settings.listen,
        Text("Trục không chạy; cổng còn trống", "The gateway does not run; the port is free"),
        Text("Khởi động: lgsp serve, hoặc systemctl start lgsp.", "Start it: lgsp serve, or systemctl start lgsp."),
    )


def on_ready(where: str, answer: Answer) -> Finding:
    """What /health/ready says."""
    if answer.status == 200:
        return Finding("ports", "ok", where, Text("Trục đang chạy và sẵn sàng", "The gateway runs and is ready"))
    try:
        checks = json.loads(answer.body)["checks"]
        failed = ", ".join(sorted(name for name, is_well in checks.items() if not is_well))
    except (ValueError, KeyError, TypeError, AttributeError):
        failed = "?"
    return Finding(
        "ports",
        "error",
        where,
        Text(f"Trục đang chạy nhưng chưa sẵn sàng: {failed}", f"The gateway runs but is not ready: {failed}"),
        Text(
            "ledger: xem các mục đĩa và cơ sở dữ liệu ở đây; dispatch: khởi động lại trục và xem nhật ký.",
            "ledger: see disk and database here; dispatch: restart the gateway and read its log.",
        ),
    )


async def on_public_url(line: aiohttp.ClientSession, settings: Settings, jwks: Mapping[str, Any]) -> list[Finding]:
    """Whether what agencies call leads to this gateway, and whether the clock there is ours."""
    url = settings.public_url
    answer = await ask(line, "GET", url + _JWKS)
    if answer.status is None:
        return [
            Finding(
                "ports",
                "error",
                url,
                answer.trouble or Text("Không trả lời", "No answer"),
                Text(
                    "Kiểm tra proxy ngược, tường lửa, tên miền, chứng thư TLS; hoặc sửa public_url trong lgsp.toml.",
                    "Check reverse proxy, firewall, name and TLS certificate; or mend public_url in lgsp.toml.",
                ),
            )
        ]
    if not is_ours(answer, jwks):
        return [
            Finding(
                "ports",
                "error",
                url,
                Text("Địa chỉ công khai dẫn tới máy khác", "The public address leads to something else"),
                Text(
                    f"Cho proxy chuyển mọi đường dẫn tới {settings.listen}, hoặc sửa public_url trong lgsp.toml.",
                    f"Let the proxy pass every path on to {settings.listen}, or mend public_url in lgsp.toml.",
                ),
            ),
        ]
    reached = Finding("ports", "ok", url, Text("Dẫn tới đúng trục này", "It leads to this gateway"))
    ready = await ask(line, "GET", url + _READY)
    return [reached, *([] if ready.status == 200 else [on_ready(url, ready)]), *answer.on_clock(url)]


def _stranger(listen: str) -> Finding:
    return Finding(
        "ports",
        "error",
        listen,
        Text("Một chương trình khác, hoặc trục của tỉnh khác, đang giữ cổng này", "Another program has this port"),
        Text(
            "Tìm bằng: ss -ltnp; tắt nó, hoặc ghi cổng khác vào gateway.listen.",
            "Find it with: ss -ltnp; stop it, or write another port in gateway.listen.",
        ),
    )
