"""The lists of agencies that are in force, each read once for as long as it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gateway.core.agency_list import AgencyList
from gateway.core.faults import Misconfigured, Text
from gateway.ports.agency_lists import AgencyLists, KeptList


@dataclass(slots=True)
class ListsInForce:
    """Reads lists beside the event loop, and those that have not changed not again."""

    kept: AgencyLists
    _read: dict[tuple[str, str], AgencyList] = field(default_factory=dict)

    async def now(self) -> tuple[AgencyList, ...]:
        """Every list in force: what people imported before what systems tell, and by name.

        Raises Misconfigured where a list is damaged.
        """
        read: dict[tuple[str, str], AgencyList] = {}
        for each in sorted(await self.kept.listed(), key=lambda one: ("/" in one.source, one.source)):
            if each.digest is not None:
                place = each.source, each.digest
                found = self._read.get(place) or await self._unpacked(each, each.digest)
                # None: approved just now; the registry has another version then, and everything is read again
                if found is not None:
                    read[place] = found
        self._read = read
        return tuple(read.values())

    async def _unpacked(self, each: KeptList, digest: str) -> AgencyList | None:
        body = await self.kept.body(each.source, digest)
        if body is None:
            return None
        try:
            found = await asyncio.to_thread(AgencyList.unpack, each.source, body)
        except ValueError:
            found = None
        if found is None or found.digest != digest:
            raise Misconfigured(
                f"agency_lists: {each.source}",
                Text("Danh sách cơ quan trong kho bị hỏng", "The list of agencies in the store is damaged"),
                Text(
                    "Kiểm tra ổ đĩa; khôi phục kho từ bản sao lưu (lgsp restore).",
                    "Check the disk; restore the store from a backup (lgsp restore).",
                ),
            )
        return found
