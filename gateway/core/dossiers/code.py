"""Codes of dossiers (mã hồ sơ): both official forms, when two writings are one code, and what a code of ours must be.

The code is made once, by the one-stop system that receives the dossier, and used by all (Circular 01/2018, article
19). The bus never makes one, completes one or computes one form into the other: a code that is not whole is refused,
since a code made up on the way would be a second dossier at the national portal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from gateway.core.faults import Text

#: The longest code that anybody may use.
LONGEST: Final = 50
#: ``qcvn2016``: ``000.00.00.H33-181231-0001``; ``qd20``: ``H33.01.02-181231-0001``.
Form = Literal["qcvn2016", "qd20"]

# The number has four digits or, where a unit receives more in a day, as many as it takes.
_OLD: Final = re.compile(r"([0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Y][0-9]{2})-([0-9]{6})-([0-9]{4,12})\Z")
_NEW: Final = re.compile(r"([A-Z][0-9]{2}(?:\.[A-Z0-9]+)*)-([0-9]{6})-([0-9]{4,12})\Z")
# What an agency code of either form is without the group of the province: digits alone, or nothing.
_WITHOUT_PROVINCE: Final = re.compile(r"(?:[0-9]{2,3}(?:\.[0-9]{2,3})*\.?|\.)?-?[0-9]{6}-[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class CodeParts:
    """What a code says: which agency made it (in the form in which it is written), the day of receipt, the number."""

    agency: str
    day: date
    number: int
    form: Form


def compared(text: str) -> str:
    """``text`` as codes compare: without any blank, in capital letters. Two forms of one agency's code stay two codes.

    Whatever stands there has a compared form, of codes that have neither official form too.
    """
    if text.isascii():
        return "".join(text.split()).upper()
    return unicodedata.normalize("NFC", "".join(unicodedata.normalize("NFC", text).split()).upper())


def read_code(text: str) -> CodeParts | None:
    """The parts of a code in one of the official forms; None for any other, and where its day is none."""
    code = compared(text)
    if len(code) > LONGEST:
        return None
    old = _OLD.match(code)
    found = old or _NEW.match(code)
    if found is None:
        return None
    agency, day, number = found.groups()
    try:
        received = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    except ValueError:
        return None
    return CodeParts(agency, received, int(number), "qcvn2016" if old else "qd20")


def check_own(code: str, is_ours: Callable[[str], bool]) -> Text | None:
    """What is wrong with a code; None where it may be used.

    ``is_ours`` tells of an agency code whether it is one of the province's own, in any writing that its registry knows:
    codes that begin with such a one must be whole. Codes of ministries and other provinces may be any text of at most
    50 characters. What lacks the group of its province is refused, whosever it is.
    """
    plain = compared(code)
    if not plain:
        return _EMPTY
    if len(plain) > LONGEST or not plain.isprintable():
        return _TOO_LONG
    if read_code(plain) is not None:
        return None
    if _WITHOUT_PROVINCE.match(plain):
        return _NO_PROVINCE
    if not is_ours(plain.partition("-")[0]):
        return None
    return _NOT_WHOLE


_EMPTY: Final = Text(
    "Hồ sơ không có mã. Đơn vị tiếp nhận phải cấp mã trên hệ thống một cửa rồi gửi lại.",
    "The dossier has no code. The unit that receives it has to give it one in its one-stop system and send it again.",
)
_TOO_LONG: Final = Text(
    f"Mã hồ sơ dài quá {LONGEST} ký tự hoặc có ký tự không in được. Đơn vị tiếp nhận phải sửa mã trên hệ thống một cửa"
    " rồi gửi lại.",
    f"The dossier's code is over {LONGEST} characters, or holds some that cannot be printed. The unit that receives it"
    " has to mend the code in its one-stop system and send it again.",
)
_NO_PROVINCE: Final = Text(
    "Mã hồ sơ thiếu phần mã của tỉnh (như H33). Quản trị hệ thống một cửa phải khai đủ mã định danh của đơn vị tiếp"
    " nhận và gửi lại đúng mã đã cấp cho công dân; trục không tự thêm và không đặt mã khác, vì như vậy sẽ sinh hồ sơ"
    " trùng trên Cổng Dịch vụ công quốc gia.",
    "The dossier's code lacks the group of its province (such as H33). Who runs the one-stop system has to enter the"
    " receiving unit's whole code there and send the code that the applicant was given; the bus completes none and"
    " makes none up, as that would be a second dossier at the national portal.",
)
_NOT_WHOLE: Final = Text(
    "Mã hồ sơ của cơ quan trong tỉnh không đúng dạng mã cơ quan, gạch ngang, ngày tiếp nhận (năm, tháng, ngày, mỗi phần"
    " 2 chữ số), gạch ngang, số thứ tự từ 4 chữ số, như H33.05-261123-0001. Quản trị hệ thống một cửa phải sửa cách cấp"
    " mã rồi gửi lại.",
    "The code of a dossier of the province's own is not agency code, hyphen, day of receipt (year, month, day, 2 digits"
    " each), hyphen, number of at least 4 digits, like H33.05-261123-0001. Who runs the one-stop system has to mend how"
    " it makes codes, and send it again.",
)
