"""Draws the delivery table into ARCHITECTURE.md, between its two marks (``make states``)."""

from __future__ import annotations

from pathlib import Path

from gateway.core.diagram import diagram

ARCHITECTURE = Path(__file__).resolve().parents[1] / "ARCHITECTURE.md"
BEGIN = "<!-- states: drawn by make states -->"
END = "<!-- states end -->"


def drawn(text: str) -> str:
    """``text`` with today's diagram between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```mermaid\n{diagram()}\n```\n{END}{after}"


if __name__ == "__main__":
    ARCHITECTURE.write_text(drawn(ARCHITECTURE.read_text()))
