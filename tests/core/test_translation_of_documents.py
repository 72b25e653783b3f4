"""The rules between the two majors of document.issued, tried on documents by chance."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings

from gateway.config.catalog import builtin_folder, read_contract
from gateway.core.rule_text import join_pointer
from gateway.core.translation import Chain
from tests.core.generated import documents, leaves, member_names

CONTRACT = read_contract(builtin_folder() / "document.issued")
OLD, NEW = CONTRACT.versions
NAMES = (*member_names(OLD.schema), *member_names(NEW.schema))


def chain(start: int, end: int) -> Chain:
    found = CONTRACT.translation(start, end)
    assert found is not None
    return found


DOWN, UP = chain(2, 1), chain(1, 2)
relaxed = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def kept(data: Any, lost: tuple[str, ...]) -> list[tuple[str, Any]]:
    every = [(join_pointer(place), value) for place, value in leaves(data)]
    return [(p, value) for p, value in every if not any(p == gone or p.startswith(gone + "/") for gone in lost)]


@relaxed
@given(documents(NEW.schema, strangers=NAMES))
def test_any_valid_2_0_document_becomes_a_valid_1_0_document(document: Any) -> None:
    assert NEW.check(document) == ()

    assert OLD.check(DOWN.apply(document)) == ()


@relaxed
@given(documents(OLD.schema, strangers=NAMES))
def test_any_valid_1_0_document_becomes_a_valid_2_0_document(document: Any) -> None:
    assert OLD.check(document) == ()

    assert NEW.check(UP.apply(document)) == ()


@relaxed
@given(documents(NEW.schema, strangers=NAMES))
def test_down_and_up_again_keeps_everything_that_is_not_named_as_lost(document: Any) -> None:
    back = {join_pointer(place): value for place, value in leaves(UP.apply(DOWN.apply(document)))}

    assert kept(document, DOWN.lost(document)) == [
        (pointer, back.get(pointer)) for pointer, _ in kept(document, DOWN.lost(document))
    ]


@relaxed
@given(documents(OLD.schema, strangers=NAMES))
def test_up_and_down_again_keeps_everything_that_is_not_named_as_lost(document: Any) -> None:
    back = {join_pointer(place): value for place, value in leaves(DOWN.apply(UP.apply(document)))}

    assert kept(document, UP.lost(document)) == [
        (pointer, back.get(pointer)) for pointer, _ in kept(document, UP.lost(document))
    ]


@relaxed
@given(documents(NEW.schema, strangers=NAMES))
def test_a_translation_changes_nothing_of_what_it_reads_and_answers_the_same_each_time(document: Any) -> None:
    before = copy.deepcopy(document)

    first, second = DOWN.apply(document), DOWN.apply(document)

    assert (document, second) == (before, first)


def test_the_full_document_loses_on_the_way_down_what_the_flat_record_has_no_place_for() -> None:
    full = next(example.data for example in NEW.examples if example.name == "full")

    assert set(DOWN.lost(full)) == {
        *(f"/from/{name}" for name in ("inCharge", "address", "email", "phone", "fax", "website")),
        *("/to/0/organName", "/to/1/organName"),
        *("/documentType/type", "/documentType/detail", "/signer/competence", "/toPlaces"),
        *(f"/other/{name}" for name in ("sphere", "typist", "copies", "direction", "appendixes")),
        *("/other/replyFors", "/other/referenceCodes"),
        *("/responseFor/0/documentId", "/responseFor/0/promulgationDate"),
        *("/responseForTask", "/steeringType", "/applicationType", "/business/paper", "/business/staff", "/trace"),
        *(f"/attachments/0/{name}" for name in ("contentId", "description", "declaredType", "wrapped", "broken")),
        *("/attachments/1/declaredType", "/attachments/1/wrapped", "/extra", "/warnings"),
    }


def test_the_full_flat_record_loses_nothing_on_the_way_up() -> None:
    full = next(example.data for example in OLD.examples if example.name == "full")

    assert (UP.lost(full), DOWN.apply(UP.apply(full))) == ((), full)


def test_files_keep_their_shape_and_the_raw_bytes_stay_named_on_the_way_down() -> None:
    full = next(example.data for example in NEW.examples if example.name == "full")

    record = DOWN.apply(full)

    assert record["files"] == [attachment["file"] for attachment in full["attachments"]]
    assert record["raw"] == full["raw"]


def test_a_number_that_holds_the_separator_is_named_as_lost() -> None:
    document = {"code": {"number": "12/3", "notation": "STC"}}

    assert DOWN.apply(document)["symbol"] == "12/3/STC"
    assert DOWN.lost(document) == ("",)


def test_a_record_that_does_not_say_its_business_becomes_a_new_document() -> None:
    assert UP.apply({"documentId": "1"})["business"] == {"type": "new"}
