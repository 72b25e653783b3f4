"""What apply would change is told row by row and field by field; rows from elsewhere are never touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.config.difference import Difference, difference
from gateway.config.keys import new_key_pem, self_signed
from gateway.config.rows import FolderRow, Origin, RowKind
from gateway.ports import RegistryRow

AGENCY: dict[str, Any] = {
    "code": "H33.05",
    "name": "Sở Tài chính",
    "systems": [
        {
            "name": "dms",
            "adapter": "webhook",
            "settings": {"url": "http://a"},
            "subscriptions": [{"contract": "document.issued", "version": "1.0"}],
        },
        {"name": "tabmis", "adapter": "inbox"},
    ],
}


def held(kind: RowKind, key: str, body: dict[str, Any], origin: Origin = "folder") -> RegistryRow:
    return RegistryRow(kind, key, origin, body)


def changed(**systems: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(AGENCY))
    body["systems"][0].update(systems)
    return body


def only_change(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    found = difference([held("agency", "H33.05", before)], [FolderRow("agency", "H33.05", after)])
    assert (found.added, found.removed, found.clashes) == ((), (), ())
    (row,) = found.changed
    return [(field.path, field.before, field.after) for field in row.fields]


def lines(found: Difference, language: str = "vi") -> list[str]:
    return list(found.lines(language))


def test_the_same_rows_make_no_difference() -> None:
    found = difference([held("agency", "H33.05", AGENCY)], [FolderRow("agency", "H33.05", AGENCY)])
    assert found.is_empty
    assert lines(found) == ["Không có gì thay đổi."]
    assert lines(found, "en") == ["Nothing changes."]


def test_added_changed_and_removed_rows_are_told_in_words() -> None:
    found = difference(
        [held("agency", "H33.05", AGENCY), held("agreement", "VB", {"id": "VB", "title": "Văn bản"})],
        [FolderRow("agency", "H33.05", {**AGENCY, "name": "Sở Mới"}), FolderRow("agency", "H33.16", {"name": "Y tế"})],
    )
    assert lines(found) == [
        "+ cơ quan H33.16 (Y tế)",
        "~ cơ quan H33.05 (Sở Mới)",
        "    name: Sở Tài chính → Sở Mới",
        "- thoả thuận VB (Văn bản)",
    ]
    assert lines(found, "en")[0] == "+ agency H33.16 (Y tế)"


def test_a_change_deep_inside_names_the_system_by_its_name() -> None:
    assert only_change(AGENCY, changed(settings={"url": "http://b"})) == [
        ("systems[dms].settings.url", "http://a", "http://b")
    ]


def test_subscriptions_are_told_apart_by_contract() -> None:
    after = changed(subscriptions=[{"contract": "document.issued", "version": "2.0"}])
    path = "systems[dms].subscriptions[document.issued].version"
    assert only_change(AGENCY, after) == [(path, "1.0", "2.0")]


def test_another_order_of_systems_is_no_difference() -> None:
    after = {**AGENCY, "systems": list(reversed(AGENCY["systems"]))}
    assert difference([held("agency", "H33.05", AGENCY)], [FolderRow("agency", "H33.05", after)]).is_empty


def test_a_key_that_goes_is_told_as_absent() -> None:
    after = {key: value for key, value in AGENCY.items() if key != "name"}
    found = difference([held("agency", "H33.05", AGENCY)], [FolderRow("agency", "H33.05", after)])
    assert lines(found)[1] == "    name: Sở Tài chính → ∅"


def test_certificates_are_told_by_thumbprint_and_secrets_not_at_all() -> None:
    key, _ = new_key_pem()
    before = changed(certificates_pem=[self_signed(key, "a").decode()], secret_hash="aa$1111")
    after = changed(certificates_pem=[self_signed(key, "b").decode()], secret_hash="bb$2222")
    found = difference([held("agency", "H33.05", before)], [FolderRow("agency", "H33.05", after)])
    told = json.dumps(found.as_json()) + "".join(lines(found))
    assert [field.path for field in found.changed[0].fields] == [
        "systems[dms].certificates_pem",
        "systems[dms].secret_hash",
    ]
    assert "BEGIN CERTIFICATE" not in told
    assert "1111" not in told
    assert "2222" not in told


def test_a_contracts_files_are_told_by_name_not_by_content() -> None:
    before, after = {"files": {"1.0/schema.json": "x" * 500}}, {"files": {"1.0/schema.json": "y" * 500}}
    found = difference([held("contract", "a.b", before)], [FolderRow("contract", "a.b", after)])
    assert [field.path for field in found.changed[0].fields] == ["files.1.0/schema.json"]
    assert max(len(line) for line in lines(found)) < 200


def test_rows_from_elsewhere_are_neither_changed_nor_removed() -> None:
    elsewhere = [held("agency", "H33.77", {"code": "H33.77", "name": "Nơi khác"}, "directory")]
    assert difference(elsewhere, []).is_empty


def test_a_row_whose_name_belongs_to_another_origin_is_a_clash_and_nothing_else() -> None:
    found = difference(
        [held("agency", "H33.05", {"code": "H33.05", "name": "Cũ"}, "directory")],
        [FolderRow("agency", "H33.05", AGENCY)],
    )
    assert (found.added, found.changed, found.removed) == ((), (), ())
    assert [(clash.name, clash.holder.origin) for clash in found.clashes] == [("H33.05", "directory")]
    assert not found.is_empty
    assert "danh mục quốc gia" in lines(found)[0]


def test_an_alias_clashes_with_a_code_from_elsewhere() -> None:
    found = difference(
        [held("agency", "H33.77", {"code": "H33.77", "aliases": ["OLD"]}, "console")],
        [FolderRow("agency", "H33.05", {**AGENCY, "aliases": ["OLD"]})],
    )
    assert [clash.name for clash in found.clashes] == ["OLD"]
    assert lines(found)[0].startswith("! cơ quan H33.05")


def test_contracts_come_before_agencies_and_agencies_before_agreements() -> None:
    wanted = [FolderRow("agreement", "a", {}), FolderRow("agency", "b", {}), FolderRow("contract", "c", {})]
    assert [row.kind for row in difference([], wanted).added] == ["contract", "agency", "agreement"]
    gone = [held(row.kind, row.key, {}) for row in wanted]
    assert [row.kind for row in difference(gone, []).removed] == ["agreement", "agency", "contract"]


def test_a_folder_read_twice_makes_no_difference(tmp_path: Path) -> None:
    from gateway.config.province import read_province
    from tests.province import a_province, settings_of

    settings = settings_of(a_province(tmp_path / "tinh"))
    rows = [RegistryRow(row.kind, row.key, row.origin, row.body) for row in read_province(settings).rows]
    assert difference(rows, read_province(settings, rows).rows).is_empty
