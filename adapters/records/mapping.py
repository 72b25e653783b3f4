"""Rows to messages and back by the rule files that the settings name: the mapping is data, whatever the contract."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.core.brought import Bringer
from gateway.core.faults import Misconfigured, PermanentFailure, Text
from gateway.core.handover import Collected, Uncollectable
from gateway.core.rule_text import split_pointer
from gateway.core.translation import Rules
from gateway.core.wire_record import Shape, canonical_bytes

TONGUE: Final = "records"


def rules_at(folder: Path, name: str, where: str) -> Rules:
    """The rule file ``name`` of the province folder; raises Misconfigured."""
    try:
        return Rules.parse((folder / name).read_bytes(), name)
    except OSError as error:
        raise Misconfigured(
            where,
            Text(f"Không đọc được tệp quy tắc {name}", f"The rule file {name} cannot be read"),
            Text(f"Kiểm tra đường dẫn: {error.strerror}", f"Check the path: {error.strerror}"),
        ) from None


@dataclass(frozen=True, slots=True)
class Inward:
    """How a row becomes a message: the contract, the rules, where its subject stands in the data."""

    contract: str
    version: str
    rules: Rules
    subject: tuple[str, ...]
    bringer: Bringer
    #: Names of columns that rules read; None where one reads the whole row.
    read: frozenset[str] | None

    @classmethod
    def of(cls, incoming: Mapping[str, Any], folder: Path, system: str, settings: Mapping[str, Any]) -> Inward:
        """As the setting ``incoming`` says; raises Misconfigured."""
        rules = rules_at(folder, str(incoming["rules"]), f"{system}: settings.incoming.rules")
        is_whole = any(not source for _, rule in rules.rules for source in rule.sources)
        name, _, version = str(incoming["contract"]).partition("/")
        return cls(
            name,
            version,
            rules,
            split_pointer(str(incoming.get("subject", "/key"))),
            Bringer.of(TONGUE, system, settings),
            None if is_whole else frozenset(Shape.of(rules).members),
        )

    def message(
        self, cells: Mapping[str, Any], *, token: str, identity: Sequence[str], now: float
    ) -> Collected | Uncollectable:
        """The message of a row; what makes it itself is ``identity``."""
        data = self.rules.apply(dict(cells))
        if not isinstance(data, dict):
            return Uncollectable(token, "unmapped-row", _UNMAPPED)
        unread = {} if self.read is None else {name: each for name, each in cells.items() if name not in self.read}
        if unread and "ext" not in data:
            data["ext"] = {TONGUE: unread}
        subject: Any = data
        for step in self.subject:
            subject = subject.get(step) if isinstance(subject, Mapping) else None
        if isinstance(subject, int) and not isinstance(subject, bool):
            subject = str(subject)
        if not isinstance(subject, str) or not subject:
            return Uncollectable(token, "no-key", _NO_KEY)
        return self.bringer.message(
            self.contract, self.version, data, subject=subject, identity=identity, now=now, token=token
        )


@dataclass(frozen=True, slots=True)
class Outward:
    """How a message becomes a row: its contract, the rules, the columns in their order."""

    contract: str
    rules: Rules
    columns: tuple[str, ...]

    @classmethod
    def of(cls, outgoing: Mapping[str, Any], folder: Path, system: str) -> Outward:
        """As one entry of the setting ``outgoing`` says; raises Misconfigured."""
        rules = rules_at(folder, str(outgoing["rules"]), f"{system}: settings.outgoing.rules")
        return cls(str(outgoing["contract"]), rules, tuple(outgoing["columns"]))

    def row(self, data: Mapping[str, Any]) -> list[str]:
        """The cells; raises PermanentFailure where the rules say nothing of the message."""
        made = self.rules.apply(data)
        ext = data.get("ext")
        beyond = ext.get(TONGUE) if isinstance(ext, Mapping) else None
        said = {**(beyond if isinstance(beyond, Mapping) else {}), **(made if isinstance(made, Mapping) else {})}
        cells = [_cell(said.get(name)) for name in self.columns]
        if not any(cells):
            raise PermanentFailure("unwritable: the rules of the settings write no cell of this message")
        return cells


def digest_of(cells: Mapping[str, Any]) -> str:
    """Hex SHA-256 of what a row says, whatever the order of its columns."""
    return hashlib.sha256(canonical_bytes(cells)).hexdigest()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_UNMAPPED: Final = Text(
    "Quy tắc chuyển đổi không viết được dữ liệu từ dòng này. Đơn vị vận hành trục kiểm tra tệp quy tắc.",
    "The rules make no data of this row. The operator of the bus must look at the rule file.",
)
_NO_KEY: Final = Text(
    "Dòng này không có khoá (thiết đặt incoming.subject). Cơ quan bổ sung khoá rồi gửi lại dòng này.",
    "This row has no key (setting incoming.subject). The agency must add it and send the row again.",
)
