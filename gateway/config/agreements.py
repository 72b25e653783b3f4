"""Reads one agreement's file: checked against schema and sense, its dates as ISO text."""

from __future__ import annotations

from datetime import date
from typing import Any

from gateway.config.documents import Document
from gateway.config.judging import judge, schema
from gateway.config.reading import Reading
from gateway.core.codes import is_contract_match
from gateway.core.faults import Text


def read_agreement(reading: Reading, document: Document) -> dict[str, Any] | None:
    """The registry body of one agreement; None where the schema refuses it (mistakes are noted in ``reading``)."""
    found = judge(document, schema("agreement"))
    if found:
        reading.mistakes += found
        return None
    body = dict(document.values)
    if date.fromisoformat(body["valid_until"]) < date.fromisoformat(body["valid_from"]):
        reading.mistake(
            document,
            ("valid_until",),
            Text("Ngày hết hiệu lực sớm hơn ngày có hiệu lực", "The last day is before the first"),
            Text(
                f"valid_until phải từ {body['valid_from']} trở đi.",
                f"valid_until must be {body['valid_from']} or later.",
            ),
        )
    for n, pattern in enumerate(body["contracts"]):
        if not any(is_contract_match(pattern, name) for name in reading.contracts):
            reading.warn(
                document,
                ("contracts", n),
                f"Chưa có hợp đồng dữ liệu nào khớp với {pattern}.",
                f"No contract that is known falls under {pattern}.",
            )
    for name in body.get("fields", {}):
        if name not in reading.contracts:
            reading.warn(
                document,
                ("fields", name),
                f"Chưa có hợp đồng dữ liệu {name}.",
                f"There is no contract {name} yet.",
            )
    return body
