"""Alerts ring when they should and say who does what; every figure that alerts and board name is really counted."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.api.problems import STATUS
from gateway.core.failure import Kind
from gateway.ports.records import AttemptOutcome
from tests.deploy.reading import DEPLOY, documents, groupings, own_metrics, program, selectors

RULES = sorted((DEPLOY / "prometheus").glob("*.rules.yml"))
BOARD = DEPLOY / "grafana/lgsp.json"
#: Of Debian's exporters and RabbitMQ's own plugin, looked up there when these files were written, and of HAProxy, which
#: the tests ask themselves (test_haproxy).
NEIGHBOURS = frozenset(
    "up ALERTS haproxy_backend_active_servers haproxy_backend_current_queue haproxy_server_status"
    " rabbitmq_alarms_memory_used_watermark rabbitmq_alarms_free_disk_space_watermark pg_up"
    " pg_stat_replication_pg_wal_lsn_diff node_filesystem_avail_bytes node_filesystem_size_bytes"
    " node_timex_offset_seconds node_timex_sync_status".split()
)
#: Labels that Prometheus adds to whatever it gathers, and those of several processes at one port.
ADDED = {"job", "instance", "worker"}
#: What a label of ours may be asked for; the source of truth stands in the type or table.
VALUES: dict[str, set[str]] = {
    "kind": set(Kind.__args__),  # type: ignore[attr-defined]
    "outcome": {*AttemptOutcome.__args__, "accepted", "repeated", *STATUS},  # type: ignore[attr-defined]
}


def promtool(*arguments: object) -> str:
    """What Prometheus' own checker says; fails where it finds something."""
    command = [program("promtool", "prometheus"), *map(str, arguments)]
    ended = subprocess.run(command, cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def rules() -> list[dict[str, Any]]:
    """Every rule, alerts and recordings."""
    return [rule for path in RULES for group in documents(path)[0]["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def panels() -> Iterator[dict[str, Any]]:
    """Every panel of the board that shows something."""
    yield from (panel for panel in json.loads(BOARD.read_text())["panels"] if panel["type"] != "row")


def expressions() -> dict[str, str]:
    """Every expression of rules and board, by where it stands."""
    found = {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}
    for panel in panels():
        found |= {f"{panel['title']} {target['refId']}": target["expr"] for target in panel["targets"]}
    for each in json.loads(BOARD.read_text())["annotations"]["list"]:
        found[each["name"]] = each["expr"]
    return found


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    assert "SUCCESS" in promtool("check", "rules", *RULES)
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "prometheus.yml")


@pytest.mark.parametrize("name", [path.name for path in sorted((DEPLOY / "prometheus").glob("*.test.yml"))])
def test_each_alert_rings_when_it_should_and_not_before(name: str) -> None:
    promtool("test", "rules", name)


def test_every_alert_has_been_made_to_ring() -> None:
    told = "".join(path.read_text() for path in (DEPLOY / "prometheus").glob("*.test.yml"))
    assert [name for name in alerts() if not re.search(rf"\b{name}\b", told)] == []


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_in_two_languages_who_must_do_what_and_where_the_book_says_how(name: str) -> None:
    rule = alerts()[name]
    vi, _, en = rule["annotations"]["summary"].partition(" / ")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.search("người (vận hành|quản trị|đã giữ)", vi), "who, in Vietnamese first"
    assert re.search("operator|administrator|who put it there", en)
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert file == "file:///opt/lgsp/deploy/README.md"
    assert f'<a id="{anchor}"></a>' in (DEPLOY / "README.md").read_text()


@pytest.mark.parametrize("where", expressions())
def test_every_figure_named_is_counted_with_these_labels(where: str) -> None:
    ours = own_metrics()
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for name, labels in selectors(expressions()[where]):
        if name in ours:
            assert labels <= ours[name] | ADDED, name
        else:
            assert name in NEIGHBOURS | recorded, f"nothing counts {name}"


@pytest.mark.parametrize("where", expressions())
def test_every_value_that_a_label_is_asked_for_can_be_there(where: str) -> None:
    for label, known in VALUES.items():
        for asked in re.findall(rf'\b{label}(?:=|!=|=~|!~)"([^"]*)"', expressions()[where]):
            assert set(asked.split("|")) <= known, (label, asked)


def test_what_is_gathered_by_is_a_label_of_something_named() -> None:
    ours = own_metrics()
    for where, expression in expressions().items():
        named = {label for name, _ in selectors(expression) for label in ours.get(name, ())}
        assert groupings(expression) <= named | ADDED | {"recipient", "error", "kind"}, where


def test_the_board_can_be_imported_and_speaks_two_languages() -> None:
    board = json.loads(BOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(" / " in panel["title"] for panel in board["panels"])
    assert all(target["datasource"]["uid"] == "${source}" for panel in panels() for target in panel["targets"])
    assert {each["name"] for each in board["templating"]["list"]} == {"source", "instance"}
