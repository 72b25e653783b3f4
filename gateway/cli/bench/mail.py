"""The mail of a bench: documents of the usual size, signed as an agency signs; each id follows from its number."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from gateway.client.message import make_event, new_id
from gateway.core.envelope import seal
from gateway.core.jws import Signer

SENDER: Final = "H33.05/dms"
#: Eight offices that take what they get, and one whose door the bench opens and shuts.
RECIPIENTS: Final = tuple(f"H33.{number}/dms" for number in range(10, 18))
ASLEEP: Final = "H33.18/dms"
CONTRACT: Final = "document.issued"
VERSION: Final = "2.0"

_SUBJECT: Final = (
    "Về việc rà soát, chuẩn hoá và cập nhật danh mục thủ tục hành chính đủ điều kiện cung cấp dịch vụ công trực tuyến"
    " toàn trình trên địa bàn tỉnh; báo cáo kết quả thực hiện và đề xuất, kiến nghị (nếu có) của các cơ quan, đơn vị"
)
_CONTENT: Final = (
    "Đề nghị các cơ quan, đơn vị rà soát toàn bộ thủ tục thuộc phạm vi quản lý, đối chiếu với danh mục đã công bố,"
    " xác định các thủ tục đủ điều kiện, lập danh sách kèm theo lộ trình thực hiện và phân công người chịu trách nhiệm;"
    " báo cáo kết quả bằng văn bản qua trục liên thông trước thời hạn nêu trên để tổng hợp, trình cấp có thẩm quyền."
)


def message_id(began: float, number: int) -> str:
    """The id (UUID version 7) of message ``number`` of the run that began at ``began`` (seconds since 1970)."""
    return new_id(began + number / 1000, hashlib.sha256(f"{began}:{number}".encode()).digest()[:10])


def recipient_of(number: int) -> str:
    """To whom message ``number`` goes: the offices in turn."""
    return RECIPIENTS[number % len(RECIPIENTS)]


def envelope(began: float, number: int, *, to: str, now: float, signer: Signer) -> bytes:
    """Message ``number`` as one signed envelope of about 3 KB."""
    event = make_event(
        id=message_id(began, number),
        source=SENDER,
        contract=CONTRACT,
        version=VERSION,
        subject=f"H33.05,2026/11/22,{number}/STC-VP",
        now=now,
        data=_document(number, to),
        extensions={"to": to, "purpose": "van-ban"},
    )
    return seal(event, signer)


def _document(number: int, to: str) -> dict[str, Any]:
    """An official document as contract document.issued/2.0 wants it."""
    return {
        "documentId": f"H33.05,2026/11/22,{number}/STC-VP",
        "code": {"number": str(number), "notation": "STC-VP"},
        "from": {"organId": "H33.05", "organName": "Sở Tài chính", "email": "stc@mau.example.vn"},
        "to": [{"organId": to.partition("/")[0], "organName": "Cơ quan mẫu trong tỉnh"}],
        "promulgation": {"place": "Thành phố Mẫu", "date": "2026-11-22"},
        "documentType": {"type": 2, "detail": 1, "name": "Công văn"},
        "subject": f"{_SUBJECT} lần thứ {number}",
        "content": _CONTENT,
        "confidentiality": "none",
        "signer": {"competence": "KT. GIÁM ĐỐC", "position": "Phó Giám đốc", "fullName": "Nguyễn Văn Mẫu"},
        "dueDate": "2026-12-15",
        "toPlaces": ["Như trên", "Lãnh đạo Sở (để báo cáo)", "Lưu: VT, VP"],
        "other": {"priority": 0, "sphere": "Trong tỉnh", "typist": "NVM", "copies": 12, "pages": 3, "direction": False},
        "business": {"type": "new", "paper": False},
        "trace": [
            {"organId": "H33.05", "timestamp": "2026-11-22T08:00:00+07:00"},
            {"organId": "H33.14", "timestamp": "2026-11-22T08:00:01+07:00"},
        ],
    }
