"""Finds adapters by their place: a folder with an ``adapter.py`` is an adapter, its name is the folder's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gateway
from gateway.config.settings import Settings
from gateway.core.faults import Misconfigured, Text

SCHEMA: Final = "settings.schema.json"
MODULE: Final = "adapter.py"


def builtin_adapters() -> Path:
    """The folder of the adapters that come with the product: beside the package ``gateway``."""
    return Path(gateway.__file__).resolve().parent.parent / "adapters"


def adapter_folders(settings: Settings) -> dict[str, Path]:
    """Name -> folder of every adapter there is; the built-in ones first, a province's own may not shadow one.

    Raises Misconfigured where two adapters have one name.
    """
    found: dict[str, Path] = {}
    for root in (builtin_adapters(), *settings.adapter_folders):
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if not (folder / MODULE).is_file():
                continue
            if folder.name in found:
                raise Misconfigured(
                    settings.shown(folder),
                    Text(f"Đã có bộ chuyển đổi tên {folder.name}", f"There is an adapter named {folder.name} already"),
                    Text("Hãy đổi tên thư mục này.", "Rename this folder."),
                )
            found[folder.name] = folder
    return found


def settings_schema(settings: Settings, folder: Path) -> Mapping[str, Any]:
    """The JSON Schema of an adapter's settings; raises Misconfigured where it has none that can be read."""
    path = folder / SCHEMA
    try:
        loaded = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        loaded = None
    if not isinstance(loaded, dict):
        raise Misconfigured(
            settings.shown(path),
            Text("Thiếu lược đồ cấu hình của bộ chuyển đổi", "The adapter has no readable settings schema"),
            Text(
                "Người viết bộ chuyển đổi hãy thêm tệp này (xem adapters/skeleton).",
                "The adapter's author adds this file (see adapters/skeleton).",
            ),
        )
    return loaded
