"""The address book: found as people type, in order, page by page; and what may be sent to whom."""

from __future__ import annotations

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address_book import AddressBook, Sender, fold, is_sent
from gateway.core.agreement import Subscription
from gateway.core.directory import Agency, Directory, System
from tests.town import CATALOG, GATEWAY, an_agreement

DAY = date(2026, 11, 23)
NAMES = {
    "H33": "Uỷ ban nhân dân tỉnh",
    "H33.05": "Sở Tài chính",
    "H33.05.01": "Chi cục Tài chính doanh nghiệp",
    "H33.16": "Sở Y tế",
    "H33.20": "Sở Khoa học - Công nghệ (KH&CN)",
    "H33.30": "UBND thành phố Đông Hà",
    "H14.05": "Sở Tài chính Đắk Lắk",
}


def a_book(names: dict[str, str] | None = None) -> AddressBook:
    agencies = [
        Agency(code, name, "province", (f"000.00.{code[-2:]}.{code[:3]}",), code.rpartition(".")[0] or None)
        for code, name in (names or NAMES).items()
    ]
    return AddressBook.of(Directory(agencies, [], gateway=GATEWAY))


def found(asked: str, *, after: str = "", limit: int = 100) -> list[str]:
    return [agency.code for agency in a_book().search(asked, after=after, limit=limit)[0]]


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        ("so tai chinh", ["H14.05", "H33.05"]),
        ("Sở Tài chính", ["H14.05", "H33.05"]),
        ("SỞ TÀI CHÍNH", ["H14.05", "H33.05"]),
        ("So\u031b\u0309 Ta\u0300i chi\u0301nh", ["H14.05", "H33.05"]),
        ("chinh so", ["H14.05", "H33.05"]),
        ("tai chinh", ["H14.05", "H33.05", "H33.05.01"]),
        ("dong ha", ["H33.30"]),
        ("Ðông Hà", ["H33.30"]),
        ("dak", ["H14.05"]),
        ("kh cn", ["H33.20"]),
        ("khoa-hoc", ["H33.20"]),
        ("uy ban", ["H33"]),
        ("h33.05", ["H33.05", "H33.05.01"]),
        ("H33.05.", ["H33.05", "H33.05.01"]),
        ("000.00.16.H33", ["H33.16"]),
        ("so h33", ["H33.05", "H33.16", "H33.20"]),
        ("  ", sorted(NAMES)),
        ("", sorted(NAMES)),
        ("ai chinh", []),
        ("3.05", []),
        ("!?", []),
        ("so\ntai", ["H14.05", "H33.05"]),
        ("sở giao thông", []),
    ],
)
def test_an_agency_is_found_as_people_type(asked: str, codes: list[str]) -> None:
    assert found(asked) == codes


def test_the_book_is_read_page_by_page_in_order_of_codes() -> None:
    book = a_book()
    seen: list[str] = []
    after, has_more = "", True
    while has_more:
        page, has_more = book.search("", after=after, limit=2)
        seen += [agency.code for agency in page]
        after = seen[-1]
    assert seen == sorted(NAMES)
    assert found("so", after="H33.05") == ["H33.16", "H33.20"]
    assert found("so", after="H33.1") == ["H33.16", "H33.20"]
    assert found("so", after="Z") == []
    assert book.search("so", limit=4) == book.search("so", limit=9)


def test_an_empty_registry_has_an_empty_book() -> None:
    book = AddressBook.of(Directory([], [], gateway=GATEWAY))

    assert book.search("", limit=5) == ([], False)
    assert book.search("so", limit=5) == ([], False)


@given(
    st.dictionaries(st.from_regex(r"[A-Y][0-9]{2}\.[0-9]{2}", fullmatch=True), st.text(max_size=30), max_size=6),
    st.text(max_size=12),
)
def test_the_book_finds_exactly_what_looking_at_each_entry_finds(names: dict[str, str], asked: str) -> None:
    book = a_book(names) if names else AddressBook.of(Directory([], [], gateway=GATEWAY))
    words = [word for each in fold(asked.replace("\n", " ")).split() if (word := each.strip("."))][:10]

    def fits(agency: Agency) -> bool:
        said = fold(" ".join((agency.name, agency.code, *agency.aliases)).replace("\n", " ")).split()
        return all(any(one.startswith(word) for one in said) for word in words) and (bool(words) or not asked.strip())

    expected = [book.directory.agencies[code] for code in sorted(names) if fits(book.directory.agencies[code])]
    assert book.search(asked, limit=100) == (expected, False)


def test_a_country_of_agencies_is_searched_in_the_blink_of_an_eye() -> None:
    kinds = ["Sở Tài chính", "Phòng Kế hoạch", "Uỷ ban nhân dân xã", "Trường Trung học cơ sở", "Trạm Y tế"]
    names = {f"H{n % 63:02}.{n // 63:05}": f"{kinds[n % 5]} số {n}" for n in range(120_000)}
    directory = Directory((Agency(code, name, "commune") for code, name in names.items()), [], gateway=GATEWAY)
    began = time.perf_counter()
    book = AddressBook.of(directory)
    assert time.perf_counter() - began < 5

    for asked in ("so tai chinh", "tram y te so 119999", "h62.01904", "khong co", "uy ban nhan", "", "truong ke"):
        began = time.perf_counter()
        book.search(asked, limit=50)
        assert time.perf_counter() - began < 0.5, asked


# ------------------------------------------------------------------------------------------- what may be sent


def a_system(name: str, **wishes: Subscription) -> System:
    subscriptions = {each.contract: each for each in wishes.values()}
    return System(name, name.partition("/")[0], "webhook", subscriptions=subscriptions)


def a_sender(directory: Directory, day: date = DAY) -> Sender:
    return Sender.of("H33.05", directory, CATALOG, day)


def test_what_may_be_sent_is_what_is_wished_and_agreed_today() -> None:
    dms = a_system("H33.16/dms", a=Subscription("document.issued", "1.0"), b=Subscription("receipt.delivered", "1.0"))
    archive = a_system("H33.16/archive", a=Subscription("document.issued", "2.0"), b=Subscription("no.such", "1.0"))
    agency = Agency("H33.16", "Sở Y tế", "province", (), "H33", (dms, archive))
    finance = Agency("H33.05", "Sở Tài chính", "province", (), "H33")
    agreements = [
        an_agreement(),
        an_agreement(id="ALL", purpose="khac", contracts=("*",)),
        an_agreement(id="PAST", valid_until=date(2020, 1, 1)),
        an_agreement(id="OTHERS", senders=("H33.16",)),
        an_agreement(id="ELSEWHERE", receivers=("H33.05",)),
    ]
    directory = Directory([agency, finance], agreements, gateway=GATEWAY)

    (sendable,) = a_sender(directory).to(agency)

    assert (sendable.contract, sendable.systems) == ("document.issued", ("H33.16/dms", "H33.16/archive"))
    assert (sendable.agreements, sendable.purposes) == (("VB-2018", "ALL"), ("van-ban", "khac"))
    assert not sendable.needs_purpose
    assert a_sender(directory, date(2031, 1, 1)).to(agency) == ()
    assert a_sender(directory).to(finance) == ()


def test_a_wish_that_filters_the_sender_out_is_none() -> None:
    dms = a_system("H33.16/dms", a=Subscription("document.issued", "1.0", sources=("H14.*",)))
    agency = Agency("H33.16", "Sở Y tế", "province", (), "H33", (dms,))
    directory = Directory(
        [agency, Agency("H33.05", "Sở Tài chính", "province", (), "H33")], [an_agreement()], gateway=GATEWAY
    )

    assert a_sender(directory).to(agency) == ()


def test_only_messages_are_sent_by_agencies_of_themselves() -> None:
    sent = {name for name in CATALOG.names() if is_sent(CATALOG.contracts[name])}

    assert "document.issued" in sent
    assert not any(name.startswith("receipt.") for name in sent)
    assert all(CATALOG.contracts[name].kind == "message" for name in sent)
