"""The ten statuses: which may follow which, what reports count them as, what other systems call them."""

from __future__ import annotations

import pytest

from gateway.core.dossiers.statuses import (
    ENDS,
    FINISHED,
    OUTWARD,
    STATUSES,
    VOCABULARIES,
    WAITING,
    is_allowed,
    is_reachable,
    name_of,
    ours,
    theirs,
)

#: As the facts page has it, written anew: what may follow what.
ALLOWED = {
    1: {2, 3, 5, 7}, 2: {4, 5, 7}, 3: set(), 4: {5, 6, 8, 9, 7}, 5: {1, 2, 4, 3, 7, 8}, 6: {4, 8}, 7: set(),
    8: {4, 7}, 9: {10}, 10: set(),
}  # fmt: skip


def test_moves_are_those_of_the_decree() -> None:
    assert {code: set(status.moves) for code, status in STATUSES.items()} == ALLOWED
    assert sorted(STATUSES) == list(range(1, 11))
    assert {code for code in STATUSES if not ALLOWED[code]} == ENDS


def test_groups_are_those_of_the_reports() -> None:
    groups: dict[str, set[int]] = {}
    for code, status in STATUSES.items():
        groups.setdefault(status.group, set()).add(code)

    assert groups == {
        "processing": {2, 4}, "done": {9, 10}, "returned": {7}, "supplement": {5}, "stopped": {6, 8},
        "not-received": {1, 3},
    }  # fmt: skip
    assert groups["done"] == FINISHED
    assert groups["supplement"] | groups["stopped"] == WAITING


def test_steps_between_may_be_untold_but_nobody_jumps_back() -> None:
    jumps = {
        before: {after for after in STATUSES if is_reachable(before, after) and not is_allowed(before, after)}
        for before in STATUSES
    }

    assert jumps == {
        1: {4, 6, 8, 9, 10}, 2: {3, 6, 8, 9, 10}, 3: set(), 4: {3, 10}, 5: {6, 9, 10}, 6: {2, 3, 5, 7, 9, 10},
        7: set(), 8: {2, 3, 5, 6, 9, 10}, 9: set(), 10: set(),
    }  # fmt: skip


def test_every_status_has_its_name_in_both_languages() -> None:
    assert name_of(5) == ("Yêu cầu bổ sung giấy tờ", "Supplement requested")
    assert len({status.name.vi for status in STATUSES.values()}) == 10
    assert name_of(77) == ("77", "77")


@pytest.mark.parametrize(
    ("vocabulary", "code", "status"),
    [
        ("dvcqg", "4", 4),
        ("dvcqg", " 09 ", 9),
        ("dvcqg", "0", None),
        ("dvcqg", "11", None),
        ("wso2", "1", 4),
        ("wso2", "2", 9),
        ("emc", "1", 2),
        ("emc", "3", None),
        ("ocps", "Paying", 6),
        ("ocps", "interoperating", None),
        ("civil-status", "2", 5),
        ("linked-civil-status", "6", 3),
        ("criminal-record", "5", 9),
        ("a system that nobody knows", "4", None),
        ("dvcqg", "9" * 5000, None),
    ],
)
def test_a_far_status_means_ours_where_that_is_known(vocabulary: str, code: str, status: int | None) -> None:
    assert ours(vocabulary, code) == status


def test_ours_is_told_outward_in_fewer_words_where_the_far_side_has_fewer() -> None:
    assert {code: theirs("wso2", code) for code in (2, 5, 9, 10)} == {2: "1", 5: "1", 9: "2", 10: "2"}
    assert [theirs("dvcqg", code) for code in STATUSES] == [str(code) for code in STATUSES]
    assert theirs("emc", 4) is None


def test_what_is_told_outward_and_comes_back_is_at_most_coarser() -> None:
    for vocabulary, words in OUTWARD.items():
        for status, code in words.items():
            back = ours(vocabulary, code)
            assert back is not None
            assert (back in FINISHED) == (status in FINISHED)


def test_every_vocabulary_speaks_of_known_statuses() -> None:
    assert all(status is None or status in STATUSES for words in VOCABULARIES.values() for status in words.values())
