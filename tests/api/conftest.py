"""The open hall, for every test of the doors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.hall import Hall, open_hall


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """The doors, open on a loopback port, with the town behind them."""
    async with open_hall(tmp_path) as opened:
        yield opened
