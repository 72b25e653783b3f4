"""The suites that backends inherit speak as plainly as tests do when something is not as promised."""

from __future__ import annotations

import pytest

for suite in ("tale", "accepting", "lanes", "steps", "office"):
    pytest.register_assert_rewrite(f"tests.conformance.ledger_{suite}")
