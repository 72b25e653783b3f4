"""A document as its sender sees it: true whatever the order in which statuses came, and however often."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.documents.entry import DocumentEntry
from gateway.core.documents.view import DocumentView, Line, RecipientView, view_of
from tests.build import MORNING, a_digest

ISSUER, ONE, OTHER = "H33.05", "H33.16", "H33.21"
KEY = "H33.05,2026/10/12,1284/STC-NS"
LATER = "H33.05,2026/10/20,1300/STC-NS"


def issued(
    kind: Any = "new", *, key: str = KEY, at: float = 0.0, to: Sequence[str] = (ONE, OTHER), **told: Any
) -> Line:
    """A message of the issuer, delivered to ``dms`` of each agency."""
    states = told.pop("states", {f"{agency}/dms": "delivered" for agency in to})
    concerned = told.pop("concerned", () if kind == "new" else (KEY,))
    entry = DocumentEntry(kind, key, ISSUER, ISSUER, tuple(to), concerned, document=key, **told)
    return Line(0, f"{kind} {key} {at}", MORNING + at, entry, states)


def told(code: str, at: float = 1.0, *, by: str = ONE, key: str = KEY, **more: Any) -> Line:
    """A report whose own time is ``at``."""
    entry = DocumentEntry("status", key, ISSUER, by, (ISSUER,), code=code, said_at=MORNING + at, **more)
    return Line(0, f"{code} {by} {key} {at}", MORNING + at + 5, entry, {})


def taken_back(at: float, *, of: str = ONE) -> Line:
    """A status 13, from the issuer to one that has the document."""
    line = told("13", at, by=ISSUER)
    return replace(line, message=f"13 to {of} {at}", entry=replace(line.entry, recipients=(of,)))


def seen(*lines: Line, key: str = KEY) -> DocumentView:
    """The view of lines that arrived in this order."""
    view = view_of(key, ISSUER, [replace(line, place=place) for place, line in enumerate(lines, 1)])
    assert view is not None
    return view


def at(view: DocumentView, agency: str = ONE) -> RecipientView:
    return next(each for each in view.recipients if each.agency == agency)


def answers(view: DocumentView, agency: str = ONE) -> list[tuple[str, str]]:
    return [(change.kind, answer) for change, answer in at(view, agency).changes]


# ------------------------------------------------------------------------------------------------------- statuses


def test_nothing_is_seen_of_a_document_of_which_nothing_was_said() -> None:
    assert view_of(KEY, ISSUER, []) is None


def test_the_highest_status_counts_whatever_came_after_it() -> None:
    view = seen(issued(), told("06", 3), told("03", 1), told("05", 2))

    assert at(view).progress == "06"
    assert at(view, OTHER).progress is None
    assert [each.code for each in at(view).history] == ["06", "03", "05"]


def test_a_refusal_is_a_flag_beside_the_progress() -> None:
    view = seen(issued(), told("01", 1), told("02", 2))

    assert (at(view).progress, at(view).flags) == ("01", ("02",))


def test_a_repeat_is_shown_and_counts_once() -> None:
    view = seen(issued(), told("03"), told("03"), told("03", 9))

    assert [each.is_repeat for each in at(view).history] == [False, True, False]


def test_one_report_may_tell_several_statuses() -> None:
    view = seen(issued(), told("05", 3, earlier=(("02", MORNING + 1), ("03", MORNING + 2))))

    assert (at(view).progress, at(view).flags) == ("05", ("02",))
    assert [each.code for each in at(view).history] == ["02", "03", "05"]


def test_who_reports_without_having_been_sent_it_is_shown_as_such() -> None:
    view = seen(issued(to=(ONE,)), told("03", by=OTHER))

    assert (at(view, OTHER).transport, at(view, OTHER).progress) == (None, "03")
    assert view.standing == "in-force"


def test_reports_alone_make_a_document_that_is_not_known() -> None:
    view = seen(told("03"))

    assert not view.is_known
    assert (at(view).progress, at(view).transport) == ("03", None)


# ------------------------------------------------------------------------------------------------------ transport


def test_transport_is_the_worst_of_an_agencys_systems_and_of_the_youngest_message() -> None:
    two = issued(to=(ONE,), states={"H33.16/dms": "delivered", "H33.16/archive": "dead"})
    assert at(seen(two)).transport == "dead"
    assert at(seen(two, issued(at=9.0, to=(ONE,)))).transport == "delivered"


def test_an_agency_without_a_system_is_where_its_carrier_is() -> None:
    carried = issued(to=(ONE, "G12"), states={"H33.16/dms": "delivered", "H33.14/axis": "queued"})

    assert (at(seen(carried)).transport, at(seen(carried), "G12").transport) == ("delivered", "queued")


def test_transport_that_the_ledger_has_forgotten_is_not_known() -> None:
    assert at(seen(issued(states={}))).transport is None


# -------------------------------------------------------------------------------------------------------- changes


def test_a_change_is_open_until_it_is_answered() -> None:
    recall = issued("recall", at=10.0)

    assert answers(seen(issued(), recall)) == [("recall", "open")]
    view = seen(issued(), recall, told("15", 20), told("16", 21, by=OTHER))
    assert (answers(view), answers(view, OTHER)) == ([("recall", "agreed")], [("recall", "refused")])
    assert (at(view).standing, at(view, OTHER).standing, view.standing) == ("recalled", "in-force", "mixed")
    assert seen(issued(), recall, told("15", 20), told("15", 21, by=OTHER)).standing == "recalled"


def test_the_last_answer_by_the_agencys_own_time_counts() -> None:
    recall = issued("recall", at=10.0)

    assert answers(seen(issued(), recall, told("15", 30), told("16", 20))) == [("recall", "agreed")]
    assert answers(seen(issued(), recall, told("16", 20), told("16", 20), told("15", 30))) == [("recall", "agreed")]


def test_an_answer_is_to_the_change_that_was_there_at_its_time() -> None:
    update, recall = issued("update", at=10.0), issued("recall", at=100.0)

    view = seen(issued(), update, recall, told("16", 20))
    assert answers(view) == [("update", "refused"), ("recall", "open")]
    view = seen(issued(), update, recall, told("16", 20), told("15", 120))
    assert answers(view) == [("update", "refused"), ("recall", "agreed")]


def test_an_agency_whose_clock_is_behind_answers_the_first_change() -> None:
    assert answers(seen(issued(), issued("update", at=10.0), told("15", -600))) == [("update", "agreed")]


def test_an_agency_whose_clock_is_ahead_answers_what_was_there_when_the_answer_came() -> None:
    early = replace(told("15", 9000), accepted_at=MORNING + 20)
    view = seen(issued(), issued("update", at=10.0), early, issued("recall", at=100.0))

    assert answers(view) == [("update", "agreed"), ("recall", "open")]


def test_what_came_before_a_change_does_not_answer_it_though_the_clock_is_ahead_and_both_came_within_a_second() -> None:
    early = told("16", 3000)
    view = seen(issued(), issued("update", at=100.1), replace(early, accepted_at=MORNING + 100.3),
                issued("replace", key=LATER, at=100.9))  # fmt: skip

    assert answers(view) == [("update", "refused"), ("replace", "open")]


def test_a_change_with_an_id_of_its_own_is_answered_under_either_id() -> None:
    replacement = issued("replace", key=LATER, at=10.0)

    for key in (KEY, LATER):
        view = seen(issued(), replacement, told("15", 20, key=key))
        assert (answers(view), at(view).standing) == ([("replace", "agreed")], "replaced")


def test_under_its_own_id_the_change_is_meant_though_another_is_younger() -> None:
    lines = issued(), issued("replace", key=LATER, at=10.0), issued("recall", at=100.0)

    assert answers(seen(*lines, told("15", 200, key=LATER))) == [("replace", "agreed"), ("recall", "open")]


def test_what_was_asked_of_others_is_not_asked_of_me() -> None:
    view = seen(issued(), issued("recall", at=10.0, to=(OTHER,)), told("15", 20))

    assert (answers(view), answers(view, OTHER)) == ([], [("recall", "open")])
    assert at(view).flags == ("15",)


def test_taking_back_by_a_status_is_a_change_like_a_recall() -> None:
    view = seen(issued(), taken_back(10.0), taken_back(10.0), told("15", 20))

    assert answers(view) == [("cancel", "agreed")]
    assert (at(view).standing, at(view).flags) == ("recalled", ("13", "15"))
    assert (answers(view, OTHER), at(view, OTHER).flags) == ([], ())
    assert [(each.code, each.is_repeat) for each in at(view).history] == [("13", False), ("13", True), ("15", False)]


def test_a_replacement_is_a_document_of_its_own() -> None:
    view = seen(issued("replace", key=LATER, at=10.0), told("03", 20, key=LATER), key=LATER)

    assert (view.is_known, at(view).progress, at(view).changes) == (True, "03", ())


def test_the_progress_of_a_replacement_is_not_that_of_what_it_replaces() -> None:
    view = seen(issued(), told("01", 1), issued("replace", key=LATER, at=10.0), told("06", 20, key=LATER))

    assert at(view).progress == "01"


def test_a_document_to_a_thousand_agencies_is_seen_at_once() -> None:
    agencies = [f"H33.{number}" for number in range(1000)]
    reports = [told(code, by=agency) for agency in agencies for code in ("01", "03", "04", "06")]
    began = time.process_time()
    view = seen(issued(to=agencies), *reports)
    assert time.process_time() - began < 2, "it took time by their number squared"
    assert {each.progress for each in view.recipients} == {"06"}
    assert {len(each.history) for each in view.recipients} == {4}


# ------------------------------------------------------------------------------------------- in another's name


def forged(line: Line, at: float = 50.0) -> Line:
    """The same, told by a system that may not speak for whom it names."""
    entry = replace(line.entry, is_vouched=False)
    return replace(line, message=f"forged {line.message} {at}", entry=entry, source="H33.20/dms")


def test_a_status_in_anothers_name_is_told_as_the_word_of_its_system_and_changes_nothing_else() -> None:
    for code in ("01", "02", "03", "06", "13", "15", "16"):
        honest = [issued(), issued("recall", at=9.0), told("03", 20)]
        true, view = seen(*honest), seen(*honest, forged(told(code, 30)))

        assert derived(view) == derived(true)
        assert [(each.code, each.told_by) for each in at(view).history] == [("03", None), (code, "H33.20/dms")]


def test_a_forged_status_makes_no_repeat_of_the_true_one() -> None:
    view = seen(issued(), forged(told("03", 1)), told("03", 1))

    assert [(each.told_by, each.is_repeat) for each in at(view).history] == [("H33.20/dms", False), (None, False)]


def test_a_change_in_the_issuers_name_asks_nothing_and_answers_to_it_say_nothing() -> None:
    for kind in ("recall", "update", "replace"):
        for key in (KEY, LATER):
            false = forged(issued(kind, at=9.0, key=key, to=(ONE, "H33.40")))
            view = seen(issued(), told("03"), false, told("15", 20, key=LATER))

            assert (view.standing, at(view).standing, at(view).changes, at(view).flags) == (
                "in-force",
                "in-force",
                (),
                (),
            )
            assert [each.agency for each in view.recipients] == [ONE, OTHER]
            assert [(each.kind, each.told_by) for each in view.issues] == [("new", None), (kind, "H33.20/dms")]


def test_a_taking_back_in_the_issuers_name_is_no_change() -> None:
    view = seen(issued(), forged(taken_back(5.0)), told("15", 20))

    assert (at(view).standing, at(view).changes) == ("in-force", ())
    assert [(each.code, each.told_by) for each in at(view).history] == [("13", "H33.20/dms"), ("15", None)]


def test_a_document_in_anothers_name_alone_is_not_known() -> None:
    view = seen(forged(issued()))

    assert (view.is_known, view.standing, view.recipients) == (False, "in-force", ())


# ------------------------------------------------------------------------------------------------------ who may see


def test_a_recipient_sees_its_own_part_alone() -> None:
    view = seen(issued(), issued("recall", at=9.0, to=(OTHER,)), told("03"), told("02", by=OTHER))

    assert view.for_agency(frozenset({ISSUER})) == view
    mine = view.for_agency(frozenset({ONE}))
    assert mine is not None
    assert [each.agency for each in mine.recipients] == [ONE]
    assert [(each.kind, each.recipients) for each in mine.issues] == [("new", (ONE,))]
    assert view.for_agency(frozenset({"H33.99"})) is None


# --------------------------------------------------------------------------------------------------------- any order

_REPORTS = st.lists(
    st.one_of(
        st.builds(
            told,
            st.sampled_from(("01", "02", "03", "04", "05", "06", "15", "16")),
            st.sampled_from((-50.0, 1.0, 15.0, 15.5, 40.0, 120.0)),
            by=st.sampled_from((ONE, OTHER, "H33.40")),
            key=st.sampled_from((KEY, LATER)),
        ),
        st.builds(taken_back, st.sampled_from((5.0, 30.0)), of=st.sampled_from((ONE, OTHER))),
    ),
    max_size=12,
)
_SENT = (issued(), issued("update", at=10.0), issued("replace", key=LATER, at=30.0), issued("recall", at=100.0))


def derived(view: DocumentView) -> object:
    """What must not depend on how statuses arrived: all but the history, and who was heard of first."""
    recipients = {
        each.agency: (each.transport, each.progress, each.flags, each.standing, each.changes)
        for each in view.recipients
    }
    return view.standing, view.is_known, view.issues, recipients


@given(_REPORTS, st.integers(0, 2**32), st.integers(1, len(_SENT)))
def test_the_same_statuses_make_the_same_view_in_any_order_and_however_often(
    reports: list[Line], seed: int, sent: int
) -> None:
    chance = random.Random(seed)
    told_so = [*reports, *chance.choices(reports, k=len(reports))] if reports else []
    chance.shuffle(told_so)
    mixed = list(told_so)
    # From the last one on, so that the documents keep their order among the statuses.
    places = sorted(chance.choices(range(len(told_so) + 1), k=sent))
    for place, line in reversed(list(zip(places, _SENT, strict=False))):
        mixed.insert(place, line)

    assert derived(seen(*mixed)) == derived(seen(*_SENT[:sent], *reports))


@given(_REPORTS)
def test_every_status_is_in_the_history_as_often_as_it_arrived(reports: list[Line]) -> None:
    view = seen(_SENT[0], *reports)

    told_by_recipients = [line for line in reports if line.entry.code != "13"]
    shown = [each for recipient in view.recipients for each in recipient.history if each.code != "13"]
    assert sorted(each.message for each in shown) == sorted(line.message for line in told_by_recipients)


def test_a_digest_is_no_part_of_what_is_seen() -> None:
    assert a_digest("x") not in repr(seen(issued(fingerprint=a_digest("x"))))


def test_who_reports_on_what_it_was_never_sent_learns_nothing_about_it() -> None:
    stranger = "H33.77"
    of_a_known_one = seen(issued(), told("03", by=stranger)).for_agency(frozenset({stranger}))
    of_none = seen(told("03", by=stranger)).for_agency(frozenset({stranger}))
    assert of_a_known_one is not None
    assert of_none is not None
    assert (of_a_known_one.is_known, of_a_known_one.issued_on, of_a_known_one.issues) == (False, None, ())
    assert (of_none.is_known, of_none.issued_on, of_none.issues) == (False, None, ())
