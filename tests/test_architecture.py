"""What ARCHITECTURE.md shows is what the product is."""

from __future__ import annotations

from gateway.core.delivery import TABLE, State
from gateway.core.diagram import diagram
from tests.draw_states import ARCHITECTURE, drawn


def test_the_diagram_in_the_architecture_page_is_the_table_that_runs() -> None:
    text = ARCHITECTURE.read_text()

    assert drawn(text) == text, "run: make states"


def test_the_diagram_shows_every_step_and_every_state() -> None:
    text = diagram()

    for (before, signal), after in TABLE.items():
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{before} --> {after}:"))
        assert signal.__name__ in line
    assert all(state.value in text for state in State)
