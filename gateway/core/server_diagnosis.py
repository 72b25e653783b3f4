"""What a healthy database server looks like to a gateway: what it says of itself in, findings with what to do out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.core.diagnosis import Finding, size
from gateway.core.faults import Text

#: Settings without which what was acknowledged may be lost in a power cut -> what they must be.
_DURABLE: Final = {"fsync": "on", "full_page_writes": "on"}


def on_version(where: str, version: int, oldest: int) -> Finding:
    """PostgreSQL's ``server_version_num`` beside the oldest major version that will do."""
    major, minor = divmod(version, 10000)
    said = Text(f"Kết nối được, PostgreSQL {major}.{minor}", f"Reached; PostgreSQL {major}.{minor}")
    if major >= oldest:
        return Finding("database", "ok", where, said)
    return Finding(
        "database",
        "error",
        where,
        Text(f"PostgreSQL {major} quá cũ", f"PostgreSQL {major} is too old"),
        Text(f"Quản trị viên nâng cấp lên {oldest} trở lên.", f"The administrator upgrades to {oldest} or newer."),
    )


def on_standby(where: str, *, is_standby: bool) -> list[Finding]:
    """Whether the server only follows another one."""
    if not is_standby:
        return []
    return [
        Finding(
            "database",
            "error",
            where,
            Text("Máy chủ này là bản sao chỉ đọc", "This server is a standby: nothing can be written"),
            Text(
                "Ghi địa chỉ máy chủ chính vào [store] url, hoặc quảng bá bản sao này (pg_ctl promote) nếu máy chính đã"
                " mất hẳn.",
                "Write the primary's address in [store] url, or promote this one (pg_ctl promote) where the primary is"
                " gone for good.",
            ),
        )
    ]


def on_durability(where: str, settings: Mapping[str, str]) -> list[Finding]:
    """Whether a commit is on disk when it is told, and on how many machines."""
    found = [
        Finding(
            "database",
            "error",
            where,
            Text(
                f"{name} = {settings.get(name)}: mất điện có thể mất thông điệp đã nhận",
                f"{name} = {settings.get(name)}: a power cut may lose messages that were acknowledged",
            ),
            Text(
                f"Quản trị viên PostgreSQL đặt {name} = {right} trong postgresql.conf rồi nạp lại.",
                f"PostgreSQL's administrator sets {name} = {right} in postgresql.conf and reloads it.",
            ),
        )
        for name, right in _DURABLE.items()
        if settings.get(name) != right
    ]
    if settings.get("synchronous_commit") in {"off", "local"}:
        found.append(
            Finding(
                "database",
                "note",
                where,
                Text(
                    f"synchronous_commit = {settings['synchronous_commit']} là mặc định của máy chủ; trục tự bật lại",
                    f"synchronous_commit = {settings['synchronous_commit']} by default; the gateway turns it on itself",
                ),
            )
        )
    if not settings.get("synchronous_standby_names"):
        found.append(
            Finding(
                "database",
                "note",
                where,
                Text(
                    "Không có bản sao đồng bộ: hỏng ổ của máy chủ này là mất những gì sau bản sao lưu gần nhất",
                    "No synchronous standby: with this server's disk goes what came after the last backup",
                ),
                Text(
                    "Nên có một bản sao và đặt synchronous_standby_names; sách vận hành trong deploy/ chỉ cách làm.",
                    "Have a standby and set synchronous_standby_names; the operators' book in deploy/ says how.",
                ),
            )
        )
    return found


def on_connections(where: str, settings: Mapping[str, str], now: int, wanted: int) -> Finding:
    """Connections that the server has left, beside those that all processes of this node may open (``wanted``)."""
    most = int(settings.get("max_connections", 0)) - int(settings.get("superuser_reserved_connections", 0))
    said = Text(
        f"Nút này dùng đến {wanted} kết nối; máy chủ cho {most}, đang có {now}",
        f"This node may open {wanted} connections; the server allows {most}, {now} are there",
    )
    do = Text(
        "Giảm [store] pool, tăng max_connections của PostgreSQL, hoặc đặt PgBouncer ở giữa (pgbouncer = true).",
        "Lower [store] pool, raise PostgreSQL's max_connections, or put a PgBouncer between (pgbouncer = true).",
    )
    if wanted > most:
        return Finding("database", "error", where, said, do)
    if wanted > most - now and wanted > most // 2:
        return Finding("database", "warning", where, said, do)
    return Finding("database", "ok", where, said)


def on_processes(where: str, names: Sequence[str]) -> Finding:
    """The processes at work on the ledger."""
    if not names:
        return Finding("database", "ok", where, Text("Chưa có tiến trình nào đang chạy", "No process is at work now"))
    listed = ", ".join(names)
    return Finding(
        "database",
        "ok",
        where,
        Text(f"{len(names)} tiến trình đang chạy: {listed}", f"{len(names)} processes are at work: {listed}"),
    )


def on_distant_disk(where: str, amount: int) -> Finding:
    """The disk of the server, which cannot be seen from here; ``amount`` is the database's size."""
    return Finding(
        "disk",
        "note",
        where,
        Text(
            f"Ổ đĩa của máy chủ PostgreSQL không xem được từ đây; cơ sở dữ liệu chiếm {size(amount)}",
            f"The disk of the PostgreSQL server cannot be seen from here; the database takes {size(amount)}",
        ),
        Text("Theo dõi ổ đĩa ngay trên máy chủ đó.", "Watch it on that machine."),
    )


def on_move(where: str, moving: tuple[str | None, bool]) -> list[Finding]:
    """``moving``: where the ledger has moved to, if it has; whether one that moves in here is not whole yet."""
    gone_to, is_half_there = moving
    if gone_to is not None:
        what = Text(f"Sổ này đã được chuyển sang {gone_to}", f"This ledger has moved to {gone_to}")
        do = Text(f'Ghi [store] url = "{gone_to}".', f'Write [store] url = "{gone_to}".')
        return [Finding("database", "error", where, what, do)]
    if is_half_there:
        what = Text("Sổ đang được chuyển vào đây, chưa xong", "A ledger is being moved in here, and is not whole yet")
        do = Text("Chạy lại lgsp migrate-store như cũ.", "Run the same lgsp migrate-store again.")
        return [Finding("database", "error", where, what, do)]
    return []
