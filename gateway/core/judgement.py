"""Judging one message at the door: every check of the interface, in its order; the first failure answers.

The judge knows the directory and the catalog of this moment and nothing else: whether the id is taken and
whether files are held is the ledger's to say, in the transaction that keeps the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.core import jws, query
from gateway.core.contract import Catalog, Contract, is_gateways_own
from gateway.core.directory import Certificate, Directory, System
from gateway.core.envelope import (
    Event,
    Opened,
    check_attributes,
    check_window,
    digest_of,
    open_envelope,
    payload_digest,
    refuse_gateway_attributes,
)
from gateway.core.faults import Fault, Rejected, Text
from gateway.core.fileref import files_named
from gateway.core.moments import day_of
from gateway.core.registers import item_of, refuse_second
from gateway.core.routing import Route, route


class Judged(NamedTuple):
    """What the judge found: the source and event as far as they are known, the routes, or the fault.

    A fault with a ``source`` and an ``event`` came after the attributes: a repeat of a known message is
    answered before it. One with a ``source`` alone came after the signature: ``source`` is a system whose key
    signed, whatever the event claims. ``repeat_digest`` is the hex SHA-256 of the payload bytes.
    """

    source: System | None = None
    event: Event | None = None
    contract: Contract | None = None
    repeat_digest: str = ""
    routes: tuple[Route, ...] = ()
    files: tuple[str, ...] = ()
    #: The message is sound but its ``expirytime`` has passed (checked last, after files).
    is_expired: bool = False
    fault: Fault | None = None
    #: Of a query: what may be asked.
    question: query.Question | None = None
    #: The item of a register that it tells of, where nobody is trusted with it yet.
    unclaimed: str | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """The checks, with the pictures of the registry and the contracts they are made against."""

    directory: Directory
    catalog: Catalog

    def sealed(self, raw: bytes, now: float) -> Judged:
        """Judge an envelope as it came in. Never raises a Fault: it is in the answer."""
        return self._judged(raw, now, self._routed)

    def asked(self, raw: bytes, now: float) -> Judged:
        """Judge the envelope of a query as it came in, like a message but for its door: see ``gateway.core.query``.

        Whether the id was answered before is the log's to say.
        """

        def may_be_asked(source: System, event: Event, digest: str, now: float, _: bytes) -> Judged:
            query.check_freshness(event, now)
            _refuse_secrets(event.data)
            contract, answer = query.conforming(event, self.catalog)
            found = query.question(
                event, source, contract, answer, self.directory, day=day_of(now), digest=digest_of(raw)
            )
            if event.expirytime is not None and event.expirytime <= now:
                raise expired_fault()
            return Judged(source, event, contract, digest, question=found)

        return self._judged(raw, now, may_be_asked)

    def _judged(
        self, raw: bytes, now: float, rest: Callable[[System, Event, str, float, bytes], Judged]
    ) -> Judged:  # fmt: skip
        """What every door checks, in its order, and then the ``rest``."""
        source: System | None = None
        event: Event | None = None
        digest = ""
        try:
            opened = open_envelope(raw)
            certificate, owners = self._signer(opened)
            source = self.directory.systems[min(owners)]
            source = self._owner(opened.claimed_source, certificate, owners, now)
            refuse_gateway_attributes(opened.event)
            event = self._event(opened.event)
            payload = opened.signature.payload
            digest = payload_digest(payload)
            return rest(source, event, digest, now, payload)
        except Fault as fault:
            return Judged(source, event, repeat_digest=digest, fault=fault)

    def unsigned(self, system: System, event: Mapping[str, Any], posted_digest: str, now: float) -> Judged:
        """Judge an event for which the bus will sign; ``event`` already carries ``sealedby``."""
        try:
            checked = self._event(event)
        except Fault as fault:
            return Judged(system, fault=fault)
        try:
            return self._routed(system, checked, posted_digest, now)
        except Fault as fault:
            return Judged(system, checked, repeat_digest=posted_digest, fault=fault)

    def _signer(self, opened: Opened) -> tuple[Certificate, frozenset[str]]:
        """Signer, algorithm, signature, in this order: from here on it is known whose key signed."""
        header = opened.signature.header
        known = self.directory.signer(header.thumbprint or "")
        if known is None:
            raise Rejected(
                "unknown-signer",
                Text(
                    "Chứng thư ký chưa được đăng ký với trục. Bên gửi liên hệ đơn vị vận hành để đăng ký chứng thư.",
                    "No such certificate is registered. The sender must have its certificate registered.",
                ),
            )
        certificate, owners = known
        if not jws.fits(header.alg, certificate.key):
            raise Rejected(
                "malformed-envelope",
                Text(
                    f"Thuật toán {header.alg} không hợp với khoá của chứng thư. Bên gửi phải ký lại đúng thuật toán.",
                    f"The algorithm {header.alg} does not fit the certificate's key. The sender must sign again.",
                ),
            )
        if not jws.verify(certificate.key, opened.signature):
            raise Rejected(
                "bad-signature",
                Text(
                    "Chữ ký không khớp với nội dung. Bên gửi kiểm tra khoá ký và không sửa nội dung sau khi ký.",
                    "The signature does not fit the content. The sender must check its key and sign last.",
                ),
            )
        return certificate, owners

    def _owner(self, claimed: str | None, certificate: Certificate, owners: frozenset[str], now: float) -> System:
        """The system that signed; where ``source`` cannot be read, any owner: its attributes are refused next."""
        if not certificate.is_in_force(now):
            raise Rejected(
                "untrusted-certificate",
                Text(
                    "Chứng thư ký chưa đến hạn hoặc đã hết hạn. Bên gửi đăng ký chứng thư còn hiệu lực.",
                    "The certificate is outside its dates. The sender must register one that is in force.",
                ),
            )
        if claimed is None:
            return self.directory.systems[min(owners)]
        system = self.directory.system(claimed)
        if system is None or system.name not in owners:
            raise Rejected(
                "untrusted-certificate",
                Text(
                    "Chứng thư ký không phải của hệ thống ghi ở source. Bên gửi ký bằng khoá của chính hệ thống đó.",
                    "The certificate is not registered to the system in source. The sender must sign with its own key.",
                ),
            )
        return system

    def _event(self, members: Mapping[str, Any]) -> Event:
        directory = self.directory
        return check_attributes(members, gateway=directory.gateway, gateway_names=directory.gateway_names())

    def _routed(
        self, source: System, event: Event, repeat_digest: str, now: float, written: bytes | None = None
    ) -> Judged:
        check_window(event, now)
        _refuse_secrets(event.data)
        contract = self._conforming(event)
        routes = route(event, source, contract, self.directory, day_of(now))
        item = item_of(contract, event.data)
        trust = None if item is None else self.directory.trusts.get(item)
        if trust is not None:
            refuse_second(trust, source.name)
        expired = event.expirytime is not None and event.expirytime <= now
        files = files_named(event.data, written)
        unclaimed = item if trust is None else None
        return Judged(source, event, contract, repeat_digest, routes, files, expired, unclaimed=unclaimed)

    def _conforming(self, event: Event) -> Contract:
        contract = self.catalog.contract(event.type)
        version = self.catalog.find(event.type, event.version)
        if (
            contract is None
            or version is None
            or version.state == "retired"
            or contract.kind != "message"
            or is_gateways_own(event.type)
        ):
            raise Rejected(
                "unknown-contract",
                Text(
                    f"Trục không nhận hợp đồng {event.type}/{event.version} qua cửa này."
                    " Bên gửi xem danh sách tại /v1/contracts.",
                    f"The contract {event.type}/{event.version} is not taken at this door."
                    " The sender finds the list at /v1/contracts.",
                ),
            )
        violations = version.check(event.data)
        if violations:
            raise Rejected(
                "contract-violation",
                Text(
                    f"Dữ liệu trái với hợp đồng {event.type}/{event.version} ở {len(violations)} chỗ."
                    " Bên gửi sửa các chỗ nêu trong violations.",
                    f"The data breaks the contract {event.type}/{event.version} in {len(violations)} places."
                    " The sender must mend what violations lists.",
                ),
                violations=violations,
            )
        return contract


def expired_fault() -> Rejected:
    """The fault for a message whose ``expirytime`` has passed when it arrives."""
    return Rejected(
        "expired",
        Text(
            "Thời hạn expirytime đã qua trước khi trục nhận. Bên gửi đặt thời hạn mới nếu vẫn cần gửi.",
            "expirytime passed before the bus took the message. The sender must set a new one if it still matters.",
        ),
    )


def _refuse_secrets(data: object) -> None:
    """State-secret levels stay off the network by law, so on the mark alone and before anything is kept."""
    if isinstance(data, dict) and "confidentiality" in data and data["confidentiality"] != "none":
        raise Rejected(
            "secret-content",
            Text(
                "Văn bản mang dấu độ mật: pháp luật về bảo vệ bí mật nhà nước không cho gửi qua mạng này."
                " Bên gửi chuyển theo đường văn bản mật.",
                "The document is marked secret: the law on state secrets keeps it off this network."
                " The sender must use the channel for secret documents.",
            ),
        )
