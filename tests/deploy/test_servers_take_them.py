"""The servers beside the gateways take the files that are shipped for them, and do what these say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.broker.rabbitmq.topology import DELIVER, PARK, STEPS, queue_of, retry_arguments
from gateway.core.agency_queue import AgencyQueue
from tests.deploy.reading import DEPLOY, program
from tests.servers.rabbitmq import RabbitApi

CLUSTER = DEPLOY / "cluster"


def of_postgres(name: str, folder: Path, *more: str) -> str:
    """The value of a setting as PostgreSQL reads it from the shipped file."""
    postgres = Path(program("postgres", "postgresql", "/usr/lib/postgresql/*/bin"))
    (folder / "PG_VERSION").write_text(f"{postgres.parents[1].name}\n")
    # Asked for a value and nothing else, first of all: root may do that, too.
    told = ["-C", name, "-D", str(folder), "-c", f"config_file={CLUSTER}/postgres/postgresql.conf", *more]
    read = subprocess.run([str(postgres), *told], capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    return read.stdout.strip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("synchronous_commit", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("wal_level", "replica"),
        ("synchronous_standby_names", ""),
        ("max_connections", "200"),
        ("idle_in_transaction_session_timeout", "60000"),
    ],
)
def test_postgresql_reads_the_configuration_and_means_what_the_book_says(name: str, value: str, tmp_path: Path) -> None:
    assert of_postgres(name, tmp_path) == value


def test_the_standbys_that_the_book_names_are_names_that_postgresql_takes(tmp_path: Path) -> None:
    page = (CLUSTER / "README.md").read_text()
    names = set(re.findall(r"synchronous_standby_names = '(.+?)'\"", page))
    assert names
    for each in names:
        assert of_postgres("synchronous_standby_names", tmp_path, "-c", f"synchronous_standby_names={each}") == each


def test_rabbitmq_takes_the_policies_which_add_to_what_the_gateways_say_themselves(
    rabbit_url: str, rabbit_api: RabbitApi
) -> None:
    vhost = rabbit_url.rpartition("/")[2]
    policies = json.loads((CLUSTER / "rabbitmq/definitions.json").read_text())["policies"]
    for policy in policies:
        body = {name: policy[name] for name in ("pattern", "definition", "priority", "apply-to")}
        rabbit_api.ask("PUT", "policies", vhost, policy["name"], body=body)
    assert {each["name"] for each in rabbit_api.ask("GET", "policies", vhost)} == {each["name"] for each in policies}

    made: dict[str, Mapping[str, Any]] = {
        queue_of("H33.16/dms"): DELIVER, STEPS[0].name: retry_arguments(STEPS[0]), "lgsp.parking": PARK,
        AgencyQueue("H33.16/dms").name: AgencyQueue("H33.16/dms").arguments,
    }  # fmt: skip
    for name, arguments in made.items():
        (policy,) = (each for each in policies if re.search(each["pattern"], name))
        assert not {f"x-{key}" for key in policy["definition"]} & arguments.keys(), name
        rabbit_api.ask("PUT", "queues", vhost, name, body={"durable": True, "arguments": dict(arguments)})
