"""The texts of notices read from folders: those that come with an adapter, and the province's in their place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.core.faults import Misconfigured, Text
from gateway.core.notices.wording import Wording, read_wordings


def wordings_in(
    folders: Sequence[Path], *, parts: frozenset[str], names: frozenset[str], where: str
) -> dict[str, Wording]:
    """Contract -> its texts, of the files ``CONTRACT.toml``; a later folder's file replaces an earlier one's.

    Raises Misconfigured naming ``where`` for what cannot be read, and for what ``read_wordings`` finds wrong.
    """
    try:
        files = {
            path.stem: path.read_bytes()
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.suffix == ".toml"
        }
    except OSError as error:
        raise Misconfigured(
            where,
            Text("Không đọc được thư mục lời văn", "The folder of texts cannot be read"),
            Text(f"Kiểm tra thư mục: {error.strerror}", f"Look at the folder: {error.strerror}"),
        ) from None
    return read_wordings(files, parts=parts, names=names, where=where)
