"""A document larger than anybody would want in memory goes from folder to folder through the running program."""

from __future__ import annotations

from pathlib import Path

from tests.measure_edxml_memory import carry, made_province
from tests.outside.client import eventually

MEBIBYTE = 1 << 20


def test_a_document_of_54_megabytes_arrives_byte_for_byte_and_written_anew_in_bounded_memory(tmp_path: Path) -> None:
    with made_province(tmp_path / "tinh") as province:
        province.serve()
        carry(province, 0.2)
        done = carry(province, 40)
        assert done.size > 54_000_000
        assert (done.is_identical, done.is_written) == (True, True)
        assert done.risen < 24 * MEBIBYTE
        scratch = province.folder / "var/scratch"
        eventually(lambda: list(scratch.glob("*/*")), lambda left: left == [], within=15)
