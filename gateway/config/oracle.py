"""The second opinion on a contract: the jsonschema library, held to the reading of JSON Schema that traffic gets.

Too slow for traffic and at the mercy of a bad pattern, so it is asked at publication and in tests alone. Two
readings are put right: a pattern's ``$`` means the very end, as ECMA-262 says, and no moment ends in a line feed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jsonschema
from jsonschema import Draft202012Validator, FormatChecker

from gateway.config.pattern import for_python

#: Formats that draft 2020-12 names and both validators assert.
FORMATS: Final = frozenset(
    "date date-time time duration email idn-email hostname idn-hostname ipv4 ipv6 uri uri-reference iri iri-reference"
    " uuid uri-template json-pointer relative-json-pointer regex".split()
)

_checker: Final = FormatChecker(formats=sorted(FORMATS & set(FormatChecker.checkers)))
_library_moment: Final = FormatChecker.checkers["date-time"][0]


@_checker.checks("date-time")
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or (value == value.strip() and bool(_library_moment(value)))


def oracle_for(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator for ``schema``, formats asserted, to be asked ``is_valid`` and ``iter_errors``."""
    return Draft202012Validator(_translated(schema), format_checker=_checker)


def meta_errors(schema: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What makes ``schema`` no JSON Schema 2020-12: pointer tokens joined by ``/`` and the library's sentence."""
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker())
    except jsonschema.SchemaError as error:
        place = "".join(f"/{token}" for token in error.absolute_path)
        return ((place, error.message[:300]),)
    return ()


def _translated(node: Any) -> Any:
    """``node`` with its patterns as Python's engine must see them; data under enum, const and the like untouched."""
    if isinstance(node, list):
        return [_translated(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    found: dict[str, Any] = {}
    for keyword, value in node.items():
        if keyword == "pattern" and isinstance(value, str):
            found[keyword] = for_python(value)
        elif keyword == "patternProperties" and isinstance(value, Mapping):
            found[keyword] = {for_python(pattern): _translated(each) for pattern, each in value.items()}
        elif keyword in {"properties", "$defs", "dependentSchemas"} and isinstance(value, Mapping):
            found[keyword] = {name: _translated(each) for name, each in value.items()}
        elif keyword in {"enum", "const", "default", "examples"}:
            found[keyword] = value
        else:
            found[keyword] = _translated(value)
    return found
