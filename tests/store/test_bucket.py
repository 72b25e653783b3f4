"""Files in S3-compatible storage: what only that has, beside the promises that every spool keeps."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.faults import Busy, Misconfigured
from gateway.store.bucket import Bucket, Place
from tests.conformance.test_spool import a_stream, files_in, held
from tests.servers.bucket import REGION, PrivateBucket


def place_of(storage: PrivateBucket, **other: str) -> Place:
    told = {"bucket": storage.name, "prefix": "tinh", "endpoint": storage.endpoint, "region": REGION}
    return Place(**{**told, "key": storage.key, "secret": storage.secret, **other})


@pytest.fixture
def storage() -> Iterator[PrivateBucket]:
    with PrivateBucket() as storage:
        yield storage


async def test_an_object_lies_below_the_prefix_under_its_digest(storage: PrivateBucket, tmp_path: Path) -> None:
    sha256, _ = await Bucket(place_of(storage), tmp_path).put(a_stream(b"content"), limit=10)

    assert storage.objects == {f"tinh/{sha256[:2]}/{sha256[2:4]}/{sha256}": b"content"}
    assert storage.refused == 0
    assert files_in(tmp_path) == []


async def test_a_large_file_goes_in_pieces_and_is_seen_whole_or_not_at_all(
    storage: PrivateBucket, tmp_path: Path
) -> None:
    content = os.urandom(20_000_000)
    sha256 = hashlib.sha256(content).hexdigest()
    spool = Bucket(place_of(storage), tmp_path)

    await spool.put(a_stream(content), limit=20_000_000)

    assert held(spool, sha256) == content
    assert storage.largest <= 8 * 2**20
    assert storage.pieces == {}


async def test_a_reader_may_begin_anywhere(storage: PrivateBucket, tmp_path: Path) -> None:
    spool = Bucket(place_of(storage), tmp_path)
    sha256, _ = await spool.put(a_stream(b"0123456789" * 1000), limit=10_000)

    with spool.open(sha256) as file:
        file.seek(9_995)
        assert file.read(3) == b"567"
        assert file.read(100) == b"89"
        assert file.read(100) == b""


async def test_a_storage_that_stumbles_is_asked_again(storage: PrivateBucket, tmp_path: Path) -> None:
    spool = Bucket(place_of(storage), tmp_path)
    storage.fails = 1

    sha256, _ = await spool.put(a_stream(b"content"), limit=10)

    assert spool.is_present(sha256)


async def test_a_storage_that_refuses_is_a_fault_that_passes_and_shows_no_secret(
    storage: PrivateBucket, tmp_path: Path
) -> None:
    secret = "another-secret-of-ours"
    spool = Bucket(place_of(storage, secret=secret), tmp_path)

    with pytest.raises(Busy) as refused:
        await spool.put(a_stream(b"content"), limit=10)
    with pytest.raises(Busy):
        spool.is_present("0" * 64)

    assert storage.objects == {}
    assert storage.refused > 0
    shown = f"{refused.value!r} {refused.value.__cause__!r} {place_of(storage, secret=secret)!r}"
    assert secret not in shown


async def test_what_is_not_held_is_absent_and_may_be_removed(storage: PrivateBucket, tmp_path: Path) -> None:
    spool = Bucket(place_of(storage), tmp_path)

    with pytest.raises(FileNotFoundError):
        spool.open("0" * 64)
    spool.remove("0" * 64)
    for name in ("../x", "A" * 64, ""):
        with pytest.raises(ValueError, match="not a SHA-256"):
            spool.open(name)


async def test_what_gathers_on_its_way_in_is_nobody_elses_to_read(storage: PrivateBucket, tmp_path: Path) -> None:
    Bucket(place_of(storage), tmp_path / "incoming")

    assert stat.S_IMODE((tmp_path / "incoming").stat().st_mode) == 0o700


def test_the_settings_say_what_is_wrong_with_a_bucket(tmp_path: Path) -> None:
    from gateway.cli.founding import found_province
    from gateway.compose.choices import open_spool
    from gateway.config.settings import read_settings

    folder = tmp_path / "tinh"
    found_province(folder, "H33.14/lgsp")
    toml = folder / "lgsp.toml"
    founded = toml.read_text()

    def told(lines: str) -> str:
        toml.write_text(founded.replace("[files]", f"[files]\n{lines}"))
        with pytest.raises(Misconfigured) as wrong:
            open_spool(read_settings(folder, {}))
        return str(wrong.value)

    assert "endpoint" in told('endpoint = "https://s3.example.vn"')
    assert "bucket" in told('url = "s3://X"\nendpoint = "https://s3.example.vn"\nkey_file = "keys/files.key"')
    assert "address" in told('url = "s3://files"\nkey_file = "keys/files.key"')
    assert "access key" in told('url = "s3://files"\nendpoint = "https://s3.example.vn"')
    assert "keys/files.key" in told(
        'url = "s3://files/a"\nendpoint = "https://s3.example.vn"\nkey_file = "keys/files.key"'
    )
    (folder / "keys/files.key").write_text("only-one-line\n")
    assert "only-one-line" not in told(
        'url = "s3://files/a"\nendpoint = "https://s3.example.vn"\nkey_file = "keys/files.key"'
    )
    (folder / "keys/files.key").write_text("AK\nsecret\n")
    assert isinstance(open_spool(read_settings(folder, {})), Bucket)
