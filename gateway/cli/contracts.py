"""``contracts list`` and ``contracts check``: which message types there are, and whether a folder may be published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.frame import FAILED, Place, examples, json_option, mistake_members, tell_mistakes
from gateway.config.documents import each as each_mistake
from gateway.core.faults import Misconfigured

if TYPE_CHECKING:
    from gateway.core.contract import Contract


@click.group(epilog=examples("lgsp contracts list", "lgsp contracts check contracts/document.issued"))
def contracts() -> None:
    """Hợp đồng dữ liệu: danh sách và kiểm tra. Contracts: the list and the gate."""


@contracts.command("list", epilog=examples("lgsp -C tinh contracts list --json"))
@json_option
@click.pass_obj
def list_contracts(place: Place) -> None:
    """Các hợp đồng có sẵn và của tỉnh này. The built-in contracts and this province's."""
    from gateway.config.catalog import read_catalog

    catalog = read_catalog(_folders(place))
    found = [catalog.contracts[name] for name in catalog.names()]
    place.give({"contracts": [_members(contract) for contract in found]})
    for contract in found:
        labels = ", ".join(f"{version.label} ({version.state})" for version in contract.versions)
        place.say(f"{contract.name}  {contract.title.vi}  {labels}", f"{contract.name}  {contract.title.en}  {labels}")


@contracts.command("check", epilog=examples("lgsp contracts check", "lgsp contracts check tinh/contracts/don.thu"))
@click.argument(
    "folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@json_option
@click.pass_obj
def check(place: Place, folders: tuple[Path, ...]) -> int | None:
    """Kiểm tra lược đồ, ví dụ và luật chuyển đổi của từng hợp đồng. Whether contracts may be published.

    Không nêu thư mục: mọi hợp đồng có sẵn và của tỉnh. Without a folder: all there are.
    """
    from gateway.config.catalog import publish_check, read_contract

    wanted = list(folders) or [
        inside
        for root in _folders(place)
        for inside in sorted(root.iterdir())
        if inside.is_dir() and not inside.name.startswith((".", "_"))
    ]
    broken: list[tuple[Path, Misconfigured]] = []
    for folder in wanted:
        try:
            publish_check(read_contract(folder.resolve()), str(folder))
        except Misconfigured as fault:
            broken.append((folder, fault))
        else:
            place.say(f"✓ {folder.name}", f"✓ {folder.name}")
    mistakes = [one for _, found in broken for one in each_mistake(found)]
    place.give(
        {
            "result": "failed" if broken else "fit",
            "checked": [str(folder) for folder in wanted],
            "mistakes": [mistake_members(one) for one in mistakes],
        }
    )
    quiet = Place(place.folder, place.language)
    for _, found in broken:
        tell_mistakes(quiet, found)
    return FAILED if broken else None


def _folders(place: Place) -> list[Path]:
    """The built-in contracts, and the province's own where a province is here."""
    from gateway.config.catalog import builtin_folder
    from gateway.config.settings import FILE

    own = place.settings.contract_folders if (place.folder / FILE).is_file() else ()
    return [builtin_folder(), *own]


def _members(contract: Contract) -> dict[str, object]:
    return {
        "name": contract.name,
        "title": contract.title._asdict(),
        "kind": contract.kind,
        "owner": contract.owner,
        "versions": [{"version": version.label, "state": version.state} for version in contract.versions],
    }
