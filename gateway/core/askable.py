"""What one agency may ask of another today, by which agreements and for which purposes, and what it is given. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gateway.core.agency import Agency
from gateway.core.contract import Catalog
from gateway.core.directory import Directory
from gateway.core.query import given_by
from gateway.core.rule_text import join_pointer


@dataclass(frozen=True, slots=True)
class Askable:
    """A query of one provider; ``fields``: pointers to what is given of the answer, or None."""

    contract: str
    version: str
    answer: str
    provider: str
    agreements: tuple[str, ...]
    purposes: tuple[str, ...]
    fields: tuple[str, ...] | None


def askable(asker: str, agency: Agency, directory: Directory, catalog: Catalog, day: date) -> tuple[Askable, ...]:
    """What agency ``asker`` may ask of ``agency`` on ``day``, in the order in which its systems provide it."""
    found: list[Askable] = []
    for system in agency.systems:
        for each in system.provides:
            contract = catalog.contract(each.contract)
            if contract is None or contract.answer is None:
                continue
            agreements = tuple(directory.agreements_for(asker, agency.code, each.contract, day))
            if not agreements:
                continue
            fields = given_by(agreements, contract.answer)
            found.append(
                Askable(
                    each.contract, each.version, contract.answer, system.name,
                    tuple(sorted(one.id for one in agreements)), tuple(sorted({one.purpose for one in agreements})),
                    None if fields is None else tuple(sorted(join_pointer(one) for one in fields)),
                )
            )  # fmt: skip
    return tuple(found)
