"""Every way the bus says no, on one page: whose fault it is, its name, and what it says to people.

A fault names a *problem* (RFC 9457, the table of problems the public interface promises). It carries a
sentence for people in Vietnamese and English that says what is wrong and who must do what about it. Only
``gateway.api.problems`` knows HTTP status codes; nothing here does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple


class Text(NamedTuple):
    """One sentence in the two languages of the bus: Vietnamese first, English second."""

    vi: str
    en: str

    def in_language(self, language: str) -> str:
        """The sentence in ``language`` (``"en"``, or anything else for Vietnamese)."""
        return self.en if language == "en" else self.vi


class Violation(NamedTuple):
    """One broken rule: where (RFC 6901 JSON pointer), which rule, and what it means to a person."""

    pointer: str
    rule: str
    message: Text


#: Problem name -> its title. The names are public and never change; the texts may be bettered.
PROBLEMS: Final[dict[str, Text]] = {
    "malformed-envelope": Text("Phong bì không đúng quy cách", "The envelope is malformed"),
    "bad-request": Text("Yêu cầu không đúng quy cách", "The request is not as described"),
    "method-not-allowed": Text("Phương thức không được phép", "The method is not allowed here"),
    "unknown-signer": Text("Không nhận ra người ký", "The signer is not known"),
    "bad-signature": Text("Chữ ký không đúng", "The signature does not verify"),
    "unauthenticated": Text("Chưa xác thực", "Authentication is needed"),
    "forbidden": Text("Không được phép", "This is not allowed"),
    "not-found": Text("Không tìm thấy", "Not found"),
    "untrusted-certificate": Text("Chứng thư không được tin cậy", "The certificate is not trusted"),
    "no-agreement": Text("Chưa có thoả thuận chia sẻ dữ liệu", "No data-sharing agreement allows this"),
    "sealing-not-allowed": Text("Hệ thống này phải tự ký", "The bus may not sign for this system"),
    "secret-content": Text("Nội dung mật không được gửi qua mạng", "Secret content must stay off the network"),
    "conflict": Text("Mã thông điệp đã được dùng", "The message id is taken"),
    "illegal-state": Text("Trạng thái hiện tại không cho phép", "The present state does not allow this"),
    "too-large": Text("Quá lớn", "Too large"),
    "unsupported-media-type": Text("Kiểu nội dung không được hỗ trợ", "The media type is not supported"),
    "unknown-contract": Text("Không có hợp đồng dữ liệu này", "There is no such contract"),
    "contract-violation": Text("Dữ liệu trái với hợp đồng", "The data breaks its contract"),
    "unknown-recipient": Text("Không có nơi nhận này", "There is no such recipient"),
    "no-subscriber": Text("Nơi nhận chưa đăng ký loại thông điệp này", "The recipient does not subscribe"),
    "missing-file": Text("Thiếu tệp đính kèm", "A file is missing"),
    "expired": Text("Thông điệp đã hết hạn", "The message has expired"),
    "stale": Text("Thời điểm gửi ngoài khoảng cho phép", "The message's time is outside its window"),
    "checksum-mismatch": Text("Dữ liệu đến nơi không khớp mã kiểm tra", "The bytes do not fit their checksum"),
    "digest-mismatch": Text("Tệp không khớp mã băm đã khai báo", "The file does not fit its announced digest"),
    "infected-file": Text("Tệp có mã độc", "The file holds malware"),
    "rate-limited": Text("Gửi quá nhanh", "Too many requests"),
    "no-record": Text("Không có bản ghi", "No such record"),
    "internal": Text("Lỗi bên trong trục liên thông", "An error inside the bus"),
    "provider-unavailable": Text("Nơi cung cấp dữ liệu không trả lời", "The provider does not answer"),
    "overloaded": Text("Trục liên thông đang quá tải", "The bus is overloaded"),
}


@dataclass(eq=False)
class Fault(Exception):
    """Something the bus refuses or cannot do; the root of every error it raises on purpose."""

    problem: str
    detail: Text
    violations: tuple[Violation, ...] = ()
    recipients: tuple[str, ...] = ()
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.problem}: {self.detail.en}"


class Rejected(Fault):
    """The sender must change the request; sending the same again will fail again."""


class Busy(Fault):
    """The sender may try the same again later, after ``retry_after`` seconds."""


class Unavailable(Fault):
    """A query's provider has not answered; the asker may ask again under the same id."""


class Unanswered(Unavailable):
    """A query's provider was asked and did not answer in time."""


class IllegalStep(Fault):
    """The state of a delivery does not allow the act asked for (problem ``illegal-state``)."""


@dataclass(eq=False)
class DeliveryFailure(Exception):
    """A hand-over to an agency did not succeed; ``status`` is the far side's own code where it gave one."""

    detail: str
    status: int | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        return self.detail


class TransientFailure(DeliveryFailure):
    """The agency cannot take it now. Anything unforeseen counts as this."""


class TimedOut(TransientFailure):
    """The agency did not answer in time: whether it took the message is not known."""


class NotYet(TransientFailure):
    """The bus itself has to wait for something; it says nothing about the destination, and no attempt is used up."""


class PermanentFailure(DeliveryFailure):
    """The agency will never take this message."""


class Withheld(PermanentFailure):
    """The bus itself does not hand it over, as the agency wants it; ``detail`` is what the sender is told."""


class DestinationGone(TransientFailure):
    """The agency asks for no further deliveries (HTTP 410): hold the destination, tell its operator."""


@dataclass(eq=False)
class Misconfigured(Exception):
    """Refuse to start or to apply: where the mistake is, what is wrong, what would be right."""

    where: str
    wrong: Text
    right: Text
    also: tuple[Misconfigured, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.where}: {self.wrong.en}. {self.right.en}"
