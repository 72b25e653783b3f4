"""The note beside a refused file: what was wrong, who must do what, in Vietnamese and then in English."""

from __future__ import annotations

from datetime import datetime

from gateway.core.faults import PROBLEMS, Text
from gateway.core.moments import VIET_NAM


def refusal_note(name: str, reason: str, detail: Text, now: float) -> bytes:
    """The note as a text file that old Windows editors show as well: UTF-8 with its mark, lines ended by CR LF."""
    title = PROBLEMS.get(reason, Text("Tệp không thể chuyển thành thông điệp", "The file cannot become a message"))
    when = datetime.fromtimestamp(now, VIET_NAM).strftime("%d/%m/%Y %H:%M:%S")
    lines = [
        f"Lý do ({reason}): {title.vi}.",
        detail.vi,
        f"Tệp: {name}",
        f"Trục liên thông từ chối lúc: {when} (giờ Việt Nam)",
        (
            "Việc cần làm: văn thư của cơ quan xử lý theo lý do trên (nếu lỗi do phần mềm thì báo nhà cung cấp),"
            " rồi đặt tệp đã sửa vào thư mục gửi. Tệp trong thư mục này không được gửi lại tự động."
        ),
        "",
        f"Reason ({reason}): {title.en}.",
        detail.en,
        f"File: {name}",
        f"Refused by the bus at: {when} (Viet Nam)",
        (
            "What to do: the agency's clerk acts on the reason above (or has the vendor do it, if the software is at"
            " fault) and drops the mended file into the outgoing folder. Files here are not sent again by themselves."
        ),
        "",
    ]
    return "\r\n".join("\n".join(lines).splitlines()).encode("utf-8-sig")
