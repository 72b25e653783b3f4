"""The code lists of the document axis: status codes, urgency, the names of document types."""

from __future__ import annotations

import unicodedata
from typing import Final

from gateway.core.faults import Text

#: Business status codes (nine, as the axis' own software names them); 07 to 12 and 14 are not in use.
STATUS: Final[dict[str, Text]] = {
    "01": Text("Đã đến", "Arrived"),
    "02": Text("Từ chối tiếp nhận", "Rejected"),
    "03": Text("Đã tiếp nhận", "Accepted"),
    "04": Text("Phân công xử lý", "Assigned"),
    "05": Text("Đang xử lý", "In progress"),
    "06": Text("Hoàn thành", "Finished"),
    "13": Text("Lấy lại", "Taken back by the sender"),
    "15": Text("Đồng ý cập nhật, lấy lại", "Change accepted"),
    "16": Text("Từ chối cập nhật, lấy lại", "Change rejected"),
}

#: Codes that the document's *sender* reports; all others come from its receiver.
REPORTED_BY_SENDER: Final = frozenset({"13"})

#: OtherInfo/Priority (độ khẩn) with its names.
PRIORITY: Final[dict[int, Text]] = {
    0: Text("Thường", "Normal"),
    1: Text("Khẩn", "Urgent"),
    2: Text("Thượng khẩn", "Very urgent"),
    3: Text("Hoả tốc", "Express"),
    4: Text("Hoả tốc hẹn giờ", "Express at a set hour"),
}

_TO_ENVELOPE: Final = {0: "normal", 1: "urgent", 2: "very-urgent", 3: "express", 4: "express"}
_FROM_ENVELOPE: Final = {"normal": 0, "urgent": 1, "very-urgent": 2, "express": 3}

#: Administrative documents (list B of QCVN 102:2016 as amended in 2022): number in the list -> name.
DOCUMENT_TYPES: Final[dict[int, str]] = dict(
    enumerate(
        (
            "Nghị quyết (cá biệt)",
            "Quyết định (cá biệt)",
            "Chỉ thị (cá biệt)",
            "Quy chế",
            "Quy định",
            "Thông cáo",
            "Thông báo",
            "Hướng dẫn",
            "Chương trình",
            "Kế hoạch",
            "Phương án",
            "Đề án",
            "Dự án",
            "Báo cáo",
            "Biên bản",
            "Tờ trình",
            "Hợp đồng",
            "Công văn",
            "Công điện",
            "Bản ghi nhớ",
            "Bản cam kết",
            "Bản thoả thuận",
            "Giấy chứng nhận",
            "Giấy uỷ quyền",
            "Giấy mời",
            "Giấy giới thiệu",
            "Giấy nghỉ phép",
            "Giấy đi đường",
            "Giấy biên nhận hồ sơ",
            "Phiếu gửi",
            "Phiếu chuyển",
            "Thư công",
        ),
        start=1,
    )
)
#: DocumentType/Type of the whole of list B: group 2, administrative documents.
ADMINISTRATIVE: Final = 2

# The tone mark of oa, oe, uy has two customary places: "thỏa" and "thoả" are the same word.
_TONE_PLACES: Final = {
    old: new
    for tones in (
        ("òa", "oà", "óa", "oá", "ỏa", "oả", "õa", "oã", "ọa", "oạ"),
        ("òe", "oè", "óe", "oé", "ỏe", "oẻ", "õe", "oẽ", "ọe", "oẹ"),
        ("ùy", "uỳ", "úy", "uý", "ủy", "uỷ", "ũy", "uỹ", "ụy", "uỵ"),
    )
    for old, new in zip(tones[::2], tones[1::2], strict=True)
}


def _key(name: str) -> str:
    key = " ".join(unicodedata.normalize("NFC", name).casefold().split()).removesuffix("(cá biệt)").strip()
    for old, new in _TONE_PLACES.items():
        key = key.replace(old, new)
    return key


_DETAIL: Final = {_key(name): number for number, name in DOCUMENT_TYPES.items()}


def type_detail(name: str) -> int | None:
    """The number of a document type in list B by its name, however it is spelt or capitalised; None if not in it."""
    return _DETAIL.get(_key(name))


def envelope_priority(priority: int | None) -> str:
    """The envelope's ``priority`` for OtherInfo/Priority: ``normal``, ``urgent``, ``very-urgent`` or ``express``.

    Absent or unknown is ``normal``. Express (3) and express at a set hour (4) are one class on the bus.
    """
    return _TO_ENVELOPE.get(priority if priority is not None else 0, "normal")


def edxml_priority(priority: str) -> int:
    """OtherInfo/Priority for the envelope's ``priority``; what is unknown counts as normal (0)."""
    return _FROM_ENVELOPE.get(priority, 0)
