"""What people read when an edXML message is refused or taken with a warning: every name with its sentence."""

from __future__ import annotations

from typing import Final

from gateway.core.edxml.values import Oddity, Unreadable
from gateway.core.faults import Text

#: Why bytes are refused. ``{…}`` are facts of the case.
REFUSALS: Final[dict[str, Text]] = {
    "not-edxml": Text(
        "Tệp không phải là thông điệp edXML. Đơn vị gửi cần xuất lại văn bản theo QCVN 102:2016/BTTTT.",
        "The file is not an edXML message. The sender must export the document again as QCVN 102:2016 says.",
    ),
    "wrong-encoding": Text(
        "Tệp không được mã hoá bằng UTF-8. Đơn vị gửi cần ghi lại tệp bằng UTF-8.",
        "The file is not encoded in UTF-8. The sender must write it in UTF-8.",
    ),
    "not-well-formed": Text(
        "Tệp không đúng cú pháp XML ({reason}, dòng {line}). Đơn vị gửi cần sửa phần mềm kết xuất rồi gửi lại.",
        "The file is not well-formed XML ({reason}, line {line}). The sender must mend the exporting software"
        " and send again.",
    ),
    "doctype-forbidden": Text(
        "Tệp có khai báo DOCTYPE, điều bị cấm vì lý do an toàn. Đơn vị gửi cần bỏ khai báo này rồi gửi lại.",
        "The file declares a DOCTYPE, which is forbidden for safety. The sender must remove it and send again.",
    ),
    "generation-1": Text(
        "Thông điệp thuộc thế hệ 1 (gói SOAP hoặc không gian tên http://www.e-doc.vn/Schema/) mà không đọc được."
        " Đơn vị gửi cần nâng cấp phần mềm lên QCVN 102:2016/BTTTT.",
        "The message is of generation 1 (SOAP packaging or the namespace http://www.e-doc.vn/Schema/) and cannot"
        " be read. The sender must upgrade to QCVN 102:2016.",
    ),
    "unknown-format": Text(
        "Thông điệp không theo cấu trúc của QCVN 102:2016/BTTTT: {reason}. Đơn vị gửi cần kết xuất đúng cấu trúc.",
        "The message does not have the structure of QCVN 102:2016: {reason}. The sender must export it as laid down.",
    ),
    "missing-element": Text(
        "Thông điệp thiếu {element}, không thể chuyển đi. Đơn vị gửi cần bổ sung rồi gửi lại.",
        "The message lacks {element} and cannot be relayed. The sender must add it and send again.",
    ),
    "bad-status-code": Text(
        "Mã trạng thái “{value}” không phải là hai chữ số. Đơn vị gửi cần ghi mã từ 01 đến 16 theo quy định.",
        "The status code “{value}” is not two digits. The sender must write one of the codes laid down.",
    ),
    "too-large": Text(
        "Thông điệp có phần vượt quá giới hạn {limit} byte. Đơn vị gửi cần giảm dung lượng rồi gửi lại.",
        "The message has a part over the limit of {limit} bytes. The sender must make it smaller and send again.",
    ),
    "too-deep": Text(
        "Thông điệp lồng quá {limit} tầng. Đơn vị gửi cần kết xuất đúng cấu trúc của QCVN 102:2016/BTTTT.",
        "The message is nested deeper than {limit} levels. The sender must export it as QCVN 102:2016 says.",
    ),
    "too-many": Text(
        "Thông điệp có quá {limit} {what}. Đơn vị gửi cần kết xuất đúng cấu trúc hoặc chia nhỏ rồi gửi lại.",
        "The message has more than {limit} {what}. The sender must export it as laid down, or split it.",
    ),
}

#: What is odd about a message that was taken.
ODDITIES: Final[dict[str, Text]] = {
    "declared-encoding": Text(
        "Tệp khai báo bảng mã “{value}” nhưng thực tế là UTF-8. Đơn vị gửi nên sửa khai báo.",
        "The file declares the encoding “{value}” but is UTF-8. The sender should mend the declaration.",
    ),
    "converted-encoding": Text(
        "Tệp được mã hoá bằng {value}; đã chuyển sang UTF-8 để đọc, tệp gốc giữ nguyên. Đơn vị gửi nên dùng UTF-8.",
        "The file is encoded in {value}; it was made UTF-8 to be read, the file itself is kept as it came. The sender"
        " should write UTF-8.",
    ),
    "generation-1": Text(
        "Thông điệp thuộc thế hệ 1 (gói SOAP hoặc MIME, hoặc không gian tên http://www.e-doc.vn/Schema/); đã đọc và"
        " sẽ chuyển tiếp theo QCVN 102:2016/BTTTT. Đơn vị gửi cần nâng cấp phần mềm.",
        "The message is of generation 1 (packed in SOAP or MIME, or in the namespace http://www.e-doc.vn/Schema/);"
        " it was read and is passed on as QCVN 102:2016 says. The sender should upgrade.",
    ),
    "credentials-inside": Text(
        "Tệp chứa mã truy cập (Token) của phần mềm bên gửi. Trục không đưa mã này vào dữ liệu và không trao tệp gốc cho"
        " nơi nhận; đơn vị gửi nên đổi mã truy cập và bỏ nó khỏi tệp.",
        "The file holds an access token of the sender's software. The bus leaves it out of the data and hands the file"
        " itself to nobody; the sender should change the token and take it out of its files.",
    ),
    "legacy-font": Text(
        "Trích yếu có vẻ được gõ bằng phông chữ {value}, không phải Unicode, nên có thể không đọc được; đã giữ"
        " nguyên. Đơn vị gửi cần gõ lại bằng Unicode.",
        "The subject seems to be typed in a {value} font instead of Unicode and may be unreadable; it was kept as it"
        " is. The sender should type it in Unicode.",
    ),
    "garbled-text": Text(
        "Trích yếu có vẻ đã bị đọc sai bảng mã (UTF-8 bị hiểu thành bảng mã khác); đã giữ nguyên. Đơn vị gửi cần"
        " gửi lại.",
        "The subject seems to have been read in a wrong encoding on its way (UTF-8 taken for another); it was kept"
        " as it is. The sender should send it again.",
    ),
    "date-form": Text(
        "Ngày “{value}” không ghi theo dạng yyyy/MM/dd; đã hiểu là {taken}. Đơn vị gửi nên sửa phần mềm.",
        "The date “{value}” is not written as yyyy/MM/dd; it was taken as {taken}."
        " The sender should mend the software.",
    ),
    "timestamp-form": Text(
        "Thời điểm “{value}” không ghi theo dạng yyyy/MM/dd HH:mm:ss; đã hiểu là {taken}. Đơn vị gửi nên sửa phần mềm.",
        "The time “{value}” is not written as yyyy/MM/dd HH:mm:ss; it was taken as {taken}."
        " The sender should mend the software.",
    ),
    "impossible-date": Text(
        "“{value}” không phải là một ngày có thật nên đã bỏ qua. Văn thư cần hỏi lại đơn vị gửi.",
        "“{value}” is no date that exists and was left out. The clerk should ask the sender.",
    ),
    "impossible-date-in-identifier": Text(
        "Mã định danh văn bản chứa ngày không có thật: “{value}”. Đơn vị gửi cần kiểm tra lại mã văn bản.",
        "The document's identifier holds a date that does not exist: “{value}”. The sender should check it.",
    ),
    "absent-element": Text(
        "Thiếu {element}, phần mà QCVN 102:2016/BTTTT yêu cầu. Văn thư cần bổ sung khi vào sổ.",
        "{element} is absent although QCVN 102:2016 asks for it. The clerk must add it when registering.",
    ),
    "empty-elements": Text(
        "Thông điệp có {value} phần tử rỗng; đã coi như không có. Đơn vị gửi nên bỏ các phần tử rỗng.",
        "The message has {value} empty elements; they count as absent. The sender should leave them out.",
    ),
    "null-text": Text(
        "Nội dung chỉ là chữ “null”, dấu hiệu lỗi phần mềm bên gửi; đã coi như không có.",
        "The value is the word “null”, a mistake of the sender's software; it counts as absent.",
    ),
    "odd-number": Text(
        "“{value}” không phải là số nguyên hợp lệ nên đã bỏ qua. Đơn vị gửi nên sửa phần mềm.",
        "“{value}” is not a valid whole number and was left out. The sender should mend the software.",
    ),
    "odd-flag": Text(
        "“{value}” không phải là giá trị đúng/sai nên đã bỏ qua. Đơn vị gửi nên sửa phần mềm.",
        "“{value}” is neither true nor false and was left out. The sender should mend the software.",
    ),
    "odd-change": Text(
        "Loại thay đổi nơi nhận “{value}” không phải 0 (bỏ) hay 1 (thêm). Văn thư cần hỏi lại đơn vị gửi.",
        "The change of receiver “{value}” is neither 0 (removed) nor 1 (added). The clerk should ask the sender.",
    ),
    "unknown-priority": Text(
        "Độ khẩn “{value}” không nằm trong khoảng 0 đến 4; đã coi là văn bản thường.",
        "The urgency “{value}” is not one of 0 to 4; the document counts as normal.",
    ),
    "long-subject": Text(
        "Trích yếu dài {value} ký tự, quá 500; vẫn giữ nguyên. Đơn vị gửi nên rút gọn.",
        "The subject has {value} characters, more than 500; it was kept whole. The sender should shorten it.",
    ),
    "repeated-element": Text(
        "{element} xuất hiện nhiều lần; chỉ dùng lần đầu. Đơn vị gửi nên sửa phần mềm.",
        "{element} appears more than once; the first counts. The sender should mend the software.",
    ),
    "unexpected-markup": Text(
        "Phần tử chỉ được chứa chữ nhưng lại có phần tử con; đã lấy phần chữ.",
        "The element may hold text alone but has elements inside; their text was taken.",
    ),
    "status-code-form": Text(
        "Mã trạng thái ghi là “{value}”, không đủ hai chữ số; đã hiểu là {taken}.",
        "The status code is written “{value}”, not as two digits; it was taken as {taken}.",
    ),
    "unknown-status-code": Text(
        "Mã trạng thái {value} không có trong danh mục. Văn thư cần hỏi lại đơn vị gửi.",
        "The status code {value} is not in the list. The clerk should ask the sender.",
    ),
    "untrue-type": Text(
        "Tệp đính kèm khai là “{value}” nhưng nội dung lại là {taken}. Người nhận cần kiểm tra trước khi mở.",
        "The attachment is declared “{value}” but is {taken}. The receiver should check before opening it.",
    ),
    "broken-archive": Text(
        "Tệp đính kèm là gói ZIP bị cụt hoặc hỏng, không mở được; đã giữ nguyên. Đơn vị gửi cần gửi lại tệp.",
        "The attachment is a ZIP archive cut short or damaged; it was kept as it came. The sender must send it again.",
    ),
    "unopened-archive": Text(
        "Gói ZIP của tệp đính kèm không được mở vì {reason}; đã giữ nguyên. Người nhận cần kiểm tra trước khi mở.",
        "The attachment's ZIP archive was not opened, as {reason}; it was kept as it came. The receiver should check"
        " before opening it.",
    ),
    "undecodable-attachment": Text(
        "Nội dung tệp đính kèm không phải base64 hợp lệ nên không lấy ra được. Đơn vị gửi cần gửi lại tệp.",
        "The attachment's content is not valid base64 and could not be taken out. The sender must send it again.",
    ),
    "empty-attachment": Text(
        "Tệp đính kèm được nêu tên nhưng không có nội dung. Đơn vị gửi cần gửi lại tệp.",
        "The attachment is named but has no content. The sender must send it again.",
    ),
    "mangled-attachment": Text(
        "Tệp đính kèm nhị phân chứa {value} ký tự thay thế U+FFFD, có thể đã hỏng do xử lý như văn bản."
        " Đơn vị gửi cần gửi lại tệp gốc.",
        "The binary attachment holds {value} replacement characters U+FFFD: it was probably damaged by being treated"
        " as text. The sender must send the original again.",
    ),
    "untrue-name": Text(
        "Tên tệp đính kèm kết thúc bằng “.{value}” nhưng nội dung lại là {taken}. Người nhận cần kiểm tra"
        " trước khi mở.",
        "The attachment's name ends in “.{value}” but it is {taken}. The receiver should check before opening it.",
    ),
    "nested-edxml": Text(
        "Tệp đính kèm lại là một thông điệp edXML; trục giữ nguyên, không mở. Người nhận cần hỏi đơn vị gửi tệp gốc.",
        "The attachment is itself an edXML message; it was kept as it is and not opened. The receiver should ask the"
        " sender for the file meant.",
    ),
    "differing-names": Text(
        "Bản kê edXMLManifest gọi tệp là “{value}”, còn phần nội dung gọi là “{taken}”; đã dùng tên ở phần nội dung."
        " Đơn vị gửi nên sửa phần mềm.",
        "edXMLManifest calls the file “{value}”, its content “{taken}”; the latter was taken."
        " The sender should mend the software.",
    ),
    "path-in-name": Text(
        "Tên tệp đính kèm “{value}” chứa đường dẫn. Phần mềm nhận chỉ được dùng phần tên cuối khi lưu tệp.",
        "The attachment's name “{value}” holds a path. Receiving software must use its last part alone to store it.",
    ),
    "hidden-letters-in-name": Text(
        "Tên tệp đính kèm “{value}” có ký tự ẩn hoặc đổi chiều chữ, có thể để che đuôi tệp thật. Người nhận cần"
        " kiểm tra trước khi mở.",
        "The attachment's name “{value}” has letters that do not show or turn the direction of writing, perhaps to hide"
        " the true ending. The receiver should check before opening it.",
    ),
    "long-name": Text(
        "Tên tệp đính kèm dài {value} byte, quá 255; nhiều máy không lưu được nguyên tên. Đơn vị gửi nên rút gọn.",
        "The attachment's name takes {value} bytes, more than 255: many machines cannot store it whole."
        " The sender should shorten it.",
    ),
    "unlisted-attachment": Text(
        "Tệp đính kèm không có trong bản kê edXMLManifest. Đơn vị gửi nên sửa phần mềm.",
        "The attachment is not listed in edXMLManifest. The sender should mend the software.",
    ),
    "more-oddities": Text(
        "Còn nhiều điểm bất thường khác; chỉ liệt kê {value} điểm đầu.",
        "There are more oddities; only the first {value} are listed.",
    ),
    "repeated-content-id": Text(
        "Nhiều tệp đính kèm dùng chung mã ContentId “{value}”. Đơn vị gửi nên sửa phần mềm.",
        "Several attachments share the ContentId “{value}”. The sender should mend the software.",
    ),
}


def _shown(text: Text, facts: dict[str, str | int | Text]) -> Text:
    vi = {name: fact.vi if isinstance(fact, Text) else _short(fact) for name, fact in facts.items()}
    en = {name: fact.en if isinstance(fact, Text) else _short(fact) for name, fact in facts.items()}
    return Text(text.vi.format(**vi), text.en.format(**en))


def _short(fact: str | int) -> str:
    # The sender chose these characters: keep them on one line and few.
    text = "".join(letter if letter.isprintable() else " " for letter in str(fact)[:80])
    return text if len(text) <= 60 else f"{text[:59]}…"


def refusal(name: str, **facts: str | int | Text) -> Unreadable:
    """The exception for the refusal ``name``, its sentence filled with ``facts`` (shortened, on one line)."""
    return Unreadable(name, _shown(REFUSALS[name], facts))


def oddity(name: str, where: str, **facts: str | int | Text) -> Oddity:
    """The warning ``name`` about the element at ``where``, its sentence filled with ``facts``."""
    return Oddity(name, _shown(ODDITIES[name], facts), where)
