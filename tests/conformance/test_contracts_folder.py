"""Every folder of contracts/ keeps what contracts/README.md promises. A new version is found by its place."""

from __future__ import annotations

import hashlib
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.config.catalog import builtin_folder, documents_of, publish_check, read_catalog, read_contract
from gateway.config.oracle import oracle_for
from gateway.config.publication import advice
from gateway.core.contract import Contract, Version
from gateway.core.fileref import files_named
from gateway.core.schema import at_pointer, field_class
from tests.core.generated import leaves

FOLDERS = sorted(folder for folder in builtin_folder().iterdir() if folder.is_dir())
CONTRACTS = [read_contract(folder) for folder in FOLDERS]
VERSIONS = [version for contract in CONTRACTS for version in contract.versions]
FILE = {"name", "mediaType", "size", "sha256"}
PROMISED = {
    "document.issued": ["1.0", "2.0"],
    "document.status": ["1.0", "2.0"],
    "receipt.delivered": ["1.0"],
    "receipt.discarded": ["1.0"],
    "receipt.expired": ["1.0"],
    "receipt.refused": ["1.0"],
}

each_contract = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"{version.name}-{version.label}")


def objects_with_digest(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if "sha256" in node.get("properties", {}):
            yield node
        for each in node.values():
            yield from objects_with_digest(each)


def test_what_the_public_interface_names_is_there() -> None:
    found = {contract.name: [version.label for version in contract.versions] for contract in CONTRACTS}

    assert {name: set(labels) <= set(found.get(name, [])) for name, labels in PROMISED.items()} == dict.fromkeys(
        PROMISED, True
    )


@each_contract
def test_a_contract_passes_the_gate_of_publication(contract: Contract) -> None:
    publish_check(contract, contract.name)


@each_contract
def test_a_contract_follows_the_good_advice_too(contract: Contract) -> None:
    assert [str(found) for found in advice(contract, contract.name)] == []


@each_contract
def test_the_titles_are_in_two_languages_and_differ(contract: Contract) -> None:
    assert contract.title.vi != contract.title.en


@each_version
def test_good_examples_pass_both_validators(version: Version) -> None:
    second = oracle_for(version.schema)

    assert {
        example.name: (version.check(example.data), second.is_valid(example.data)) for example in version.examples
    } == {example.name: ((), True) for example in version.examples}


@each_version
def test_bad_examples_fail_both_validators_by_the_rule_in_their_name_alone(version: Version) -> None:
    second = oracle_for(version.schema)

    for example in version.counterexamples:
        assert [found.rule for found in version.check(example.data)] == [example.rule], example.name
        assert not second.is_valid(example.data), example.name


@each_version
def test_there_are_bad_examples_and_a_good_one_that_names_no_file(version: Version) -> None:
    assert len(version.counterexamples) >= 3
    assert any(files_named(example.data) == () for example in version.examples)


@each_version
def test_a_file_has_one_shape_wherever_it_stands(version: Version) -> None:
    for node in objects_with_digest(version.schema):
        assert (set(node["required"]), set(node["properties"]), node["additionalProperties"]) == (FILE, FILE, False)
        assert node["properties"]["sha256"]["pattern"] == "^[0-9a-f]{64}$"


@each_version
def test_a_document_must_say_that_it_is_not_secret(version: Version) -> None:
    if version.name != "document.issued":
        assert "confidentiality" not in version.schema["properties"]
        return

    assert "confidentiality" in version.schema["required"]
    assert version.schema["properties"]["confidentiality"]["enum"] == ["none"]


@each_contract
def test_examples_translate_to_every_other_major_and_are_valid_there(contract: Contract) -> None:
    for version in contract.versions:
        for major in contract.majors():
            chain = contract.translation(version.major, major)
            if major == version.major:
                assert chain is None
                continue
            assert chain is not None
            goal = contract.version(chain.target)
            assert goal is not None
            for example in version.examples:
                assert goal.check(chain.apply(example.data)) == (), example.name


@each_version
def test_names_of_people_their_mailboxes_and_numbers_are_classed_as_personal(version: Version) -> None:
    places = ["#/$defs/staff/properties/name", "#/$defs/staff/properties/email", "#/$defs/staff/properties/mobile",
              "#/properties/signer/properties/fullName", "#/properties/signerName"]  # fmt: skip
    found = [at_pointer(version.schema, place[1:]) for place in places]

    assert {node["x-lgsp-class"] for node in found if node is not None} <= {"personal"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_texts_are_written_in_composed_letters_and_end_in_one_line_feed(folder: Any) -> None:
    for path, content in documents_of(folder).items():
        text = content.decode()
        assert unicodedata.is_normalized("NFC", text), path
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path


def test_the_digest_of_the_rules_is_that_of_the_file_as_it_lies_there() -> None:
    chain = read_catalog([builtin_folder()]).translation("document.issued", 2, 1)
    assert chain is not None

    down = (builtin_folder() / "document.issued" / "2.0" / "down.json").read_bytes()

    assert chain.digest == "sha-256:" + hashlib.sha256(down).hexdigest()


def test_the_receipts_take_what_a_receipt_is_made_of() -> None:
    receipt = {
        "id": "01920a1c-5b7e-7c3d-9f00-3a5d6e7f8a9b", "digest": "sha-256:" + "a" * 64, "source": "H33.05/dms",
        "type": "document.issued", "to": ["H33.14/dms"], "recipient": "H33.14/dms", "delivery": "1",
        "delivered_digest": "sha-256:" + "b" * 64, "cause": "refused", "at": "2026-10-12T02:15:07Z",
        "gateway": "H33.14/lgsp", "log": {"size": 1, "root": "c" * 64},
    }  # fmt: skip
    catalog = read_catalog([builtin_folder()])

    for outcome in ("delivered", "refused", "expired", "discarded"):
        version = catalog.find(f"receipt.{outcome}", "1.0")
        assert version is not None
        assert version.check({**receipt, "receipt": outcome}) == ()


def test_reading_all_contracts_takes_no_time_worth_naming() -> None:
    start = time.process_time()
    read_catalog([builtin_folder()])

    assert time.process_time() - start < 0.3


@each_version
def test_no_example_names_a_real_person(version: Version) -> None:
    made_up = {"Nguyễn Văn Mẫu", "vanthu.mau@example.vn", "84900000000", "CB-01"}
    shown = {
        str(value)
        for example in (*version.examples, *version.counterexamples)
        for place, value in leaves(example.data)
        if field_class(version.schema, place) == "personal"
    }

    assert shown <= made_up
