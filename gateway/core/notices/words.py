"""Words for people about moments and sums, in the two languages of the bus. Pure."""

from __future__ import annotations

from datetime import datetime

from gateway.core.faults import Text
from gateway.core.moments import VIET_NAM


def moment_words(moment: float) -> str:
    """A moment (seconds since 1970) as offices write it: ``17:00 20/11/2026``, Viet Nam's time."""
    return datetime.fromtimestamp(moment, tz=VIET_NAM).strftime("%H:%M %d/%m/%Y")


def sum_words(dong: int) -> Text:
    """A sum of money: ``150.000 đồng``."""
    return Text(f"{dong:,}".replace(",", ".") + " đồng", f"VND {dong:,}")
