"""How long the province keeps what: ``[retention]`` of lgsp.toml, judged in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.config.documents import Document
from gateway.core.faults import Misconfigured, Text
from gateway.core.moments import parse_duration
from gateway.core.retention import CLASSES, Ages

#: Nobody means more; beyond a century nothing is old.
_LONGEST: Final = 36_525 * 86_400.0


def ages_of(value: Callable[[str, str], Any]) -> Ages:
    """The ages that the settings name; ``value`` gives a key of a table, or its default (nothing ever goes)."""
    return Ages(*(parse_duration(str(value("retention", name))) for name in CLASSES))


def judge_retention(document: Document, value: Callable[[str, str], Any]) -> list[Misconfigured]:
    """Every mistake in how ages go together."""
    ages = ages_of(value)
    mistakes = []
    for name in CLASSES:
        if (ages.of(name) or 0.0) > _LONGEST:
            wrong = Text("Lâu hơn một trăm năm", "This is more than a century")
            right = Text('Muốn giữ mãi thì ghi "".', 'To keep it for ever write "".')
            mistakes.append(document.mistake(("retention", name), wrong, right))
    for name in ages.outliving():
        longest = str(value("retention", "metadata"))
        wrong = Text(
            f"{name} không thể được giữ lâu hơn metadata ({longest})",
            f"{name} cannot be kept for longer than metadata ({longest})",
        )
        right = Text(
            f'Ghi {name} = "{longest}" hoặc ngắn hơn, hoặc giữ metadata lâu hơn.',
            f'Write {name} = "{longest}" or less, or keep metadata for longer.',
        )
        where = name if name in document.values["retention"] else "metadata"
        mistakes.append(document.mistake(("retention", where), wrong, right))
    return mistakes
