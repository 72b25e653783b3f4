"""The files under deploy/ are true: settings that the program takes, YAML that can be read, numbers that fit."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.api.doors import Limits
from gateway.cli.founding import found_province
from gateway.config.settings import Settings
from tests.deploy.reading import DEPLOY, ROOT, documents, program
from tests.province import a_province, settings_of

CLUSTER = DEPLOY / "cluster"
KUBERNETES = CLUSTER / "kubernetes"
BLOCK = re.compile(r"^ *```toml\n(.*?)```", re.DOTALL | re.MULTILINE)


@cache
def toml_texts() -> dict[str, str]:
    """Every lgsp.toml that deploy/ shows: files, the Kubernetes map, blocks in the books."""
    found = {str(path.relative_to(DEPLOY)): path.read_text() for path in DEPLOY.rglob("lgsp*.toml")}
    found["kubernetes"] = documents(KUBERNETES / "configmap.yaml")[0]["data"]["lgsp.toml"]
    for page in DEPLOY.rglob("*.md"):
        found |= {f"{page.relative_to(DEPLOY)} {n}": text for n, text in enumerate(BLOCK.findall(page.read_text()))}
    return found


def read(text: str, folder: Path) -> Settings:
    """The settings of a province whose lgsp.toml is ``text``, completed where the text is a part only."""
    a_province(folder)
    if "[gateway]" not in text:
        text = f'[gateway]\nsystem = "H33.14/lgsp"\n{text}'
    for name in tomllib.loads(text).get("contracts", {}).get("folders", []):
        (folder / name).mkdir(exist_ok=True)
    (folder / "lgsp.toml").write_text(text)
    for password in ("store", "broker"):
        (folder / f"keys/{password}.password").write_text("made up\n")
    return settings_of(folder)


@pytest.mark.parametrize("name", toml_texts())
def test_every_settings_file_shown_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    read(toml_texts()[name], tmp_path)


def test_the_cluster_is_told_where_ledger_broker_and_files_are_without_a_secret_in_the_file(tmp_path: Path) -> None:
    for n, text in enumerate((toml_texts()["cluster/lgsp.toml"], toml_texts()["kubernetes"])):
        settings = read(text, tmp_path / str(n))
        assert not settings.is_embedded
        assert ":made%20up@" in settings.store_whereabouts()
        assert "made" not in settings.store_url + settings.broker_url
        assert settings.broker_url.startswith("amqp://")


@pytest.mark.parametrize("path", [str(path.relative_to(DEPLOY)) for path in sorted(DEPLOY.rglob("*.yaml"))])
def test_every_yaml_file_can_be_read(path: str) -> None:
    assert all(isinstance(document, dict) for document in documents(DEPLOY / path))


def images() -> list[str]:
    """Every image that deploy/ names."""
    found = []
    for path in DEPLOY.rglob("*"):
        if path.suffix in {".yaml", ".yml"} or path.name == "Dockerfile":
            found += re.findall(r"^\s*(?:image:|FROM)\s+(\S+)", path.read_text(), re.MULTILINE)
    return found


def test_images_are_named_without_a_registry() -> None:
    assert len(images()) >= 6
    assert [image for image in images() if not re.fullmatch(r"[a-z0-9-]+(:[a-z0-9.-]+)?", image)] == []


def test_no_file_holds_a_secret() -> None:
    told = re.compile(r"PRIVATE KEY|password_hash|(?i:password|secret|token)\s*[:=]\s*\"?[^\s\"$/{<]{8,}")
    allowed = re.compile(r"password_encryption|POSTGRES_PASSWORD_FILE|password_file")
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix not in {".edxml", ".md"}:
            lines = path.read_text().splitlines()
            assert [line for line in lines if told.search(line) and not allowed.search(line)] == [], path


# ------------------------------------------------------------------------------------------------ Kubernetes


@cache
def manifests() -> dict[str, dict[str, Any]]:
    """The manifests by kind and name."""
    listed = documents(KUBERNETES / "kustomization.yaml")[0]["resources"]
    found = [each for name in listed for each in documents(KUBERNETES / name)]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in found}


def test_all_manifests_are_listed_and_no_secret_is_among_them() -> None:
    listed = documents(KUBERNETES / "kustomization.yaml")[0]["resources"]
    assert sorted(listed) == sorted(p.name for p in KUBERNETES.glob("*.yaml") if p.name != "kustomization.yaml")
    assert not [name for name in manifests() if name.startswith("Secret/")]


def test_a_replaced_gateway_has_the_time_that_it_needs_and_another_is_ready_before() -> None:
    deployment = manifests()["Deployment/lgsp"]["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    asleep = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    unready = container["readinessProbe"]["periodSeconds"] * container["readinessProbe"]["failureThreshold"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert asleep > unready, "it stops only when nobody sends to it any more"
    assert pod["terminationGracePeriodSeconds"] >= asleep + 15, "it drains within 15 seconds"
    assert manifests()["PodDisruptionBudget/lgsp"]["spec"]["minAvailable"] == deployment["replicas"] - 1
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live", "a restart mends no database"


def test_the_registry_is_applied_before_a_gateway_serves_from_the_same_folder() -> None:
    pod = manifests()["Deployment/lgsp"]["spec"]["template"]["spec"]
    (unpack, apply), (container,) = pod["initContainers"], pod["containers"]
    assert (apply["args"], container["args"]) == (["apply"], ["serve"])
    assert apply["volumeMounts"] == container["volumeMounts"]
    mounted = {mount["name"] for each in (unpack, container) for mount in each["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_what_is_unpacked_is_all_of_the_province_folder_but_keys_and_data(tmp_path: Path) -> None:
    found_province(tmp_path / "tinh", "H33.14/lgsp")
    packed = re.search(r"^tar -C tinh -czf tinh.tar.gz (.*)$", (CLUSTER / "README.md").read_text(), re.MULTILINE)
    assert packed is not None
    folders = {path.name for path in (tmp_path / "tinh").iterdir() if path.is_dir()}
    assert {*packed[1].split(), "keys", "var"} == folders, "apply takes away what the folder does not hold"


@pytest.mark.parametrize("which", ["initContainers", "containers"])
def test_a_gateway_may_do_nothing_that_it_need_not(which: str) -> None:
    pod = manifests()["Deployment/lgsp"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    locked = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert [each["securityContext"] for each in pod[which]] == [locked] * len(pod[which])
    assert manifests()["NetworkPolicy/lgsp"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_everything_chooses_the_pods_that_there_are() -> None:
    labels = manifests()["Deployment/lgsp"]["spec"]["template"]["metadata"]["labels"]
    chosen = [
        manifests()["Deployment/lgsp"]["spec"]["selector"]["matchLabels"],
        manifests()["Service/lgsp"]["spec"]["selector"],
        manifests()["PodDisruptionBudget/lgsp"]["spec"]["selector"]["matchLabels"],
        manifests()["NetworkPolicy/lgsp"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert chosen == [labels] * 4


# --------------------------------------------------------------------------------------------------- compose


def test_compose_starts_three_gateways_after_the_registry_and_the_servers_they_need() -> None:
    (compose,) = documents(CLUSTER / "compose.yaml")
    services = compose["services"]
    gateways = [each for each in services.values() if each.get("command") == ["serve"]]
    assert len(gateways) == 3
    assert len({each["hostname"] for each in gateways}) == 3, "a gateway's name is that of its host"
    for each in gateways:
        assert each["depends_on"] == {"apply": {"condition": "service_completed_successfully"}}
        assert each["read_only"] is True
        assert int(each["stop_grace_period"].rstrip("s")) > 15, "it drains within 15 seconds"
    assert services["apply"]["depends_on"].keys() == {"db", "rabbit"}
    assert [name for name, each in services.items() if "ports" in each] == ["haproxy"], "one way in"
    named = {volume.split(":")[0] for each in services.values() for volume in each["volumes"]}
    assert {name for name in named if not name.startswith(".")} == compose["volumes"].keys()


def test_every_file_that_compose_mounts_is_there_or_made_by_the_operator() -> None:
    (compose,) = documents(CLUSTER / "compose.yaml")
    mounted = {v.split(":")[0] for each in compose["services"].values() for v in each["volumes"] if v.startswith(".")}
    assert {name for name in mounted if not (CLUSTER / name).exists()} == {"./tinh", "./tls"}


def test_the_image_holds_all_of_the_program_and_the_lock() -> None:
    text = (CLUSTER / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for name in line.split()}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    program = set(build["targets"]["wheel"]["only-include"])
    assert program <= copied
    assert all((ROOT / name).exists() for name in copied)
    assert "--require-hashes" in text
    kept = subprocess.run(
        ["awk", re.findall(r"awk '(.+?)'", text)[0], "requirements-dev.txt"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert re.findall(r"^(\w+)==\S+ \\$", kept.stdout, re.MULTILINE) == ["obstore"]
    assert re.search("USER [1-9]", text), "not root"


# ---------------------------------------------------------------------------------------------- the neighbours


def test_what_the_broker_is_told_concerns_the_queues_of_the_bus_and_no_others() -> None:
    told = json.loads((CLUSTER / "rabbitmq/definitions.json").read_text())
    assert told.keys() == {"vhosts", "policies"}, "no account, no password"
    assert all(policy["pattern"].startswith("^lgsp\\.") for policy in told["policies"])
    patterns = [re.compile(policy["pattern"]) for policy in told["policies"]]
    for queue in ("lgsp.deliver.H33.16/dms", "lgsp.retry.5s", "lgsp.parking"):
        assert len([pattern for pattern in patterns if pattern.search(queue)]) == 1, queue


def test_pgbouncer_keeps_whole_transactions_on_one_connection() -> None:
    text = (CLUSTER / "pgbouncer/pgbouncer.ini").read_text()
    assert re.search(r"^pool_mode = transaction$", text, re.MULTILINE)


def test_the_database_waits_for_the_disk_before_it_says_yes() -> None:
    text = (CLUSTER / "postgres/postgresql.conf").read_text()
    set_to = dict(re.findall(r"^(\w+) = ('[^']*'|\S+)$", text, re.MULTILINE))
    assert (set_to["fsync"], set_to["full_page_writes"], set_to["synchronous_commit"]) == ("on", "on", "on")


def test_the_proxy_lets_through_what_the_gateway_takes_and_no_more() -> None:
    text = (CLUSTER / "haproxy/haproxy.cfg").read_text()
    sizes = {int(size) for size in re.findall(r"hdr_val\(content-length\) gt (\d+)", text)}
    assert sizes == {Limits().batch, Limits().json, Limits().visit}


@pytest.mark.parametrize("unit", [str(path.relative_to(DEPLOY)) for path in sorted(DEPLOY.rglob("*.service"))])
def test_systemd_finds_nothing_wrong_with_a_unit_and_little_that_it_may_do(unit: str, tmp_path: Path) -> None:
    verify = program("systemd-analyze", "systemd")
    text = (DEPLOY / unit).read_text().replace("/opt/lgsp/.venv/bin/lgsp", "/bin/true")
    (tmp_path / Path(unit).name).write_text(text)
    found = subprocess.run([verify, "verify", tmp_path / Path(unit).name], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    command = [verify, "security", "--offline=true", "--threshold=20", str(tmp_path / Path(unit).name)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout[-200:]
