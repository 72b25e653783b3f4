"""A small S3-compatible storage for tests: objects in memory; the signature of every request is checked."""

from __future__ import annotations

import hashlib
import hmac
import html
import re
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

REGION = "us-east-1"


class PrivateBucket:
    """Speaks PUT, GET with Range, HEAD, DELETE and uploads in pieces for one bucket; it fails ``fails`` times."""

    def __init__(self, name: str = "lgsp-files") -> None:
        self.name = name
        self.key = "AK" + secrets.token_hex(8).upper()
        self.secret = secrets.token_hex(20)
        self.objects: dict[str, bytes] = {}
        self.pieces: dict[str, dict[int, bytes]] = {}
        self.fails = 0
        self.refused = 0
        self.largest = 0
        storage = self

        class Desk(_Desk):
            bucket = storage

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def is_signed(self, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Whether the request carries a signature of version 4 under the bucket's own key."""
        kind, _, rest = headers.get("authorization", "").partition(" ")
        parts = dict(each.strip().split("=", 1) for each in rest.split(",") if "=" in each)
        if kind != "AWS4-HMAC-SHA256" or not {"Credential", "SignedHeaders", "Signature"} <= parts.keys():
            return False
        key, day, region, service, last = parts["Credential"].split("/")
        url = urlsplit(target)
        names = parts["SignedHeaders"].split(";")
        query = "&".join(
            sorted(
                f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in parse_qsl(url.query, keep_blank_values=True)
            )
        )
        canonical = "\n".join(
            [
                method,
                quote(unquote(url.path), safe="/~"),
                query,
                *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
                "",
                parts["SignedHeaders"],
                headers.get("x-amz-content-sha256", ""),
            ]
        )
        scope = f"{day}/{region}/{service}/{last}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{headers.get('x-amz-date', '')}\n{scope}\n{hashed}"
        made = f"AWS4{self.secret}".encode()
        for part in (day, region, service, last, to_sign):
            made = hmac.digest(made, part.encode(), "sha256")
        return key == self.key and hmac.compare_digest(made.hex(), parts["Signature"])


class _Desk(BaseHTTPRequestHandler):
    bucket: PrivateBucket
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests look at what happened."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        bucket = self.bucket
        bucket.largest = max(bucket.largest, len(body))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if bucket.fails > 0:
            bucket.fails -= 1
            return self._answer(503)
        url = urlsplit(self.path)
        declared = headers.get("x-amz-content-sha256", "")
        is_whole = declared in {"UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()}
        if not bucket.is_signed(self.command, self.path, headers) or not is_whole:
            bucket.refused += 1
            return self._answer(403)
        place = unquote(url.path).removeprefix("/")
        name, _, key = place.partition("/")
        if name != bucket.name:
            return self._answer(404)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        act = {"PUT": self._put, "POST": self._post, "GET": self._get, "HEAD": self._get, "DELETE": self._delete}
        return act[self.command](key, query, body, headers)

    do_PUT = do_POST = do_GET = do_HEAD = do_DELETE = _serve  # noqa: N815 - the names that the library calls

    def _put(self, key: str, query: dict[str, str], body: bytes, _: dict[str, str]) -> None:
        if "uploadId" in query:
            self.bucket.pieces[query["uploadId"]][int(query["partNumber"])] = body
        else:
            self.bucket.objects[key] = body
        self._answer(200, etag=hashlib.md5(body, usedforsecurity=False).hexdigest())

    def _post(self, key: str, query: dict[str, str], body: bytes, _: dict[str, str]) -> None:
        if "uploads" in query:
            upload = secrets.token_hex(8)
            self.bucket.pieces[upload] = {}
            inner = f"<Bucket>{self.bucket.name}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>"
            return self._answer(200, _xml("InitiateMultipartUploadResult", inner))
        if "delete" in query:
            named = re.findall(r"<Key>(.*?)</Key>", body.decode())
            for one in named:
                self.bucket.objects.pop(html.unescape(one), None)
            told = "".join(f"<Deleted><Key>{one}</Key></Deleted>" for one in named)
            return self._answer(200, _xml("DeleteResult", told))
        pieces = self.bucket.pieces.pop(query["uploadId"])
        self.bucket.objects[key] = b"".join(pieces[number] for number in sorted(pieces))
        inner = f"<Bucket>{self.bucket.name}</Bucket><Key>{key}</Key><ETag>whole</ETag>"
        return self._answer(200, _xml("CompleteMultipartUploadResult", inner))

    def _get(self, key: str, _query: dict[str, str], _body: bytes, headers: dict[str, str]) -> None:
        content = self.bucket.objects.get(key)
        if content is None:
            return self._answer(404, _xml("Error", "<Code>NoSuchKey</Code>"))
        wanted = headers.get("range", "").removeprefix("bytes=")
        if not wanted:
            return self._answer(200, content, etag="whole")
        first, _, last = wanted.partition("-")
        start, end = int(first), min(int(last or len(content)), len(content) - 1)
        part = content[start : end + 1]
        return self._answer(206, part, etag="whole", content_range=f"bytes {start}-{end}/{len(content)}")

    def _delete(self, key: str, query: dict[str, str], _body: bytes, _: dict[str, str]) -> None:
        self.bucket.pieces.pop(query.get("uploadId", ""), None)
        if "uploadId" not in query:
            self.bucket.objects.pop(key, None)
        self._answer(204)

    def _answer(self, status: int, body: bytes = b"", *, etag: str = "", content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 00:00:00 GMT")
        if etag:
            self.send_header("ETag", f'"{etag}"')
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _xml(name: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inner}</{name}>'.encode()
