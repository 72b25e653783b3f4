"""The fixtures and options every test knows, and the rule that nothing is skipped in CI."""

from __future__ import annotations

import os
from collections.abc import Generator

import hypothesis
import pytest

# How long one example takes says more about the machine than about the rule it tests.
hypothesis.settings.register_profile("lienthong", deadline=None)
hypothesis.settings.load_profile("lienthong")

IN_CI = os.environ.get("CI", "").lower() == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=3, help="how often the kill tests visit each write point")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often a kill test visits each write point: 3, or as many as ``--rounds`` says."""
    return int(request.config.getoption("--rounds"))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI and report.skipped:
        _count_as_failed(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and report.skipped:
        _count_as_failed(report)
    return report


def _count_as_failed(report: pytest.CollectReport | pytest.TestReport) -> None:
    # What was not looked at in CI is not known to work.
    report.outcome = "failed"
    report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
