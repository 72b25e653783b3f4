"""The spool of several machines without a shared disk: files by SHA-256 in S3-compatible storage, each kept once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeVar, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from gateway.store.files import GATHERED, checked, disk_fails, on_disk, too_large

R = TypeVar("R")

#: A file goes in pieces of so many bytes, so many at once: memory stays within their product.
_PIECE: Final = 8 * 1024 * 1024
_AT_ONCE: Final = 2
#: One request may take this long (seconds), tried again for so long where the storage stumbles.
_REQUEST: Final = timedelta(seconds=30)
_AGAIN: Final = timedelta(seconds=20)
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket: its name, a prefix in it, the address of the storage and who asks."""

    bucket: str
    prefix: str
    endpoint: str
    region: str
    key: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Place({self.endpoint}/{self.bucket}/{self.prefix})"


class Bucket:
    """Keeps ``ports.Spool`` below a prefix of a bucket: ``ab/cd/abcd…``. What streams in gathers in ``folder`` first.

    A digest names an object only once all its bytes are there: the storage shows an object whole or not at all.
    """

    def __init__(self, place: Place, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._store = S3Store(
            place.bucket,
            prefix=place.prefix or None,
            config={
                "endpoint": place.endpoint,
                "region": place.region,
                "access_key_id": place.key,
                "secret_access_key": place.secret,
                "virtual_hosted_style_request": False,
            },
            client_options={"allow_http": place.endpoint.startswith("http://"), "timeout": _REQUEST},
            retry_config={"max_retries": _TRIES, "retry_timeout": _AGAIN},
        )

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep a stream; answers (sha256 hex, size).

        Raises Rejected ``too-large`` over ``limit`` bytes, Busy ``overloaded`` where disk or storage does not take it;
        then, and where the stream breaks off, nothing of it stays.
        """
        digest = hashlib.sha256()
        gathered = bytearray()
        size = 0
        with closing(await on_disk(self._part)) as part:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
                digest.update(chunk)
                gathered += chunk
                if len(gathered) >= GATHERED:
                    await on_disk(partial(part.write, bytes(gathered)))
                    gathered.clear()
            sha256 = digest.hexdigest()
            await on_disk(partial(self._send, sha256, part, bytes(gathered)))
        return sha256, size

    def _part(self) -> BinaryIO:
        return cast("BinaryIO", tempfile.TemporaryFile(dir=self._folder))

    def _send(self, sha256: str, part: BinaryIO, rest: bytes) -> None:
        part.write(rest)
        part.seek(0)
        self._keep(sha256, part)

    async def adopt(self, whole: Path, sha256: str) -> None:
        """Keep a whole file under its digest, for which the caller answers; it stays there.

        Raises Busy ``overloaded`` where disk or storage does not take it.
        """
        await on_disk(partial(self._adopt, whole, sha256))

    def _adopt(self, whole: Path, sha256: str) -> None:
        with whole.open("rb") as file:
            self._keep(sha256, file)

    def _keep(self, sha256: str, file: BinaryIO) -> None:
        where = _key(sha256)
        self._asked(lambda: obstore.put(self._store, where, file, chunk_size=_PIECE, max_concurrency=_AT_ONCE))

    def open(self, sha256: str) -> BinaryIO:
        """The bytes, to read and seek in; raises FileNotFoundError where they are not held, OSError where unreachable.

        Blocks, as reading and seeking do.
        """
        where = _key(sha256)
        return cast("BinaryIO", _Reading(self._asked(lambda: obstore.open_reader(self._store, where)), self._asked))

    def is_present(self, sha256: str) -> bool:
        """Whether the bytes are held; raises Busy where the storage does not answer."""
        where = _key(sha256)
        try:
            self._asked(lambda: obstore.head(self._store, where))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise disk_fails() from error
        return True

    def remove(self, sha256: str) -> None:
        """Forget the bytes; nothing happens where they are not held. Raises Busy where the storage does not answer."""
        where = _key(sha256)
        try:
            self._asked(lambda: obstore.delete(self._store, where))
        except FileNotFoundError:
            return
        except OSError as error:
            raise disk_fails() from error

    @staticmethod
    def _asked(work: Callable[[], R]) -> R:
        """What the storage says no with is an OSError: its own words may hold addresses and keys."""
        try:
            return work()
        except FileNotFoundError:
            raise FileNotFoundError("the storage does not hold it") from None
        except (BaseError, OSError) as error:
            raise OSError(f"the storage failed ({type(error).__name__})") from None


class _Reading:
    """An object being read; what goes wrong meanwhile is an OSError."""

    def __init__(self, reader: Any, asked: Callable[[Callable[[], Any]], Any]) -> None:
        self._reader = reader
        self._asked = asked

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most ``size`` of them where it is not negative."""
        return bytes(self._asked(lambda: self._reader.read() if size < 0 else self._reader.read(size)))

    def seek(self, place: int) -> int:
        """Go on from there."""
        return int(self._asked(lambda: self._reader.seek(place)))

    def close(self) -> None:
        """Let go; safe to repeat."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _key(sha256: str) -> str:
    checked(sha256)
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
