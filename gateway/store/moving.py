"""Why a ledger cannot be left, moved into, or opened while it moves: the same words, whichever store it is in."""

from __future__ import annotations

from gateway.core.faults import Misconfigured, Text


def nothing_there(place: str) -> Misconfigured:
    """There is no ledger to leave."""
    return Misconfigured(
        place,
        Text("Ở đây không có kho dữ liệu của trục", "There is no database of the bus here"),
        Text("Kiểm tra địa chỉ; xem [store] url trong lgsp.toml.", "Check the URL; see [store] url in lgsp.toml."),
    )


def in_use(place: str, who: Text, look: Text) -> Misconfigured:
    """Somebody uses it; ``look`` says how others than a gateway are found."""
    return Misconfigured(
        place,
        Text(f"{who.vi} đang dùng kho này", f"{who.en} uses this database"),
        Text(
            f"Dừng mọi tiến trình của trục trước (systemctl stop lgsp) rồi chạy lại. {look.vi}",
            f"Stop every process of the gateway first (systemctl stop lgsp), then run this again. {look.en}",
        ),
    )


def other_step(place: str, found: int, known: int) -> Misconfigured:
    """Its tables are not those that this program knows."""
    return Misconfigured(
        place,
        Text(
            f"Kho ở bước {found}, chương trình này làm việc với bước {known}",
            f"The database is at step {found}, this program works with step {known}",
        ),
        Text(
            "Sao lưu, rồi nâng cấp kho bằng chính phiên bản này: lgsp apply; sau đó chạy lại.",
            "Take a backup, let this version upgrade it with lgsp apply, then run this again.",
        ),
    )


def forgotten(place: str) -> Misconfigured:
    """Retention has dropped what the other store cannot do without."""
    return Misconfigured(
        place,
        Text(
            "Kho này đã bỏ bớt dữ liệu quá hạn lưu; kho khác không giữ được phần còn lại của chúng",
            "This database has dropped what its retention allows; another store cannot keep what is left of that",
        ),
        Text(
            "Ở lại PostgreSQL; chuyển sang máy chủ khác thì dùng pg_dump và pg_restore.",
            "Stay with PostgreSQL; to move to another server use pg_dump and pg_restore.",
        ),
    )


def holds_something(place: str) -> Misconfigured:
    """What is there did not come from the ledger that wants in."""
    return Misconfigured(
        place,
        Text("Nơi chuyển đến đã có một sổ khác", "There is another ledger already where this one should go"),
        Text(
            "Chọn nơi khác còn trống (PostgreSQL: createdb TÊN); những gì đang có không bao giờ bị ghi đè.",
            "Choose another, empty place (PostgreSQL: createdb NAME); what is there is never written over.",
        ),
    )


def diverged(place: str) -> Misconfigured:
    """Everything came from there, and then somebody worked on the old one."""
    return Misconfigured(
        place,
        Text(
            "Sổ đã chuyển xong sang đây, nhưng sau đó sổ cũ lại thay đổi",
            "It has moved here; the old one has changed since",
        ),
        Text(
            "Dùng sổ ở đây, không chạy trục trên sổ cũ nữa. Thông điệp nào sổ cũ nhận sau khi chuyển thì nhờ nơi gửi"
            " gửi lại đúng bản đó: cùng mã thì không bị trùng.",
            "Use the one here, and run no gateway on the old one. What the old one accepted since must be sent again by"
            " its sender as it was: with the same id nothing doubles.",
        ),
    )


def gone(place: str, address: str) -> Misconfigured:
    """A gateway opens what was left."""
    return Misconfigured(
        place,
        Text(f"Sổ này đã được chuyển sang {address}", f"This ledger has moved to {address}"),
        Text(
            f'Ghi [store] url = "{address}" vào lgsp.toml; kho cũ chỉ còn là bản lưu, dùng lại sẽ gửi trùng.',
            f'Write [store] url = "{address}" in lgsp.toml; what is here is a copy of the past, and would send twice.',
        ),
    )


def being_left(place: str) -> Misconfigured:
    """A gateway opens what is just being left."""
    return Misconfigured(
        place,
        Text("Sổ này đang được chuyển sang kho khác", "This ledger is being moved to another store"),
        Text(
            "Đợi lệnh lgsp migrate-store kết thúc, rồi làm theo lời nhắn của nó.",
            "Wait until lgsp migrate-store ends, then do as it says.",
        ),
    )


def half_there(place: str) -> Misconfigured:
    """A gateway opens what is being moved into."""
    return Misconfigured(
        place,
        Text("Sổ đang được chuyển vào đây, chưa xong", "A ledger is being moved in here, and is not whole yet"),
        Text(
            "Chạy lại lệnh lgsp migrate-store như cũ: nó làm tiếp từ chỗ dừng.",
            "Run the same lgsp migrate-store again: it goes on where it stopped.",
        ),
    )
