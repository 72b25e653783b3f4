"""Reading contracts: from folders, from the same files in memory, and the words with which a slip is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.catalog import (
    builtin_folder,
    contract_from_documents,
    documents_of,
    read_catalog,
    read_contract,
)
from gateway.core.faults import Misconfigured

TOML = b"""title = { vi = "H\xe1\xbb\x93 s\xc6\xa1 chuy\xe1\xbb\x83n", en = "Dossier moved" }
owner = "H33.14"
"""
FILES = {
    "contract.toml": TOML,
    "1.0/schema.json": b'{"type": "object", "required": ["code"]}',
    "1.0/examples/good/plain.json": b'{"code": "HS-1"}',
    "1.0/examples/bad/no-code.required.json": b"{}",
    "1.0/examples/bad/anything.json": b"[]",
    "1.0/examples/bad/version-1.0.of-old.json": b"[]",
}


def with_file(path: str, content: bytes) -> dict[str, bytes]:
    return {**FILES, path: content}


def refusal(files: dict[str, bytes], name: str = "dossier.moved") -> Misconfigured:
    with pytest.raises(Misconfigured) as refused:
        contract_from_documents(name, files, "contracts/dossier.moved")
    return refused.value


def test_a_contract_in_memory_has_the_defaults_of_the_interface() -> None:
    contract = contract_from_documents("dossier.moved", FILES)

    assert (contract.kind, contract.ordering, contract.personal, contract.answer) == ("message", "subject", False, None)
    assert (contract.title.vi, contract.owner) == ("Hồ sơ chuyển", "H33.14")
    assert [(version.label, version.state) for version in contract.versions] == [("1.0", "active")]


def test_a_bad_example_may_name_its_rule() -> None:
    (version,) = contract_from_documents("dossier.moved", FILES).versions

    assert {example.name: example.rule for example in version.counterexamples} == {
        "no-code.required": "required",
        "anything": None,
        "version-1.0.of-old": None,
    }


def test_a_folder_and_its_files_in_memory_give_the_same_contract(tmp_path: Path) -> None:
    folder = tmp_path / "dossier.moved"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "README.md").write_text("notes")

    assert documents_of(folder) == FILES
    assert read_contract(folder) == contract_from_documents("dossier.moved", FILES)
    assert read_catalog([tmp_path]).names() == ("dossier.moved",)


def test_versions_come_in_their_order_and_states_are_read() -> None:
    states = TOML + b'[states]\n"1.0" = "deprecated"\n'
    files = {
        **FILES,
        "contract.toml": states,
        "1.10/schema.json": b"{}",
        "1.9/schema.json": b"{}",
        "10.0/schema.json": b"{}",
    }

    contract = contract_from_documents("dossier.moved", files)

    assert [(version.label, version.state) for version in contract.versions] == [
        ("1.0", "deprecated"), ("1.9", "active"), ("1.10", "active"), ("10.0", "active"),
    ]  # fmt: skip


def test_a_query_names_its_answer() -> None:
    query = TOML + b'kind = "query"\nanswer = "dossier.found"\npersonal = true\n'

    contract = contract_from_documents("dossier.lookup", with_file("contract.toml", query))

    assert (contract.kind, contract.answer, contract.personal) == ("query", "dossier.found", True)


@pytest.mark.parametrize(
    ("manifest", "where"),
    [
        (b"title = ", "contract.toml:1"),
        (b"\xff", "contract.toml:1"),
        (b'owner = "H33"\n', "contract.toml:1: title"),
        (b'owner = "H33"\ntitle = { vi = "A", en = " " }\n', "contract.toml:2: title"),
        (b'title = { vi = "A", en = "B" }\n', "contract.toml:1: owner"),
        (TOML + b'\nordring = "none"\n', "contract.toml:4: ordring"),
        (TOML + b'kind = "letter"\n', "contract.toml:3: kind"),
        (TOML + b'ordering = "strict"\n', "contract.toml:3: ordering"),
        (TOML + b'personal = "no"\n', "contract.toml:3: personal"),
        (TOML + b'kind = "query"\n', "contract.toml:1: answer"),
        (TOML + b'answer = "dossier.found"\n', "contract.toml:3: answer"),
        (TOML + b'kind = "query"\nanswer = "Dossier"\n', "contract.toml:4: answer"),
        (TOML + b'states = { "1.0" = "old" }\n', "contract.toml:3: states"),
        (TOML + b'[states]\n"1.1" = "draft"\n', "contract.toml:3: states"),
    ],
)
def test_a_mistake_in_the_manifest_is_shown_with_its_line_and_key(manifest: bytes, where: str) -> None:
    found = refusal(with_file("contract.toml", manifest))

    assert found.where == f"contracts/dossier.moved/{where}"
    assert found.wrong.vi
    assert found.right.vi


@pytest.mark.parametrize(
    ("path", "content", "where"),
    [
        ("1.0/schema.json", b'{\n"type": "object",\n"type": "array"}', "1.0/schema.json:3"),
        ("1.0/schema.json", b"[]", "1.0/schema.json"),
        ("1.0/schema.json", b'{"type": "thing"}', "1.0/schema.json"),
        ("1.0/examples/good/plain.json", b"{\n\n,}", "1.0/examples/good/plain.json:3"),
        ("1.0/examples/good/plain.json", b'{"a": NaN}', "1.0/examples/good/plain.json:1"),
        ("1.0/examples/good/plain.json", b'"\\ud800"', "1.0/examples/good/plain.json:1"),
        ("1.0/examples/good/plain.json", b"[" * 70 + b"]" * 70, "1.0/examples/good/plain.json:1"),
        ("1.0/up.json", b'{"rules": [{"keep": "x"}]}', "1.0/up.json#/rules/0/keep"),
        ("1.0/upp.json", b"{}", "1.0/upp.json"),
        ("1.0/examples/fine/a.json", b"{}", "1.0/examples/fine/a.json"),
        ("v1/schema.json", b"{}", "v1/schema.json"),
        ("1.01/schema.json", b"{}", "1.01/schema.json"),
        ("1.1/examples/good/a.json", b"{}", "1.1/schema.json"),
    ],
)
def test_a_mistake_in_a_file_is_shown_with_the_file(path: str, content: bytes, where: str) -> None:
    assert refusal(with_file(path, content)).where == f"contracts/dossier.moved/{where}"


def test_a_contract_needs_a_manifest_a_version_and_a_proper_name() -> None:
    without = {path: content for path, content in FILES.items() if path != "contract.toml"}

    assert refusal(without).where.endswith("contract.toml")
    assert refusal({"contract.toml": TOML}).where == "contracts/dossier.moved"
    assert "Dossier Moved" in refusal(FILES, "Dossier Moved").wrong.vi


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no such folder"):
        read_catalog([tmp_path / "contracts"])


def test_a_name_may_stand_in_one_folder_only(tmp_path: Path) -> None:
    for root in ("a", "b"):
        (tmp_path / root / "dossier.moved" / "1.0").mkdir(parents=True)
        (tmp_path / root / "dossier.moved" / "contract.toml").write_bytes(TOML)
        (tmp_path / root / "dossier.moved" / "1.0" / "schema.json").write_bytes(b"{}")

    with pytest.raises(Misconfigured, match="already in"):
        read_catalog([tmp_path / "a", tmp_path / "b"])


def test_a_folder_without_a_manifest_is_refused_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert read_catalog([tmp_path]).names() == ()

    (tmp_path / "dossier.moved").mkdir()
    with pytest.raises(Misconfigured, match=r"contract\.toml"):
        read_catalog([tmp_path])


def test_a_contract_of_too_many_files_is_refused(tmp_path: Path) -> None:
    for number in range(2001):
        (tmp_path / f"{number}.json").write_bytes(b"0")

    with pytest.raises(Misconfigured, match="too many files"):
        documents_of(tmp_path)


def test_the_built_in_contracts_stand_beside_the_package() -> None:
    assert (builtin_folder() / "document.issued" / "contract.toml").is_file()
