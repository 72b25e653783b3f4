"""What a healthy gateway looks like: measured values in, findings with what to do out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.faults import Text
from gateway.core.moments import format_moment

Severity = Literal["ok", "note", "warning", "error"]
SEVERITIES: Final[tuple[Severity, ...]] = ("ok", "note", "warning", "error")

_MIB: Final = 2**20
_GIB: Final = 2**30
_DAY: Final = 86400.0
#: Days before a certificate ends at which somebody must begin, and at which it is urgent.
SOON: Final = 30
URGENT: Final = 7
#: The bus refuses what is dated over five minutes ahead (public interface, section 2); a clock is to be far better.
SKEW_NOTED: Final = 5.0
SKEW_WRONG: Final = 60.0
#: Below this much free space (bytes, share of the disk) somebody must act, and the gateway is about to stop accepting.
LITTLE: Final = 2 * _GIB
LITTLE_SHARE: Final = 0.10
ALMOST_NONE: Final = 256 * _MIB
ALMOST_NONE_SHARE: Final = 0.01
#: The write-ahead log is copied back at some 16 MiB; far beyond, something keeps it from being copied.
LOG_LARGE: Final = 256 * _MIB
#: A commit is a sync of the disk: some milliseconds.
SLOW_COMMIT: Final = 0.25
#: What waits longer than this (seconds) for a destination is worth a look, and worth a call.
LONG: Final = 3600.0
VERY_LONG: Final = _DAY


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, where, and what to do about it (None where there is nothing to do)."""

    check: str
    severity: Severity
    where: str
    what: Text
    do: Text | None = None


def is_sound(findings: Iterable[Finding]) -> bool:
    """Whether nothing found is an error."""
    return all(finding.severity != "error" for finding in findings)


def on_certificate(where: str, owner: str, not_before: float, not_after: float, now: float) -> Finding:
    """A certificate's dates at ``now``; ``owner`` is whose it is."""
    renew = Text(
        f"Đơn vị quản lý {owner} cấp chứng thư mới; quản trị viên ghi thêm vào agencies/ rồi chạy lgsp apply,"
        " bỏ chứng thư cũ khi bên kia đã chuyển xong.",
        f"Whoever runs {owner} gets a new certificate; the administrator adds it in agencies/, runs lgsp apply,"
        " and takes the old one out when the other side has changed over.",
    )
    ends = format_moment(not_after)
    days = int((not_after - now) // _DAY)
    if now > not_after:
        what = Text(f"Chứng thư của {owner} hết hạn từ {ends}", f"The certificate of {owner} expired at {ends}")
        return Finding("certificates", "error", where, what, renew)
    if now < not_before:
        begins = format_moment(not_before)
        return Finding(
            "certificates",
            "warning",
            where,
            Text(f"Chứng thư của {owner} chỉ có hiệu lực từ {begins}", f"That of {owner} is in force from {begins} on"),
            Text("Kiểm tra đồng hồ máy chủ, hoặc chờ đến lúc đó.", "Check this machine's clock, or wait until then."),
        )
    if days < SOON:
        return Finding(
            "certificates",
            "error" if days < URGENT else "warning",
            where,
            Text(f"Chứng thư của {owner} còn {days} ngày ({ends})", f"That of {owner} ends in {days} days ({ends})"),
            renew,
        )
    return Finding(
        "certificates", "ok", where, Text(f"{owner}: có hiệu lực đến {ends}", f"{owner}: in force until {ends}")
    )


def on_skew(where: str, ours: float, theirs: float, *, granularity: float = 0.0) -> Finding:
    """Our clock beside another's, read at one moment; ``granularity`` is how coarsely theirs was told (seconds)."""
    apart = max(0.0, abs(ours - theirs) - granularity)
    said = Text(
        f"Đồng hồ máy này {'nhanh' if ours > theirs else 'chậm'} hơn {where} {apart:.0f} giây",
        f"This machine's clock is {apart:.0f} s {'ahead of' if ours > theirs else 'behind'} {where}",
    )
    do = Text(
        "Quản trị viên bật đồng bộ giờ (chrony hoặc systemd-timesyncd) và xem máy nào sai: timedatectl.",
        "The administrator turns time synchronisation on (chrony or systemd-timesyncd) and finds whose clock is wrong:"
        " timedatectl.",
    )
    if apart > SKEW_WRONG:
        return Finding("clocks", "error", where, said, do)
    if apart > SKEW_NOTED:
        return Finding("clocks", "warning", where, said, do)
    return Finding("clocks", "ok", where, Text("Đồng hồ khớp nhau", "The clocks agree"))


def on_last_rows(where: str, now: float, newest: float | None) -> Finding:
    """Our clock beside the last moment that the ledger speaks of: a clock set back shows here."""
    if newest is None or newest <= now + SKEW_NOTED:
        return Finding("clocks", "ok", where, Text("Sổ không ghi gì ở tương lai", "The ledger speaks of no future"))
    ahead = newest - now
    return Finding(
        "clocks",
        "error" if ahead > SKEW_WRONG else "warning",
        where,
        Text(
            f"Sổ có dòng ghi lúc {format_moment(newest)}, sau giờ máy {ahead:.0f} giây: đồng hồ đã bị vặn lùi",
            f"The ledger has rows of {format_moment(newest)}, {ahead:.0f} s ahead of this clock: it was set back",
        ),
        Text(
            "Quản trị viên chỉnh đúng giờ và bật đồng bộ giờ. Không mất gì: thông điệp đang chờ được chuyển tiếp khi"
            " đồng hồ qua lại thời điểm đó.",
            "The administrator sets the clock right and turns synchronisation on. Nothing is lost: what waits goes on"
            " once the clock has passed that moment again.",
        ),
    )


def on_disk(where: str, *, free: int, total: int, held: int, free_nodes: int, nodes: int) -> list[Finding]:
    """The disk below a folder: bytes and file nodes free, and ``held``, the bytes the gateway keeps on it."""
    said = Text(
        f"Còn trống {size(free)} trên {size(total)}; trục đang giữ {size(held)}",
        f"{size(free)} of {size(total)} free; the gateway keeps {size(held)}",
    )
    do = Text(
        "Quản trị viên mở rộng ổ đĩa hoặc chuyển bớt dữ liệu khác đi; không xoá gì trong thư mục dữ liệu của trục."
        " Khi hết chỗ, trục từ chối nhận (503) chứ không mất gì.",
        "The administrator enlarges the disk or moves other data away; nothing in the gateway's data folder is to be"
        " deleted. Once it is full the gateway refuses (503) and loses nothing.",
    )
    found: list[Finding] = []
    if free < ALMOST_NONE or free < total * ALMOST_NONE_SHARE:
        found.append(Finding("disk", "error", where, said, do))
    elif free < LITTLE or free < total * LITTLE_SHARE:
        found.append(Finding("disk", "warning", where, said, do))
    else:
        found.append(Finding("disk", "ok", where, said))
    if free < held:
        found.append(
            Finding(
                "disk",
                "note",
                where,
                Text("Ổ này không đủ chỗ cho một bản sao lưu", "This disk has no room for a backup"),
                Text("Sao lưu sang ổ khác: lgsp backup /đường/dẫn.", "Back up to another disk: lgsp backup /path."),
            )
        )
    if nodes and free_nodes < nodes * ALMOST_NONE_SHARE:
        found.append(
            Finding(
                "disk",
                "error",
                where,
                Text(f"Chỉ còn tạo được {free_nodes} tệp (inode)", f"Only {free_nodes} more files (inodes) fit"),
                Text("Quản trị viên xoá tệp nhỏ không cần ngoài thư mục của trục.", "Remove small files elsewhere."),
            )
        )
    return found


def on_schema(where: str, schema: int, known: int) -> Finding:
    """The database's step beside the last one that this program knows."""
    if schema > known:
        return Finding(
            "database",
            "error",
            where,
            Text(
                f"Cơ sở dữ liệu ở bước {schema}, chương trình này chỉ biết đến bước {known}",
                f"The database is at step {schema}; this program knows steps up to {known}",
            ),
            Text(
                "Cài lại phiên bản mới hơn, hoặc khôi phục bản sao lưu trước khi nâng cấp: lgsp restore.",
                "Install the newer version again, or restore the backup made before the upgrade: lgsp restore.",
            ),
        )
    if schema < known:
        return Finding(
            "database",
            "warning",
            where,
            Text(
                f"Lần chạy tới sẽ nâng cấp cơ sở dữ liệu từ bước {schema} lên {known}; không hạ lại được",
                f"The next start upgrades the database from step {schema} to {known}; there is no way back",
            ),
            Text("Sao lưu trước: lgsp backup TỆP.", "Take a backup first: lgsp backup FILE."),
        )
    return Finding("database", "ok", where, Text(f"Đúng bước {schema}", f"At step {schema}, as it should be"))


def on_soundness(where: str, unsound: Sequence[str] | None) -> Finding:
    """What the database's own check said; None where it did not end in time."""
    if unsound is None:
        return Finding(
            "database",
            "note",
            where,
            Text("Chưa kiểm tra hết vì cơ sở dữ liệu lớn", "Too large to be checked whole in the time allowed"),
            Text("Chạy lại với --thorough lúc vắng.", "Run again with --thorough in a quiet hour."),
        )
    if unsound:
        return Finding(
            "database",
            "error",
            where,
            Text(f"Cơ sở dữ liệu bị hỏng: {unsound[0]}", f"The database is damaged: {unsound[0]}"),
            Text(
                "Dừng trục, giữ nguyên các tệp, thay ổ đĩa nếu hỏng, rồi khôi phục bản sao lưu gần nhất: lgsp restore.",
                "Stop the gateway, keep the files as they are, replace the disk if it fails, then restore the last"
                " backup: lgsp restore.",
            ),
        )
    return Finding("database", "ok", where, Text("Cơ sở dữ liệu nguyên vẹn", "The database is sound"))


def on_commit(where: str, seconds: float) -> Finding:
    """How long one durable transaction took."""
    said = Text(
        f"Ghi được, đồng bộ ra đĩa mất {seconds * 1000:.0f} ms",
        f"Writable; a commit with its sync took {seconds * 1000:.0f} ms",
    )
    if seconds < SLOW_COMMIT:
        return Finding("database", "ok", where, said)
    return Finding(
        "database",
        "warning",
        where,
        said,
        Text(
            "Đĩa chậm hoặc đang bận: kiểm tra tải của ổ đĩa; nên dùng SSD, không đặt trên ổ mạng.",
            "The disk is slow or busy: look at its load; use an SSD, not a network drive.",
        ),
    )


def on_log_size(where: str, log_size: int) -> Finding | None:
    """The write-ahead log, where it has grown beyond reason."""
    if log_size < LOG_LARGE:
        return None
    return Finding(
        "database",
        "warning",
        where,
        Text(f"Nhật ký ghi trước (WAL) đã tới {size(log_size)}", f"The write-ahead log has grown to {size(log_size)}"),
        Text(
            "Một chương trình khác đang đọc mãi cơ sở dữ liệu: tìm bằng fuser và đóng nó lại.",
            "Some other program keeps reading the database: find it with fuser and close it.",
        ),
    )


def on_waiting(recipient: str, state: str, count: int, oldest: float, now: float) -> Finding | None:
    """What waits for one recipient in one state; None where that is nothing to speak of."""
    age = max(0.0, now - oldest)
    since = format_moment(oldest)
    if state == "dead":
        return Finding(
            "backlog",
            "warning",
            recipient,
            Text(f"{count} lượt chuyển đã hỏng, cũ nhất từ {since}", f"{count} dead deliveries, the oldest of {since}"),
            Text(
                f"Xem nguyên nhân: lgsp failed --recipient {recipient}; sửa xong thì lgsp replay.",
                f"See why: lgsp failed --recipient {recipient}; once mended, lgsp replay.",
            ),
        )
    if state == "held":
        return Finding(
            "backlog",
            "note",
            recipient,
            Text(f"{count} lượt chuyển đang tạm giữ từ {since}", f"{count} deliveries on hold since {since}"),
            Text(f"Khi bên nhận sẵn sàng: lgsp release {recipient}.", f"Once it is ready: lgsp release {recipient}."),
        )
    if state != "queued" or age < LONG:
        return None
    return Finding(
        "backlog",
        "warning" if age >= VERY_LONG else "note",
        recipient,
        Text(f"{count} lượt chuyển đang chờ, cũ nhất từ {since}", f"{count} deliveries wait, the oldest since {since}"),
        Text(
            "Liên hệ đơn vị vận hành hệ thống nhận; trục vẫn tự thử lại.",
            "Call whoever runs the receiving system; the bus keeps trying by itself.",
        ),
    )


def size(amount: int) -> str:
    """Bytes as people say them."""
    for unit, name in ((2**40, "TiB"), (_GIB, "GiB"), (_MIB, "MiB"), (2**10, "KiB")):
        if amount >= unit:
            return f"{amount / unit:.1f} {name}"
    return f"{amount} B"
