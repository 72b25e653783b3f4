"""The national axis in small, an adapter before it, and the questions that are put to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from adapters.ngsp.adapter import Ngsp, open_adapter
from adapters.ngsp.axis.services import OFFICER, PERSON
from adapters.ngsp.stand_in import Axis, agency
from gateway.ports import AdapterContext
from gateway.ports.queries import Query
from tests.adapters.fitting import Hands

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
DOSSIER = "H33.01-261123-0001"
ID = "0193c0de-0000-7000-8000-0000000000aa"


@dataclass(slots=True)
class Desk:
    """An adapter facing the axis."""

    axis: Axis
    hands: Hands
    context: AdapterContext
    adapter: Ngsp

    async def ask(self, contract: str, data: Mapping[str, Any], *, officer: str = OFFICER) -> Any:
        """A question of an officer for a dossier, held to its contract, and its answer held to the answer's."""
        whole = {"officer": {"account": officer}, "dossierCode": DOSSIER, **data}
        whole = {name: value for name, value in whole.items() if value is not None}
        conforms(contract, whole)
        answer = await self.adapter.ask(self.query(contract, whole))
        if answer is not None:
            conforms(contract.replace(".lookup", ".found"), answer)
        return answer

    def query(self, contract: str, data: Mapping[str, Any]) -> Query:
        """As the bus hands it over."""
        event = {"id": ID, "type": contract, "purpose": "giai-quyet-tthc", "data": dict(data)}
        return Query(ID, contract, "1.0", event, self.context.system, 5.0)


def conforms(contract: str, data: Any, version: str = "1.0") -> None:
    """Hold data to a contract."""
    schema = json.loads((CONTRACTS / contract / version / "schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(data)


def citizen(**override: Any) -> dict[str, Any]:
    """A question about somebody who does not exist."""
    return {"personalNumber": PERSON, "name": "Nguyễn Văn Mẫu", "procedure": "1.004199", **override}


@contextlib.asynccontextmanager
async def desk(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> AsyncIterator[Desk]:
    """The axis in small and an adapter whose settings may be changed first."""
    async with agency(folder) as axis:
        settings = json.loads(json.dumps(dict(axis.settings)))
        if change is not None:
            change(settings)
        hands = Hands(folder)
        context = hands.context("ngsp", settings)
        adapter = open_adapter(context)
        try:
            yield Desk(axis, hands, context, adapter)
        finally:
            await adapter.close()
