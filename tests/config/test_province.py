"""The province folder becomes registry rows; each mistake is told with file, line, key and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.config.catalog import builtin_folder, documents_of
from gateway.config.documents import each
from gateway.config.province import Province, read_province
from gateway.config.secret import is_secret
from gateway.core.directory import read_certificate
from gateway.core.faults import Misconfigured
from gateway.ports import RegistryRow
from tests.province import AGREEMENT, FINANCE, HEALTH, a_pair, a_province, edit, settings_of, snapshot, write

FINANCE_FILE = "agencies/H33.05.toml"
HEALTH_FILE = "agencies/H33.16.toml"
AGREEMENT_FILE = "agreements/VB-2018.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_province(tmp_path / "tinh")


def read(folder: Path, *registered: RegistryRow) -> Province:
    return read_province(settings_of(folder), registered)


def mistakes(folder: Path) -> list[Misconfigured]:
    before = snapshot(folder)
    with pytest.raises(Misconfigured) as caught:
        read(folder)
    assert snapshot(folder) == before
    return each(caught.value)


def bodies(province: Province, kind: str) -> dict[str, Mapping[str, Any]]:
    return {row.key: row.body for row in province.rows if row.kind == kind}


def test_a_right_folder_becomes_rows_of_origin_folder(folder: Path) -> None:
    province = read(folder)
    assert {(row.kind, row.key, row.origin) for row in province.rows} == {
        ("agency", "H33.05", "folder"),
        ("agency", "H33.16", "folder"),
        ("agreement", "VB-2018", "folder"),
    }
    assert (province.warnings, province.pairs) == ((), ())


def test_dates_become_iso_text_and_certificates_are_inlined(folder: Path) -> None:
    province = read(folder)
    assert bodies(province, "agreement")["VB-2018"]["valid_from"] == "2018-09-06"
    (system,) = bodies(province, "agency")["H33.16"]["systems"]
    assert system["certificates"] == ["keys/H33.16-dms.crt"]
    assert system["certificates_pem"] == [(folder / "keys/H33.16-dms.crt").read_text()]


def test_a_folder_without_agencies_is_an_empty_province(tmp_path: Path) -> None:
    write(tmp_path, "lgsp.toml", '[gateway]\nsystem = "H33.14/lgsp"\n')
    assert read(tmp_path).rows == ()


@pytest.mark.parametrize(
    ("file", "before", "after", "where", "wrong", "right"),
    [
        (FINANCE_FILE, 'code = "H33.05"', 'code = "H33 05"', ":1: code", "H33 05", "H33.05"),
        (FINANCE_FILE, 'code = "H33.05"', "code = 5", ":1: code", "5", "H33.05"),
        (FINANCE_FILE, "aliases = [", "alias = [", ":2: alias", "alias", "aliases"),
        (FINANCE_FILE, 'name = "Sở Tài chính"\n', "", "", "name", "Sở Tài chính"),
        (FINANCE_FILE, '"province"', '"provice"', ":4: level", "provice", "province?"),
        (FINANCE_FILE, 'parent = "H33"', 'parent = "H33.05"', ":5: parent", "H33.05", "parent"),
        (FINANCE_FILE, '"000.00.05.H33"', '"H33.16"', "agencies/H33.16.toml:1: code", "H33.16", "sửa một bên"),
        (FINANCE_FILE, 'name = "dms"', 'name = "DMS 1"', ":8: systems[1].name", "DMS 1", '"dms"'),
        (FINANCE_FILE, '"webhook"', '"webhok"', ":9: systems[1].adapter", "webhok", "webhook?"),
        (FINANCE_FILE, "url = ", "uri = ", ":13: systems[1].settings.uri", "uri", "url?"),
        (FINANCE_FILE, '"http://127', '"ftp://127', ":13: systems[1].settings.url", "ftp://", "http"),
        (FINANCE_FILE, "H33.05-dms.crt", "no.crt", ":10: systems[1].certificates[1]", "keys/no.crt", "PEM"),
        (FINANCE_FILE, "keys/H33.05-dms.crt", "lgsp.toml", ":10: systems[1].certificates[1]", "X.509", "openssl"),
        (FINANCE_FILE, '"receipt.delivered"', '"receipt.deliverd"', ":16: systems[1].subscriptions[1].contract",
         "receipt.deliverd", "receipt.delivered?"),
        (FINANCE_FILE, 'version = "1.0"', 'version = "9.0"', ":17: systems[1].subscriptions[1].version", "9.0", "1.0"),
        (FINANCE_FILE, 'version = "1.0"', "version = 1.0", ":17: systems[1].subscriptions[1].version", "1.0", '"1.0"'),
        (HEALTH_FILE, '"jws"', '"jwt"', ":13: systems[1].subscriptions[1].format", "jwt", "jws"),
        (HEALTH_FILE, '"H33.*"', '"H33*"', ":14: systems[1].subscriptions[1].filter.source[1]", "H33*", "H33.*"),
        (HEALTH_FILE, '"5s"', '"5 giây"', ":15: systems[1].subscriptions[1].retry.first", "5 giây", '"5s"'),
        (HEALTH_FILE, '"5s"', '"0s"', ":15: systems[1].subscriptions[1].retry.first", "lớn hơn không", "5s"),
        (HEALTH_FILE, '"1h"', '"1s"', ":15: systems[1].subscriptions[1].retry.cap", "cap", "first"),
        (HEALTH_FILE, '"14d"', '"1s"', ":15: systems[1].subscriptions[1].retry.deadline", "deadline", "first"),
        (HEALTH_FILE, "factor = 2", "factor = 0.5", ":15: systems[1].subscriptions[1].retry.factor", "0.5", "1"),
        (HEALTH_FILE, "factor = 2", "factor = inf", ":15: systems[1].subscriptions[1].retry.factor", "hữu hạn", "2"),
        (AGREEMENT_FILE, "2030-12-31", "2017-12-31", ":9: valid_until", "sớm hơn", "2018-09-06"),
        (AGREEMENT_FILE, "2030-12-31", '"31/12/2030"', ":9: valid_until", "31/12/2030", "2030-12-31"),
        (AGREEMENT_FILE, '["*"]', '["*.H33"]', ":6: to[1]", "*.H33", '"H33.*"'),
        (AGREEMENT_FILE, '["document.*"]', '["document*"]', ":7: contracts[1]", "document*", '"document.*"'),
        (AGREEMENT_FILE, '["document.*"]', "[]", ":7: contracts", "[]", '["document.*"]'),
        (AGREEMENT_FILE, 'purpose = "van-ban"\n', "", "", "purpose", "van-ban"),
        (AGREEMENT_FILE, 'id = "VB-2018"', "id = VB", ":1", "TOML", "dấu nháy"),
    ],
)  # fmt: skip
def test_a_mistake_names_file_line_and_key_and_what_would_be_right(
    folder: Path, *, file: str, before: str, after: str, where: str, wrong: str, right: str
) -> None:
    edit(folder, file, before, after)
    found = mistakes(folder)
    assert found[0].where == (where if where.startswith("agencies/") else file + where)
    assert wrong in found[0].wrong.vi
    assert right in found[0].right.vi
    assert len(found) == 1


def test_a_mistake_in_each_of_two_files_is_found_at_once(folder: Path) -> None:
    edit(folder, FINANCE_FILE, '"webhook"', '"fax"')
    edit(folder, AGREEMENT_FILE, "2030", "2010")
    assert [one.where for one in mistakes(folder)] == [
        "agencies/H33.05.toml:9: systems[1].adapter",
        "agreements/VB-2018.toml:9: valid_until",
    ]


def test_a_path_that_no_file_can_have_is_a_mistake_like_any_other(folder: Path) -> None:
    edit(folder, FINANCE_FILE, "keys/H33.05-dms.crt", "x" * 5000)
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.05.toml:10: systems[1].certificates[1]"


def test_an_unknown_adapter_is_answered_with_those_there_are(folder: Path) -> None:
    edit(folder, FINANCE_FILE, '"webhook"', '"fax"')
    assert "inbox" in mistakes(folder)[0].right.vi


def test_two_files_with_one_code_are_refused(folder: Path) -> None:
    write(folder, "agencies/z.toml", 'code = "H33.05"\nname = "Trùng"\n')
    (found,) = mistakes(folder)
    assert found.where == "agencies/z.toml:1: code"
    assert "agencies/H33.05.toml:1: code" in found.wrong.vi


def test_an_alias_that_is_another_agencys_alias_is_refused(folder: Path) -> None:
    write(folder, "agencies/z.toml", 'code = "H33.99"\naliases = ["000.00.05.H33"]\nname = "Trùng"\n')
    (found,) = mistakes(folder)
    assert found.where == "agencies/z.toml:2: aliases[1]"


def test_parents_that_lead_in_a_circle_are_refused_and_unknown_ones_are_not(folder: Path) -> None:
    write(folder, "agencies/a.toml", 'code = "A01"\nname = "A"\nparent = "A02"\n')
    write(folder, "agencies/b.toml", 'code = "A02"\nname = "B"\nparent = "A01"\n')
    write(folder, "agencies/c.toml", 'code = "A03"\nname = "C"\nparent = "X99"\n')
    assert [one.where for one in mistakes(folder)] == ["agencies/a.toml:3: parent", "agencies/b.toml:3: parent"]


def test_two_systems_of_one_name_are_refused(folder: Path) -> None:
    write(folder, HEALTH_FILE, HEALTH + '\n[[systems]]\nname = "dms"\nadapter = "inbox"\n')
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.16.toml:18: systems[2].name"


def test_two_subscriptions_to_one_contract_are_refused(folder: Path) -> None:
    again = '\n[[systems.subscriptions]]\ncontract = "document.issued"\nversion = "2.0"\n'
    write(folder, HEALTH_FILE, HEALTH + again)
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.16.toml:18: systems[1].subscriptions[2].contract"
    assert "một lần" in found.right.vi


def test_the_gateways_own_system_is_nobody_elses(folder: Path) -> None:
    write(folder, "agencies/g.toml", 'code = "H33.14"\nname = "G"\n[[systems]]\nname = "lgsp"\nadapter = "inbox"\n')
    (found,) = mistakes(folder)
    assert found.where == "agencies/g.toml:4: systems[1].name"


def test_two_agreements_of_one_id_are_refused(folder: Path) -> None:
    write(folder, "agreements/z.toml", AGREEMENT)
    (found,) = mistakes(folder)
    assert (found.where, "agreements/VB-2018.toml:1" in found.wrong.vi) == ("agreements/z.toml:1: id", True)


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 4104), dsa.generate_private_key(2048)],
    ids=["P-384", "RSA-4104", "DSA"],
)
def test_a_key_of_an_unusable_kind_is_refused(folder: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "keys/odd.pem").write_bytes(pem)
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsealing = "gateway"\nkey = "keys/odd.pem"')
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.16.toml:9: systems[1].key"
    assert "P-256" in found.right.vi


def test_a_key_that_is_not_pem_says_how_to_convert_it(folder: Path) -> None:
    write(folder, "keys/odd.pem", "not a key")
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsealing = "gateway"\nkey = "keys/odd.pem"')
    (found,) = mistakes(folder)
    assert "openssl pkcs8" in found.right.en


def test_sealing_by_the_gateway_needs_a_key(folder: Path) -> None:
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsealing = "gateway"')
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.16.toml:5: systems[1]"
    assert 'key = "keys/H33.16-dms.pem"' in found.right.vi


def test_a_missing_sealing_key_is_planned_not_a_mistake(folder: Path) -> None:
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsealing = "gateway"\nkey = "keys/new.pem"')
    (pair,) = read(folder).pairs
    assert (pair.system, pair.key, pair.certificate) == ("H33.16/dms", folder / "keys/new.pem", folder / "keys/new.crt")
    assert not pair.key.exists()


def test_a_sealing_keys_certificate_beside_it_is_registered(folder: Path) -> None:
    a_pair(folder, "kept")
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsealing = "gateway"\nkey = "keys/kept.pem"')
    (system,) = bodies(read(folder), "agency")["H33.16"]["systems"]
    assert [read_certificate(pem).thumbprint for pem in system["certificates_pem"]] == [
        read_certificate((folder / f"keys/{name}.crt").read_text()).thumbprint for name in ("H33.16-dms", "kept")
    ]


def test_a_certificate_beside_a_lost_key_is_not_overwritten(folder: Path) -> None:
    a_pair(folder, "kept")
    (folder / "keys/kept.pem").unlink()
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsealing = "gateway"\nkey = "keys/kept.pem"')
    (found,) = mistakes(folder)
    assert "bản sao lưu" in found.right.vi


def test_a_certificate_of_another_key_is_refused(folder: Path) -> None:
    a_pair(folder, "kept")
    (folder / "keys/kept.crt").write_bytes((folder / "keys/gateway.crt").read_bytes())
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsealing = "gateway"\nkey = "keys/kept.pem"')
    (found,) = mistakes(folder)
    assert "keys/kept.crt" in found.wrong.vi


@pytest.mark.parametrize("key", ["keys/gateway.pem", "keys/webhook.pem"])
def test_the_gateways_own_keys_sign_for_nobody_else(folder: Path, key: str) -> None:
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', f'adapter = "inbox"\nsealing = "gateway"\nkey = "{key}"')
    (found,) = mistakes(folder)
    assert "khoá riêng" in found.right.vi


def test_two_systems_never_share_a_sealing_key(folder: Path) -> None:
    sealing = 'sealing = "gateway"\nkey = "keys/shared.pem"\n'
    write(folder, HEALTH_FILE, HEALTH.replace('name = "dms"\n', 'name = "dms"\n' + sealing))
    write(folder, FINANCE_FILE, FINANCE.replace('name = "dms"\n', 'name = "dms"\n' + sealing))
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.16.toml:8: systems[1].key"
    assert "H33.05/dms" in found.wrong.vi


@pytest.mark.parametrize("key", ["secret_file", "webhook_secret_file"])
def test_a_missing_or_empty_secret_file_says_how_to_make_one(folder: Path, key: str) -> None:
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', f'adapter = "inbox"\n{key} = "keys/s"')
    (found,) = mistakes(folder)
    assert found.where == f"agencies/H33.16.toml:8: systems[1].{key}"
    assert "openssl rand -hex 32 > keys/s" in found.right.vi
    write(folder, "keys/s", "\n")
    assert "rỗng" in mistakes(folder)[0].wrong.vi


def test_a_client_secret_is_kept_as_a_hash_alone_and_the_same_secret_keeps_its_hash(folder: Path) -> None:
    write(folder, "keys/s", "mat-khau-dai-hon-16\n")
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsecret_file = "keys/s"')
    first = read(folder)
    (system,) = bodies(first, "agency")["H33.16"]["systems"]
    assert is_secret(system["secret_hash"], b"mat-khau-dai-hon-16")
    assert "mat-khau" not in str(first.rows)
    registered = [RegistryRow(row.kind, row.key, row.origin, row.body) for row in first.rows]
    assert read(folder, *registered).rows == first.rows
    write(folder, "keys/s", "mat-khau-khac-dai-16\n")
    assert read(folder, *registered).rows != first.rows


def test_a_root_of_subjects_must_be_a_certificate(folder: Path) -> None:
    subjects = 'subjects = [{ root = "trust/ca.pem", subject = "CN=dms" }]'
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', f'adapter = "inbox"\n{subjects}')
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.16.toml:8: systems[1].subjects[1].root"
    (folder / "trust/ca.pem").write_bytes((folder / "keys/gateway.crt").read_bytes())
    assert read(folder).warnings == ()


def test_what_is_unusual_is_only_warned_about(folder: Path) -> None:
    write(folder, "agencies/la.toml", 'code = "ma-la"\nname = "Mã lạ"\n')
    edit(folder, AGREEMENT_FILE, '["document.*"]', '["document.*", "khong.co"]')
    write(folder, "keys/s", "ngan\n")
    edit(folder, HEALTH_FILE, 'adapter = "inbox"', 'adapter = "inbox"\nsecret_file = "keys/s"\nkey = "keys/s"')
    assert {warned.where for warned in read(folder).warnings} == {
        "agencies/la.toml:1: code",
        "agreements/VB-2018.toml:7: contracts[2]",
        "agencies/H33.16.toml:8: systems[1].secret_file",
        "agencies/H33.16.toml:9: systems[1].key",
    }


def test_a_province_contract_becomes_a_row_with_its_files_and_can_be_subscribed_to(folder: Path) -> None:
    files = documents_of(builtin_folder() / "document.status")
    for name, content in files.items():
        write(folder, f"contracts/bao.cao/{name}", content.decode().replace("document.status", "bao.cao"))
    edit(folder, HEALTH_FILE, '"document.issued"', '"bao.cao"')
    province = read(folder)
    body = bodies(province, "contract")["bao.cao"]
    assert set(body["files"]) == set(files)


def test_a_province_contract_may_not_take_a_built_in_name(folder: Path) -> None:
    for name, content in documents_of(builtin_folder() / "document.status").items():
        write(folder, f"contracts/document.status/{name}", content.decode())
    (found,) = mistakes(folder)
    assert found.where == "contracts/document.status"


def test_a_broken_contract_is_named_by_its_file(folder: Path) -> None:
    write(folder, "contracts/bao.cao/contract.toml", 'title = "x"\n')
    assert mistakes(folder)[0].where.startswith("contracts/bao.cao/contract.toml")


def test_a_provinces_own_adapter_is_found_by_its_place_and_checks_its_settings(folder: Path) -> None:
    write(folder, "adapters/fax/adapter.py", '"""Fax."""\n')
    rules = '{"type": "object", "properties": {"number": {"type": "string"}}, "additionalProperties": false}'
    write(folder, "adapters/fax/settings.schema.json", rules)
    edit(folder, FINANCE_FILE, '"webhook"', '"fax"')
    (found,) = mistakes(folder)
    assert found.where == "agencies/H33.05.toml:13: systems[1].settings.url"
    edit(folder, FINANCE_FILE, 'url = "http://127.0.0.1:9001/inbox"', 'number = "19001000"')
    assert len(read(folder).rows) == 3


def test_an_adapter_without_a_schema_is_refused(folder: Path) -> None:
    write(folder, "adapters/fax/adapter.py", '"""Fax."""\n')
    edit(folder, FINANCE_FILE, '"webhook"', '"fax"')
    (found,) = mistakes(folder)
    assert "adapters/fax/settings.schema.json" in found.wrong.vi


def test_a_provinces_adapter_may_not_shadow_a_built_in_one(folder: Path) -> None:
    write(folder, "adapters/webhook/adapter.py", '"""Mine."""\n')
    assert mistakes(folder)[0].where == "adapters/webhook"
