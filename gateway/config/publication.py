"""The gate before a contract is published: what would break traffic later is refused here, and explained.

Two validators must agree on every example; patterns must be harmless and read alike; rules between majors must give
what the other major demands. ``advice`` holds what only good house-keeping asks for; the contracts that come with
the gateway follow that too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from gateway.config.documents import raise_all
from gateway.config.oracle import oracle_for
from gateway.config.schema_gate import Node, mistake, nodes, schema_refusals, unsettled
from gateway.core.contract import Contract, Version
from gateway.core.faults import Misconfigured
from gateway.core.fileref import files_named
from gateway.core.schema import CLASS, CLASSES


def publish_check(contract: Contract, where: str) -> None:
    """Raise ``Misconfigured`` with all that keeps ``contract`` from being published; ``where`` leads every place."""
    raise_all(list(_refusals(contract, where)))


def advice(contract: Contract, where: str) -> tuple[Misconfigured, ...]:
    """What is not wrong but should be better: descriptions, classes, named bad examples, losses by oversight."""
    return tuple(_advice(contract, where))


def _refusals(contract: Contract, where: str) -> Iterator[Misconfigured]:
    for version in contract.versions:
        place = f"{where}/{version.label}"
        shape = list(schema_refusals(version, f"{place}/schema.json"))
        yield from shape
        if not shape:  # a schema that is wrong in itself judges nothing
            yield from _example_refusals(version, f"{place}/examples")
    yield from _rule_refusals(contract, where)


def _example_refusals(version: Version, where: str) -> Iterator[Misconfigured]:
    second = oracle_for(version.schema)
    for example in version.examples:
        found = version.check(example.data)
        place = f"{where}/good/{example.name}.json"
        if found:
            yield mistake(
                f"{place}#{found[0].pointer}",
                f"Ví dụ đúng lại trái lược đồ: {found[0].message.vi}",
                f"A good example fails: {found[0].message.en}",
                "Sửa ví dụ hoặc lược đồ",
                "Mend the example or the schema",
            )
        if second.is_valid(example.data) is bool(found):
            yield _disagreement(place)
    for example in version.counterexamples:
        found = version.check(example.data)
        place = f"{where}/bad/{example.name}.json"
        if not found:
            yield mistake(
                place,
                "Ví dụ sai lại hợp lệ",
                "A bad example passes",
                "Sửa ví dụ hoặc lược đồ",
                "Mend the example or the schema",
            )
        elif example.rule is not None and example.rule not in {violation.rule for violation in found}:
            rules = ", ".join(sorted({violation.rule for violation in found}))
            yield mistake(
                place,
                f"Ví dụ sai vì {rules}, không phải {example.rule}",
                f"The example fails by {rules}, not by {example.rule}",
                "Tên tệp là TÊN.LUẬT.json",
                "The file's name is NAME.RULE.json",
            )
        if second.is_valid(example.data) is bool(found):
            yield _disagreement(place)
    if not any(not files_named(example.data) for example in version.examples):
        yield mistake(
            f"{where}/good",
            "Thiếu ví dụ đúng không kèm tệp",
            "No good example does without files",
            "Thêm ít nhất một ví dụ đúng không nêu tệp nào",
            "Add a good example that names no file",
        )


def _disagreement(place: str) -> Misconfigured:
    return mistake(
        place,
        "Hai bộ kiểm tra không đồng ý với nhau",
        "The two validators do not agree",
        "Viết lại phần lược đồ liên quan cho rõ",
        "Write that part of the schema more plainly",
    )


def _rule_refusals(contract: Contract, where: str) -> Iterator[Misconfigured]:
    majors = contract.majors()
    for version in contract.versions:
        first = contract.first_of(version.major) == version
        needed = first and version.major != majors[0]
        for name, rules in (("up", version.up), ("down", version.down)):
            place = f"{where}/{version.label}/{name}.json"
            if needed and rules is None:
                yield mistake(
                    place,
                    "Phiên bản chính mới thiếu quy tắc chuyển đổi",
                    "A new major lacks its rules",
                    "Thêm up.json và down.json",
                    "Add up.json and down.json",
                )
            elif rules is not None and not needed:
                yield mistake(
                    place,
                    "Quy tắc chỉ đặt ở phiên bản phụ đầu tiên của một phiên bản chính mới",
                    "Rules stand only in the first minor of a new major",
                    "Bỏ tệp này",
                    "Take the file away",
                )
    for lower, upper in pairwise(majors):
        yield from _translation_refusals(contract, lower, upper, where)
        yield from _translation_refusals(contract, upper, lower, where)


def _translation_refusals(contract: Contract, start: int, end: int, where: str) -> Iterator[Misconfigured]:
    chain, goal, rising = contract.translation(start, end), contract.first_of(end), end > start
    if chain is None or goal is None:
        return
    home = contract.first_of(max(start, end))
    place = f"{where}/{home.label if home else ''}/{'up' if rising else 'down'}.json"
    for version in contract.versions:
        for example in version.examples if version.major == start else ():
            found = goal.check(chain.apply(example.data))
            if found:
                told = f"{version.label} {example.name}: {found[0].pointer}: "
                yield mistake(
                    place,
                    f"Kết quả chuyển đổi trái lược đồ đích, {told}{found[0].message.vi}",
                    f"The result breaks the other major's schema, {told}{found[0].message.en}",
                    "Sửa quy tắc, thường là thêm default",
                    "Mend the rules, most often by a default",
                )


def _advice(contract: Contract, where: str) -> Iterator[Misconfigured]:
    for version in contract.versions:
        place = f"{where}/{version.label}"
        for node in nodes(version.schema):
            if node.name is not None:
                yield from _field_advice(node, f"{place}/schema.json#{node.pointer}")
        if not _has_two_languages(version.schema.get("title")):
            yield mistake(
                f"{place}/schema.json#/title",
                "Thiếu tên hai thứ tiếng",
                "No title in both languages",
                "Tiếng Việt — English",
                "Tiếng Việt — English",
            )
        if not version.counterexamples or any(example.rule is None for example in version.counterexamples):
            yield mistake(
                f"{place}/examples/bad",
                "Thiếu ví dụ sai, hoặc ví dụ sai không nêu luật",
                "No bad example, or one that does not say its rule",
                "TÊN.LUẬT.json",
                "NAME.RULE.json",
            )
        before = contract.first_of(max([major for major in contract.majors() if major < version.major], default=0))
        pairs = [(version.up, before, "up"), (version.down, version, "down")]
        for rules, source, name in pairs:
            if rules is None or source is None:
                continue
            for pointer in unsettled(rules.settled(), source.schema):
                yield mistake(
                    f"{place}/{name}.json",
                    f"Không quy tắc nào nói về {pointer}",
                    f"No rule speaks of {pointer}",
                    "Chuyển nó, hoặc ghi vào remove",
                    "Move it, or name it in remove",
                )


def _field_advice(node: Node, where: str) -> Iterator[Misconfigured]:
    if not _has_two_languages(node.schema.get("description")):
        yield mistake(
            where,
            "Thiếu mô tả hai thứ tiếng",
            "No description in both languages",
            "Tiếng Việt — English",
            "Tiếng Việt — English",
        )
    if node.schema.get(CLASS) not in CLASSES:
        yield mistake(
            where, f"Thiếu phân loại {CLASS}", f"{CLASS} is missing", " | ".join(CLASSES), " | ".join(CLASSES)
        )


def _has_two_languages(text: object) -> bool:
    vietnamese, dash, english = str(text or "").partition(" — ")
    return bool(dash and vietnamese.strip() and english.strip())
