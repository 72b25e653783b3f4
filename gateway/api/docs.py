"""The doors describe themselves: /openapi.json, /asyncapi.json, and /docs made of both, readable without a network."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from aiohttp import hdrs, web

from gateway import __version__
from gateway.api.problems import STATUS
from gateway.core.faults import PROBLEMS

_HERE: Final = Path(__file__).parent
_HOUR: Final = "public, max-age=3600"
_METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")

STYLE: Final = (_HERE / "docs.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Pages:
    """The three documents as bytes, made once when the application is."""

    openapi: bytes
    asyncapi: bytes
    docs: bytes

    @classmethod
    def of(cls, public_url: str) -> Pages:
        """The documents of the gateway that is reached at ``public_url``."""
        http = described("openapi")
        http["info"]["version"] = __version__
        http["servers"] = [{"url": public_url}]
        events = described("asyncapi")
        events["info"]["version"] = __version__
        return cls(_json(http), _json(events), page(http, events).encode())


PAGES: Final = web.AppKey("PAGES", Pages)


def described(name: str) -> dict[str, Any]:
    """``openapi`` or ``asyncapi`` as it lies beside this file."""
    document: dict[str, Any] = json.loads((_HERE / f"{name}.json").read_bytes())
    return document


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


async def openapi(request: web.Request) -> web.Response:
    """The doors for programs that call us (OpenAPI 3.1)."""
    return _page(request.app[PAGES].openapi, "application/json")


async def asyncapi(request: web.Request) -> web.Response:
    """The messages for programs that we call, or that lease from us (AsyncAPI 3.0)."""
    return _page(request.app[PAGES].asyncapi, "application/json")


async def docs(request: web.Request) -> web.Response:
    """Both for people: one page without scripts and without anything from elsewhere."""
    response = _page(request.app[PAGES].docs, "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers[hdrs.CONTENT_LANGUAGE] = "vi, en"
    return response


def _page(body: bytes, media_type: str) -> web.Response:
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: media_type, hdrs.CACHE_CONTROL: _HOUR})


# ---------------------------------------------------------------------------------------------- the page


def page(http: dict[str, Any], events: dict[str, Any]) -> str:
    """The two documents as one HTML page, Vietnamese first."""
    operations = [
        (path, method, operation)
        for path, item in http["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    links = "".join(
        f'<li><a href="#{escape(each["operationId"])}"><code>{method.upper()} {escape(path)}</code></a>'
        f" {escape(each['summary'])}</li>"
        for path, method, each in operations
    )
    body = "".join(
        (
            f"<h1>{escape(http['info']['title'])}</h1>{_prose(http['info']['description'])}",
            "<p>Máy đọc / For machines: ",
            '<a href="/openapi.json">OpenAPI</a>, <a href="/asyncapi.json">AsyncAPI</a>, ',
            '<a href="/.well-known/jwks.json">JWKS</a></p>',
            f"<h2>Các cửa / The doors</h2><ul>{links}</ul>",
            "".join(_operation(path, method, each, http) for path, method, each in operations),
            f'<h2 id="problems">Các lỗi / Problems</h2>{_problems()}',
            f'<h2 id="events">{escape(events["info"]["title"])}</h2>{_prose(events["info"]["description"])}',
            "".join(_message(name, each) for name, each in events["components"]["messages"].items()),
        )
    )
    return (
        '<!DOCTYPE html><html lang="vi"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(http['info']['title'])}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _prose(text: str) -> str:
    """Paragraphs; the second language is set apart by a line that opens with ``EN:``."""
    paragraphs = []
    for each in text.split("\n\n"):
        is_english = each.startswith("EN:")
        shown = escape(each.removeprefix("EN:").strip())
        paragraphs.append(f'<p class="en" lang="en">{shown}</p>' if is_english else f"<p>{shown}</p>")
    return "".join(paragraphs)


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [
        f'<h3 id="{escape(operation["operationId"])}"><span class="method">{method.upper()}</span>',
        f"<code>{escape(path)}</code></h3><p><b>{escape(operation['summary'])}</b></p>",
        _prose(operation["description"]),
    ]
    parameters = [_resolved(each, document) for each in operation.get("parameters", [])]
    if parameters:
        rows = "".join(
            f"<tr><td><code>{escape(each['name'])}</code> ({escape(each['in'])})</td>"
            f"<td>{_prose(each['description'])}</td></tr>"
            for each in parameters
        )
        parts.append(f"<table><tr><th>Tham số / Parameter</th><th></th></tr>{rows}</table>")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Gửi / Send: <code>{escape(media)}</code></p>{_examples(content)}")
    for status, response in operation["responses"].items():
        answer = _resolved(response, document)
        parts.append(f"<p><b>{escape(status)}</b> {escape(answer['description'])}</p>")
        if status.startswith("2"):
            for media, content in answer.get("content", {}).items():
                parts.append(f"<p><code>{escape(media)}</code></p>{_examples(content)}")
    if operation.get("x-problems"):
        names = ", ".join(f'<a href="#problem-{each}"><code>{each}</code></a>' for each in operation["x-problems"])
        parts.append(f"<p>Lỗi có thể gặp / Problems: {names}</p>")
    return "".join(parts)


def _message(name: str, message: dict[str, Any]) -> str:
    examples = "".join(_pre(each.get("payload")) for each in message.get("examples", []))
    return (
        f'<h3 id="message-{escape(name)}"><code>{escape(message["contentType"])}</code> {escape(message["title"])}</h3>'
        f"{_prose(message['description'])}{examples}"
    )


def _problems() -> str:
    rows = "".join(
        f'<tr id="problem-{name}"><td><code>{name}</code></td><td>{STATUS[name]}</td><td>{escape(title.vi)}<br>'
        f'<span class="en" lang="en">{escape(title.en)}</span></td></tr>'
        for name, title in PROBLEMS.items()
    )
    return f"<table><tr><th>urn:lgsp:problem:…</th><th>HTTP</th><th></th></tr>{rows}</table>"


def _examples(content: dict[str, Any]) -> str:
    if "example" in content:
        return _pre(content["example"])
    return "".join(_pre(each["value"]) for each in content.get("examples", {}).values())


def _pre(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return f"<pre>{escape(text)}</pre>"


def _resolved(item: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """``item``, or what its local ``$ref`` points to."""
    if "$ref" not in item:
        return item
    found: Any = document
    for step in item["$ref"].removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    target: dict[str, Any] = found
    return target
