"""What was found in a file: which signatures are in it and what they are worth, and whether a scanner looked at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from gateway.core.faults import Text
from gateway.core.moments import format_moment

Verdict = Literal["valid", "unsigned", "not-checked", "expired", "unknown-signer", "revoked", "invalid"]
#: From the best to the worst: of several signatures in one file the worst counts.
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
Kind = Literal["pdf", "xml", "cms", "none"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Scanned = Literal["clean", "not-scanned"]
Policy = Literal["warn", "block"]

#: Why a verdict is what it is: short names, and what each means to a person.
REASONS: Final[dict[str, Text]] = {
    "": Text("", ""),
    "changed": Text("Tệp bị sửa sau khi ký", "The file was changed after it was signed"),
    "broken": Text("Chữ ký không khớp nội dung hoặc bị hỏng", "The signature does not fit the content, or is damaged"),
    "weak-algorithm": Text("Thuật toán ký đã quá yếu", "It was signed with an algorithm that is too weak"),
    "not-yet-valid": Text("Chứng thư chưa có hiệu lực lúc ký", "The certificate was not in force yet"),
    "usage": Text("Chứng thư không dùng để ký văn bản", "The certificate is not for signing documents"),
    "chain": Text("Chuỗi chứng thư không hợp lệ", "The chain of certificates does not hold"),
    "no-trusted-root": Text(
        "Không có chứng thư gốc tin cậy cho người ký (trust/)", "No trusted root vouches for the signer (trust/)"
    ),
    "certificate-expired": Text(
        "Chứng thư đã hết hạn, và không có dấu thời gian tin cậy cho biết ký lúc nào",
        "The certificate has expired, and no trusted time stamp says when it was used",
    ),
    "certificate-revoked": Text("Chứng thư đã bị thu hồi", "The certificate is revoked"),
    "no-revocation-list": Text(
        "Chưa có danh sách thu hồi (CRL) còn hạn của nơi cấp chứng thư; quản trị viên đặt tệp vào trust/",
        "No list of revoked certificates (CRL) of the issuer is in force; the administrator puts one into trust/",
    ),
    "unknown-kind": Text(
        "Trục không tìm chữ ký trong loại tệp này", "The bus looks for no signatures in files of this kind"
    ),
    "detached": Text(
        "Chữ ký rời: được đối chiếu với tệp cùng tên trong cùng thông điệp",
        "A detached signature: it is held to the file of its name in the same message",
    ),
    "edxml-block": Text(
        "Khối Signature của edXML không có giá trị xác thực", "The Signature block of edXML vouches for nothing"
    ),
    "certificates-only": Text("Chỉ có chứng thư, không có chữ ký", "It holds certificates and no signature"),
    "external": Text("Chữ ký nói về dữ liệu ở nơi khác", "It signs data that lie elsewhere"),
    "unsupported": Text("Dạng chữ ký chưa được hỗ trợ", "This form of signature is not supported"),
    "encrypted": Text("Tệp có mật khẩu, không đọc được", "The file is encrypted and cannot be read"),
    "unreadable": Text("Tệp hỏng, không đọc được chữ ký", "The file is damaged: its signatures cannot be read"),
    "too-large": Text("Tệp lớn hơn mức được kiểm tra", "The file is larger than what is looked into"),
    "too-many": Text("Có quá nhiều chữ ký", "There are too many signatures in it"),
    "too-long": Text("Kiểm tra quá lâu nên bị dừng", "Looking took too long and was stopped"),
    "stopped": Text(
        "Kiểm tra tệp này cần quá nhiều bộ nhớ hoặc làm hỏng tiến trình kiểm tra",
        "Looking into this file takes too much memory, or brings down the process that looks",
    ),
    "away": Text("Tiến trình kiểm tra không chạy được", "The process that looks into files does not come up"),
    "busy": Text("Quá nhiều tệp chờ kiểm tra", "Too many files were waiting to be looked at"),
    "not-installed": Text(
        "Chưa cài phần kiểm tra chữ ký (lienthong[signatures])",
        "What looks into signatures is not installed (lienthong[signatures])",
    ),
}
#: What may come out otherwise the next time: such a finding is not kept for good.
PASSING: Final = frozenset({"away", "busy", "not-installed"})

_HEAD: Final = 1024
_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")
_ARMOUR: Final = (b"-----BEGIN PKCS7-----", b"-----BEGIN CMS-----", b"-----BEGIN PKCS #7 SIGNED DATA-----")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: what it is worth and why; who signed (as text) with which certificate (x5t#S256), and when.

    ``signed_at`` is the time stamp's word where ``is_stamped`` (trusted, and checked), else the signer's own.
    ``covers_all`` tells whether nothing of the file stands outside of it.
    """

    verdict: Verdict
    reason: str = ""
    signer: str = ""
    certificate: str = ""
    signed_at: float | None = None
    is_stamped: bool = False
    covers_all: bool = False

    def members(self) -> dict[str, Any]:
        """As JSON tells it."""
        told: dict[str, Any] = {"verdict": self.verdict}
        if self.reason:
            told["reason"] = self.reason
        told |= {"signer": self.signer, "certificate": self.certificate}
        if self.signed_at is not None:
            told["signed_at"] = format_moment(self.signed_at)
        return told | {"time_stamped": self.is_stamped, "covers_all": self.covers_all}


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look into one file told: the worst of its signatures counts.

    ``by`` names the program that looked and its version, ``lists`` the trust lists it went by (12 hex digits of their
    SHA-256).
    """

    kind: Kind
    verdict: Verdict
    reason: str = ""
    signatures: tuple[Signature, ...] = ()
    by: str = ""
    lists: str = ""

    @classmethod
    def of(cls, kind: Kind, signatures: Iterable[Signature], *, by: str, lists: str) -> Looked:
        """What several signatures come to; none at all is ``unsigned``."""
        listed = tuple(signatures)
        if not listed:
            return cls(kind, "unsigned", by=by, lists=lists)
        worst = max(listed, key=lambda each: VERDICTS.index(each.verdict))
        return cls(kind, worst.verdict, worst.reason, listed, by, lists)


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is known of one file. ``about`` is empty, or names the file that this one signs from outside."""

    sha256: str
    looked: Looked
    looked_at: float
    scanned: Scanned = "not-scanned"
    #: What looked for malware, or why nothing did.
    scanner: str = ""
    scanned_at: float | None = None
    about: str = ""

    @property
    def is_passing(self) -> bool:
        """Whether another look may tell something else at any moment."""
        return self.looked.reason in PASSING

    def short(self) -> dict[str, Any]:
        """The file in one line of a message's timeline."""
        return {"sha256": self.sha256, "verdict": self.looked.verdict, "scanned": self.scanned}

    def members(self) -> dict[str, Any]:
        """Everything, as JSON tells it."""
        looked = self.looked
        told: dict[str, Any] = {"sha256": self.sha256}
        if self.about:
            told["about"] = self.about
        told |= {"kind": looked.kind, "verdict": looked.verdict}
        if looked.reason:
            told |= {"reason": looked.reason, "meaning": REASONS[looked.reason]._asdict()}
        told |= {
            "signatures": [each.members() for each in looked.signatures],
            "looked_at": format_moment(self.looked_at),
            "by": looked.by,
            "trust_lists": looked.lists,
            "scanned": self.scanned,
            "scanner": self.scanner,
        }
        if self.scanned_at is not None:
            told["scanned_at"] = format_moment(self.scanned_at)
        return told


def kind_of(head: bytes) -> Kind:
    """Which kind of signature may be in a file, by its first bytes (1,024 of them are enough) and never by its name."""
    head = head[:_HEAD]
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(_ARMOUR) or (head[:1] == b"\x30" and _SIGNED_DATA in head[:32]):
        return "cms"
    if b"%PDF-" in head:
        return "pdf"
    is_wide = head[:2] in {b"\xff\xfe", b"\xfe\xff"} and head[2:4] in {b"<\x00", b"\x00<"}
    is_page = text[:15].lower().startswith((b"<!doctype html", b"<html"))
    return "xml" if is_wide or (text.startswith(b"<") and not is_page) else "none"


def looked_from(told: Mapping[str, Any]) -> Looked:
    """A look as another process or a table tells it; raises ValueError or KeyError for anything that is none."""
    kind, verdict, reason = told["kind"], told["verdict"], told["reason"]
    if kind not in KINDS or verdict not in VERDICTS or reason not in REASONS:
        raise ValueError("no finding")
    signatures = tuple(_signature(each) for each in told["signatures"])
    return Looked(cast("Kind", kind), cast("Verdict", verdict), reason, signatures, str(told["by"]), str(told["lists"]))


def _signature(told: Mapping[str, Any]) -> Signature:
    found = Signature(**told)
    if found.verdict not in VERDICTS or found.reason not in REASONS:
        raise ValueError("no signature")
    return found


def blocks(looked: Looked, blocking: Iterable[str]) -> bool:
    """Whether a file like this is not handed to an agency that wants what is wrong kept away."""
    return looked.verdict in blocking


#: Endings of detached signatures, each after the whole name of the file that it signs.
_DETACHED: Final = (".p7s", ".p7b", ".p7m", ".p7", ".sig")


def signed_by_name(name: str, others: Mapping[str, str]) -> str | None:
    """The name among ``others`` (by their names without case) that a detached signature called ``name`` speaks of."""
    lowered = name.casefold()
    for ending in _DETACHED:
        if lowered.endswith(ending) and (found := others.get(lowered[: -len(ending)])) is not None:
            return found
    return None
