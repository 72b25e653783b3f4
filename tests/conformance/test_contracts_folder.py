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
    "bill.found": ["1.0"],
    "bill.lookup": ["1.0"],
    "category.found": ["1.0"],
    "category.lookup": ["1.0"],
    "citizen.found": ["1.0"],
    "citizen.lookup": ["1.0"],
    "civil-status.found": ["1.0"],
    "civil-status.lookup": ["1.0"],
    "criminal-record.found": ["1.0"],
    "criminal-record.lookup": ["1.0"],
    "document.issued": ["1.0", "2.0"],
    "document.status": ["1.0", "2.0"],
    "dossier.forwarded": ["1.0"],
    "dossier.progressed": ["1.0"],
    "dossier.registered": ["1.0", "2.0"],
    "dossier.result-issued": ["1.0", "2.0"],
    "dossier.returned": ["1.0"],
    "dossier.supplement-requested": ["1.0"],
    "dossier.supplemented": ["1.0", "2.0"],
    "dossier.withdrawn": ["1.0"],
    "driving-licence.found": ["1.0"],
    "driving-licence.lookup": ["1.0"],
    "enterprise.found": ["1.0"],
    "enterprise.lookup": ["1.0"],
    "insurance.found": ["1.0"],
    "insurance.lookup": ["1.0"],
    "land.found": ["1.0"],
    "land.lookup": ["1.0"],
    "payment.notified": ["1.0"],
    "payment.refunded": ["1.0"],
    "post.ordered": ["1.0"],
    "post.tracked": ["1.0"],
    "procedure.catalogue": ["1.0"],
    "receipt.delivered": ["1.0"],
    "receipt.discarded": ["1.0"],
    "receipt.expired": ["1.0"],
    "receipt.refused": ["1.0"],
    "signing.completed": ["1.0"],
    "signing.requested": ["1.0"],
    "statistics.monthly": ["1.0"],
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
    made_up = {"Nguyễn Văn Mẫu", "vanthu.mau@example.vn", "84900000000", "CB-01", "Số 1 đường Mẫu", "000000000000",
               "000000000", "Nội dung mẫu", "https://motcua.example.vn/tep/1?khoa=mau", "",
               "1980-01-01", "01/01/1980", "1980", "00000000000"}  # fmt: skip
    shown = {
        str(value).strip()
        for example in (*version.examples, *version.counterexamples)
        for place, value in leaves(example.data)
        if field_class(version.schema, place) == "personal"
    }

    assert shown <= made_up


#: What dossiers are made of changed once, about 2022: these parts have an older and a newer text.
CHANGED_ABOUT_2022 = {"applicant", "paper", "result"}


def test_the_parts_of_dossiers_are_the_same_text_in_every_contract() -> None:
    texts: dict[str, list[Any]] = {}
    for version in VERSIONS:
        if not version.name.startswith(("dossier.", "signing.", "payment.", "post.", "procedure.", "statistics.")):
            continue
        for name, part in version.schema.get("$defs", {}).items():
            if part not in texts.setdefault(name, []):
                texts[name].append(part)

    assert {name for name, found in texts.items() if len(found) > 1} == CHANGED_ABOUT_2022
    for name in CHANGED_ABOUT_2022:
        older, newer = sorted(texts[name], key=lambda part: len(part["properties"]))
        assert older["properties"].items() <= newer["properties"].items()
        assert older["required"] == newer["required"]


def test_a_result_that_is_done_needs_a_paper_and_says_so_in_words() -> None:
    for label in ("1.0", "2.0"):
        version = read_catalog([builtin_folder()]).find("dossier.result-issued", label)
        assert version is not None
        done = {"dossierCode": "H33.01-261123-0001", "status": {"code": 9, "at": "2026-11-23T08:30:00+07:00"}}

        found = version.check({**done, "results": []})

        assert [(each.pointer, each.rule, each.message.en) for each in found] == [
            ("/results", "minItems", "Too few items; needed are at least 1")
        ]


def test_a_rejected_request_to_sign_needs_a_reason_and_says_so_in_words() -> None:
    version = read_catalog([builtin_folder()]).find("signing.completed", "1.0")
    assert version is not None
    rejected = {"dossierCode": "H33.01-261123-0001", "outcome": "rejected", "at": "2026-11-23T08:30:00+07:00"}

    (found,) = version.check(rejected)

    assert (found.pointer, found.rule) == ("", "required")
    assert found.message.en == "The required member reason is missing; the sender must add reason"
    assert version.check({**rejected, "outcome": "trace"}) == ()


@pytest.mark.parametrize("contract", ["dossier.registered", "dossier.supplemented", "dossier.result-issued"])
def test_what_a_dossier_says_in_the_words_of_2019_comes_back_whole_from_those_of_2022(contract: str) -> None:
    catalog = read_catalog([builtin_folder()])
    up, down, older = (
        catalog.translation(contract, 1, 2),
        catalog.translation(contract, 2, 1),
        catalog.find(contract, "1.0"),
    )
    assert up is not None
    assert down is not None
    assert older is not None

    for example in older.examples:
        assert down.apply(up.apply(example.data)) == example.data, example.name
