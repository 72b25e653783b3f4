"""What one message says of a dossier: its line in the register, written with the message or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

#: Contract ``dossier.X`` is the kind ``X``; ``signing.X``, ``payment.X`` and ``post.X`` are ``signing-X`` and so on.
EventKind = Literal[
    "registered", "forwarded", "progressed", "supplement-requested", "supplemented", "result-issued", "returned",
    "withdrawn", "signing-requested", "signing-completed", "payment-notified", "payment-refunded", "post-ordered",
    "post-tracked",
]  # fmt: skip

#: What the national portal says of a dossier's status; see ``gateway.core.dossiers.statuses``.
FILED: Final = 1


@dataclass(frozen=True, slots=True)
class Hop:
    """A dossier handed on from one agency to another (``dossier.forwarded``): ``number`` counts from 1.

    ``due``: when the receiving agency has to be done (seconds since 1970); None where nobody said.
    """

    number: int
    from_agency: str
    to_agency: str
    due: float | None = None
    #: The code under which the receiving agency works on it, where that is another (as compared).
    child: str = ""


@dataclass(frozen=True, slots=True)
class DossierEvent:
    """A line of the register of dossiers. Moments are seconds since 1970.

    ``code``: the dossier's code as compared (``gateway.core.dossiers.code.compared``), ``written`` as its sender wrote
    it. ``agency``: whose system sent it; ``recipients``: the agencies it went to; all canonical codes of the directory.
    ``status``: 1 to 10 where the event says one. ``said_at``: when it happened, as its data say; ``sent_at``: the
    envelope's time. ``due``: the due date that it sets. ``reference``: its own id within the dossier where it has one:
    of a supplement, a payment notice, a postal order, a request to sign. ``parent``: the dossier that this one belongs
    to.
    """

    kind: EventKind
    code: str
    written: str
    agency: str
    recipients: tuple[str, ...]
    said_at: float
    sent_at: float
    status: int | None = None
    due: float | None = None
    reference: str = ""
    procedure: str = ""
    parent: str = ""
    hop: Hop | None = None
    #: Where it was filed (``direct``, ``online``, ``post``), where a registration says so.
    channel: str = ""
    #: Whether it brings a result: a status 9 without one is a mere word.
    has_result: bool = False
    #: Of a registration: when the one-stop received the dossier, when its result was there, and the agency that
    #: received it or to which it was filed; what its data say of them.
    received_at: float | None = None
    finished_at: float | None = None
    addressee: str = ""
    #: The agency that the code names (canonical): the one that made it. Empty where the code is in no official form.
    code_agency: str = ""
    #: Whether the province registered the system that sent it as a portal: no message can say that of itself.
    is_portal: bool = False
    #: Short digests of what people read of a step: its content, its officer; each empty where it says none.
    content: str = ""
    officer: str = ""

    @property
    def words(self) -> tuple[str, str]:
        """What tells two steps of one second apart."""
        return self.content, self.officer


@dataclass(frozen=True, slots=True)
class Told:
    """A line as it was kept: ``place`` grows in order of acceptance, ``message`` is its key, ``source`` the system."""

    place: int
    message: str
    source: str
    accepted_at: float
    event: DossierEvent
