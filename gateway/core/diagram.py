"""The life of a delivery as a Mermaid state diagram, drawn from the table itself."""

from __future__ import annotations

from gateway.core.delivery import ENDED, TABLE, State


def diagram() -> str:
    """The text of the diagram: one arrow for each pair of states, labelled with the signals that lead along it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (before, signal), after in TABLE.items():
        arrows.setdefault((before, after), []).append(signal.__name__)
    lines = ["stateDiagram-v2", "    [*] --> queued: accepted", "    [*] --> blocked: accepted, the lane is busy"]
    lines += [f"    {before} --> {after}: {', '.join(signals)}" for (before, after), signals in arrows.items()]
    lines += [f"    {state} --> [*]" for state in State if state in ENDED]
    return "\n".join(lines)
