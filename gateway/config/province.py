"""The province folder: agencies/, agreements/ and contracts/ as registry rows, all checked before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.config.adapter_kinds import adapter_folders
from gateway.config.agencies import read_agency
from gateway.config.agreements import read_agreement
from gateway.config.catalog import builtin_folder, contract_from_documents, documents_of, publish_check, read_catalog
from gateway.config.documents import Document, each, raise_all, read_document
from gateway.config.picture import directory_of
from gateway.config.reaching import check_carriers, check_successors
from gateway.config.reading import NewPair, Reading, Warned
from gateway.config.rows import FolderRow, Row
from gateway.config.settings import Settings
from gateway.core.contract import Contract
from gateway.core.faults import Misconfigured, Text

__all__ = ["MAX_FILES", "Province", "contract_from_files", "directory_of", "read_province"]

MAX_FILES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Province:
    """What the folder asks for: the rows, what is unusual, and the keys that apply has still to make."""

    rows: tuple[FolderRow, ...]
    warnings: tuple[Warned, ...]
    pairs: tuple[NewPair, ...]


def read_province(settings: Settings, registered: Iterable[Row] = ()) -> Province:
    """Everything in the folder, checked; raises Misconfigured with every mistake found. Changes nothing.

    ``registered`` are the rows that the registry holds: what came from elsewhere counts in the checks, and a
    client secret that has not changed keeps its hash.
    """
    registered = tuple(registered)
    mistakes: list[Misconfigured] = []
    own = _own_contracts(settings, mistakes)
    reading = Reading(
        settings=settings,
        adapters=_adapters(settings, mistakes),
        contracts=_contracts(own, registered, mistakes),
        hashes=_hashes(registered),
        mistakes=mistakes,
    )
    agencies = _each_file(reading, "agencies", read_agency)
    agreements = _each_file(reading, "agreements", read_agreement)
    _check_codes(reading, agencies)
    _check_parents(reading, agencies)
    check_successors(reading, agencies)
    check_carriers(reading, agencies, registered)
    _check_ids(reading, agreements)
    raise_all(mistakes)
    contract_rows = [FolderRow("contract", name, {"files": files}) for name, (files, _) in sorted(own.items())]
    agency_rows = [FolderRow("agency", body["code"], body) for _, body in agencies]
    agreement_rows = [FolderRow("agreement", body["id"], body) for _, body in agreements]
    return Province((*contract_rows, *agency_rows, *agreement_rows), tuple(reading.warnings), tuple(reading.pairs))


_Read = tuple[Document, dict[str, Any]]


def _each_file(
    reading: Reading, folder: str, read: Callable[[Reading, Document], dict[str, Any] | None]
) -> list[_Read]:
    """Each ``*.toml`` of one folder, in order of names; what cannot be read is noted as a mistake."""
    found: list[_Read] = []
    for number, path in enumerate(_files(reading.settings.folder / folder)):
        shown = f"{folder}/{path.name}"
        if number >= MAX_FILES:
            reading.mistakes.append(
                Misconfigured(
                    shown,
                    Text(f"Quá {MAX_FILES} tệp trong {folder}/", f"Over {MAX_FILES} files in {folder}/"),
                    Text("Hãy bỏ bớt tệp thừa.", "Take out what does not belong there."),
                )
            )
            break
        try:
            document = read_document(path, shown)
        except Misconfigured as fault:
            reading.mistakes += each(fault)
            continue
        body = read(reading, document)
        if body is not None:
            found.append((document, body))
    return found


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.glob("*.toml") if not path.name.startswith("."))


def _adapters(settings: Settings, mistakes: list[Misconfigured]) -> Mapping[str, Path]:
    try:
        return adapter_folders(settings)
    except Misconfigured as fault:
        mistakes += each(fault)
        return {}


def _own_contracts(settings: Settings, mistakes: list[Misconfigured]) -> dict[str, tuple[Mapping[str, str], Contract]]:
    """Name -> (files as text, contract) of every contract in the province's own folders, fit to be published."""
    builtin = read_catalog([builtin_folder()])
    own: dict[str, tuple[Mapping[str, str], Contract]] = {}
    for root in settings.contract_folders:
        for folder in sorted(root.iterdir()):
            if not folder.is_dir() or folder.name.startswith((".", "_")):
                continue
            shown = settings.shown(folder)
            try:
                if folder.name in own or builtin.contract(folder.name) is not None:
                    raise _contract_twice(shown, folder.name)
                files = documents_of(folder)
                contract = contract_from_documents(folder.name, files, shown)
                publish_check(contract, shown)
            except Misconfigured as fault:
                mistakes += each(fault)
            else:
                own[folder.name] = ({name: content.decode("utf-8") for name, content in files.items()}, contract)
    return own


def _contract_twice(shown: str, name: str) -> Misconfigured:
    return Misconfigured(
        shown,
        Text(f"Đã có hợp đồng dữ liệu tên {name}", f"There is a contract named {name} already"),
        Text("Hãy đặt tên khác cho thư mục này.", "Give this folder another name."),
    )


def _contracts(
    own: Mapping[str, tuple[Mapping[str, str], Contract]],
    registered: Iterable[Row],
    mistakes: list[Misconfigured],
) -> Mapping[str, Contract]:
    """Every contract known: built in, registered from elsewhere, the folder's own."""
    known = dict(read_catalog([builtin_folder()]).contracts)
    for row in registered:
        if row.kind == "contract" and row.origin != "folder":
            try:
                known[row.key] = contract_from_files(row.key, row.body)
            except Misconfigured as fault:
                mistakes += each(fault)
    return {**known, **{name: contract for name, (_, contract) in own.items()}}


def contract_from_files(name: str, body: Mapping[str, Any]) -> Contract:
    """The contract that a registry row of kind ``contract`` holds; raises Misconfigured where it is broken."""
    files = {path: str(content).encode() for path, content in body.get("files", {}).items()}
    return contract_from_documents(name, files, f"registry: {name}")


def _hashes(registered: Iterable[Row]) -> dict[str, str]:
    return {
        f"{row.key}/{system.get('name')}": system["secret_hash"]
        for row in registered
        if row.kind == "agency"
        for system in row.body.get("systems", [])
        if "secret_hash" in system
    }


def _check_codes(reading: Reading, agencies: list[_Read]) -> None:
    """Every code and alias names one agency only, and the file that took it first is told."""
    owners: dict[str, str] = {}
    for document, body in agencies:
        written = [(("code",), body["code"]), *((("aliases", n), a) for n, a in enumerate(body.get("aliases", [])))]
        for path, code in written:
            if code in owners:
                first = owners[code]
                reading.mistake(
                    document,
                    path,
                    Text(f"Mã {code} đã có ở {first}", f"The code {code} is taken by {first}"),
                    Text(
                        "Mỗi mã chỉ thuộc một cơ quan; hãy sửa một bên.",
                        "A code names one agency; mend one of the two.",
                    ),
                )
            owners.setdefault(code, document.where(*path))


def _check_parents(reading: Reading, agencies: list[_Read]) -> None:
    """No agency is above itself by way of others."""
    names = {code: body["code"] for _, body in agencies for code in (body["code"], *body.get("aliases", []))}
    parents = {body["code"]: names.get(body.get("parent"), body.get("parent")) for _, body in agencies}
    for document, body in agencies:
        code, above, seen = body["code"], parents.get(body["code"]), 0
        while above is not None and above != code and seen <= len(parents):
            above, seen = parents.get(above), seen + 1
        if above == code:
            reading.mistake(
                document,
                ("parent",),
                Text(f"Quan hệ cấp trên đi vòng về chính {code}", f"The parents of {code} lead back to itself"),
                Text("Hãy sửa parent của một cơ quan trong vòng.", "Mend the parent of one agency of the circle."),
            )


def _check_ids(reading: Reading, agreements: list[_Read]) -> None:
    owners: dict[str, str] = {}
    for document, body in agreements:
        if body["id"] in owners:
            first = owners[body["id"]]
            reading.mistake(
                document,
                ("id",),
                Text(f"Số hiệu {body['id']} đã có ở {first}", f"The id {body['id']} is taken by {first}"),
                Text("Mỗi thoả thuận cần một số hiệu riêng.", "Each agreement needs an id of its own."),
            )
        owners.setdefault(body["id"], document.where("id"))
