"""The example province of ``deploy/example`` on this machine: copied, given keys and ports, ready to serve."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
from pathlib import Path
from typing import Final

import gateway
from gateway.cli.founding import found_province
from gateway.config.keys import new_key_pem, self_signed, write_new
from gateway.core.faults import Misconfigured, Text

ROOT: Final = Path(gateway.__file__).resolve().parent.parent
EXAMPLE: Final = ROOT / "deploy" / "example"
#: Real messages, where the checkout stands beside them; else the project's own.
REAL_SAMPLES: Final = ROOT.parent / "shared" / "samples" / "edxml"
SYSTEM: Final = "H33.14/lgsp"
#: What the province is called on the national axis, and what it signs with there.
AXIS_SYSTEM: Final = "00.33.W00"
AXIS_SECRET: Final = "keys/axis.secret"  # noqa: S105 - a path
#: Systems that sign for themselves or fetch with a key: name of the key file -> system.
OWN_KEYS: Final = {
    "H33.05-app": "H33.05/app",
    "H33.08-dms": "H33.08/dms",
    "H33.30-dms": "H33.30/dms",
    "H33.07.03-dms": "H33.07.03/dms",
}


def samples() -> tuple[Path, list[Path]]:
    """The folder of sample documents and its files in order."""
    folder = REAL_SAMPLES if REAL_SAMPLES.is_dir() else EXAMPLE / "documents"
    return folder, sorted(path for path in folder.iterdir() if path.suffix in {".edxml", ".json"})


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_example(folder: Path, *, urls: dict[str, str]) -> int:
    """Found the example province in ``folder``; ``urls`` gives each agency that is called its address. The port."""
    if not EXAMPLE.is_dir():
        raise Misconfigured(
            str(EXAMPLE),
            Text("Không có thư mục tỉnh mẫu", "The example province is not there"),
            Text("Hãy chạy từ mã nguồn đầy đủ.", "Run from a complete checkout."),
        )
    found_province(folder, SYSTEM)
    port = free_port()
    settings = folder / "lgsp.toml"
    settings.write_text(settings.read_text().replace("8600", str(port)))
    for kind in ("agencies", "agreements"):
        for file in sorted((EXAMPLE / kind).glob("*.toml")):
            text = file.read_text()
            if file.stem in urls:
                text = re.sub(r"http://127\.0\.0\.1:PORT/\w+", urls[file.stem], text)
            (folder / kind / file.name).write_text(text)
    for stem, system in OWN_KEYS.items():
        key, pem = new_key_pem()
        write_new(folder / "keys" / f"{stem}.pem", pem, mode=0o600)
        write_new(folder / "keys" / f"{stem}.crt", self_signed(key, system), mode=0o644)
    write_new(folder / AXIS_SECRET, f"{secrets.token_hex(16)}\n".encode(), mode=0o600)
    return port


def forget_example(folder: Path) -> None:
    """Remove what the demo made."""
    shutil.rmtree(folder, ignore_errors=True)
