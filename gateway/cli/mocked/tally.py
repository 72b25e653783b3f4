"""The count of a province in small: for each kind of thing what was brought, taken, seen, missing and doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Final

from gateway.core.faults import Text

#: How each kind is called, in the order in which a dossier meets them.
KINDS: Final = {
    "dossier": Text("hồ sơ", "dossiers"),
    "status": Text("trạng thái cuối", "final statuses"),
    "step": Text("bước xử lý", "steps"),
    "supplement": Text("yêu cầu bổ sung", "supplements"),
    "supplement-answer": Text("bổ sung đã nộp", "answers"),
    "tax-notice": Text("thông báo thuế", "tax notices"),
    "payment": Text("thanh toán", "payments"),
    "bad-payment": Text("thanh toán sai mã", "bad payments"),
    "draft": Text("dự thảo trình ký", "drafts"),
    "signing": Text("kết quả ký", "signings"),
    "result": Text("tệp kết quả", "result files"),
    "order": Text("đơn bưu chính", "orders"),
    "tracking": Text("hành trình", "trackings"),
    "document": Text("văn bản", "documents"),
    "file": Text("tệp tải lên", "uploads"),
    "question": Text("lượt tra cứu", "questions"),
}


@dataclass(slots=True)
class Brought:
    """One thing. ``seen``: how often it stands at the other side now; None: there is no other side here."""

    kind: str
    key: str
    taken: Callable[[], bool] = lambda: True
    seen: Callable[[], int] | None = None


@dataclass(slots=True)
class Line:
    """The count of one kind; ``missing`` counts what is still under way, too."""

    brought: int = 0
    taken: int = 0
    seen: int = 0
    missing: int = 0
    doubled: int = 0


@dataclass(slots=True)
class Tally:
    """Everything that was brought. Looked at when it is counted: what comes late is seen, and what comes again."""

    things: list[Brought] = field(default_factory=list)

    def bring(
        self, kind: str, key: str, *, taken: Callable[[], bool] = lambda: True, seen: Callable[[], int] | None = None
    ) -> Brought:
        """Note one thing of a kind of KINDS."""
        made = Brought(kind, key, taken, seen)
        self.things.append(made)
        return made

    def count(self) -> dict[str, dict[str, int]]:
        """The figures by kind; kinds of which nothing was brought are left out."""
        lines: dict[str, Line] = {}
        for each in self.things:
            line = lines.setdefault(each.kind, Line())
            line.brought += 1
            line.taken += each.taken()
            if each.seen is not None:
                times = each.seen()
                line.seen += times > 0
                line.missing += times == 0
                line.doubled += max(0, times - 1)
        return {kind: asdict(lines[kind]) for kind in KINDS if kind in lines}

    def missing(self) -> list[str]:
        """What is not at the other side: kind and key."""
        return [f"{each.kind} {each.key}" for each in self.things if each.seen is not None and not each.seen()]


def in_words(kind: str, line: dict[str, int]) -> Text:
    """One kind's figures for people."""
    return Text(
        f"  {KINDS[kind].vi:<20} đưa {line['brought']}, trục nhận {line['taken']}, bên kia thấy {line['seen']},"
        f" thiếu {line['missing']}, trùng {line['doubled']}",
        f"  {KINDS[kind].en:<20} brought {line['brought']}, taken {line['taken']}, seen {line['seen']},"
        f" missing {line['missing']}, doubled {line['doubled']}",
    )
