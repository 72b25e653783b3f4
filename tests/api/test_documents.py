"""The documents describe every door and nothing else, in both languages, and people can read them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest

from gateway.api.app import ROUTES
from gateway.api.docs import described
from gateway.api.problems import STATUS
from tests.api.hall import KNOWN, PUBLIC_URL, Hall

OPENAPI = described("openapi")
OPERATIONS = [
    (path, method, operation)
    for path, item in OPENAPI["paths"].items()
    for method, operation in item.items()
    if method in ("get", "head", "post", "patch", "delete", "options")
]


def test_every_route_is_described_and_nothing_else_is() -> None:
    described_doors = {(method.upper(), path) for path, method, _ in OPERATIONS}

    assert described_doors == {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_problem_of_a_door_has_its_status_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["x-problems"], (path, method)
    assert {str(STATUS[name]) for name in operation["x-problems"]} <= operation["responses"].keys()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_door_speaks_both_languages(path: str, method: str, operation: dict[str, Any]) -> None:
    assert " / " in operation["summary"], (path, method)
    assert "\n\nEN: " in operation["description"]


def examples() -> list[tuple[str, dict[str, Any], Any]]:
    """Every example in the document with the schema it stands for."""
    found: list[tuple[str, dict[str, Any], Any]] = []

    def walk(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            return
        schema = value.get("schema")
        for name, each in value.items():
            if schema is not None and name == "example":
                found.append((where, schema, each))
            elif schema is not None and name == "examples":
                found.extend((f"{where}/{key}", schema, one["value"]) for key, one in each.items())
            else:
                walk(each, f"{where}/{name}")

    walk(OPENAPI["paths"], "paths")
    walk(OPENAPI["components"]["responses"], "responses")
    return found


@pytest.mark.parametrize(("where", "schema", "example"), examples())
def test_every_example_keeps_its_own_schema(where: str, schema: dict[str, Any], example: Any) -> None:
    local = json.loads(json.dumps(schema).replace("#/components/", "urn:doors#/components/"))

    jsonschema.Draft202012Validator(local, registry=KNOWN).validate(example)


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_every_reference_of_a_document_leads_somewhere(name: str) -> None:
    document = described(name)
    references = re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))
    assert references

    for reference in references:
        found: Any = document
        assert reference.startswith("#/")
        for step in reference[2:].split("/"):
            found = found[step]


@pytest.mark.parametrize(("name", "version"), [("openapi", "3.1.0"), ("asyncapi", "3.0.0")])
async def test_the_documents_are_served_with_this_gateways_address(hall: Hall, name: str, version: str) -> None:
    answer = await hall.get(f"/{name}.json")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json[name] == version
    assert answer.json["info"]["version"] != "0"
    if name == "openapi":
        assert answer.json["servers"] == [{"url": PUBLIC_URL}]


def test_the_messages_described_are_those_that_are_delivered() -> None:
    receipts = {each["name"] for each in described("asyncapi")["components"]["messages"].values()}

    assert {"receipt.delivered", "receipt.refused", "receipt.expired", "receipt.discarded"} < receipts


class Page(HTMLParser):
    """What a page refers to, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("href", "src", "action") if name in given]
        self.ids += [str(given["id"])] if "id" in given else []
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_page_for_people_is_whole_and_needs_nothing_from_elsewhere(hall: Hall) -> None:
    answer = await hall.get("/docs")
    page = Page()
    page.feed(answer.body.decode())

    assert page.open == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "form", "object"})
    assert all(link.startswith(("#", "/")) and not link.startswith("//") for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {f"problem-{name}" for name in STATUS} <= set(page.ids)
    assert all(f"<code>{path}</code>" in answer.body.decode() for path, _, _ in OPERATIONS)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_the_style_of_the_page_is_the_one_its_policy_allows(hall: Hall) -> None:
    answer = await hall.get("/docs")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)

    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{allowed}'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
