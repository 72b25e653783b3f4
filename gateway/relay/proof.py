"""The recipient's own receipt: checked and kept beside the delivery; a wrong one is an alert, never a loss."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.core import jws
from gateway.core.delivery import Delivery
from gateway.core.directory import Directory, System
from gateway.core.envelope import without_line_end
from gateway.core.moments import parse_moment
from gateway.core.receipt import TYP
from gateway.core.strictjson import StrictJsonError, parse_strict

MAX_PROOF: Final = 64 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Proofs:
    """Checks a compact JWS that came back with a 2xx answer or a ``taken``."""

    directory: Callable[[], Directory]
    now: Callable[[], float]

    def checked(
        self, proof: bytes | None, system: System, delivery: Delivery, ids: Collection[str], body_digest: str
    ) -> bytes | None:
        """The proof where it holds; None, with an alert in the log, where it does not or none came.

        ``ids`` are the original's id and, of a translation, its own: the recipient may have seen either.
        ``body_digest`` is the ``sha-256:HEX`` of the body as handed over.
        """
        if not proof:
            return None
        proof = without_line_end(proof)
        wrong = self._wrong(proof, system, ids, body_digest)
        if wrong is None:
            return proof
        log.warning("receipt.wrong", agency=system.name, delivery_id=delivery.id, reason=wrong)
        return None

    def _wrong(self, proof: bytes, system: System, ids: Collection[str], body_digest: str) -> str | None:
        if len(proof) > MAX_PROOF:
            return "over 64 KiB"
        try:
            signature = jws.split(proof)
            payload = parse_strict(signature.payload)
        except (jws.NotAJws, StrictJsonError) as error:
            return str(error)
        return self._untrusted(signature, system) or self._untrue(payload, system, ids, body_digest)

    def _untrusted(self, signature: jws.Compact, system: System) -> str | None:
        header = signature.header
        known = self.directory().signer(header.thumbprint or "")
        if header.typ != TYP:
            return "typ is not receipt+jws"
        if known is None or system.name not in known[1] or not known[0].is_in_force(self.now()):
            return "not signed with a registered key of the recipient that is in force"
        if not jws.fits(header.alg, known[0].key) or not jws.verify(known[0].key, signature):
            return "the signature does not verify"
        return None

    def _untrue(self, payload: object, system: System, ids: Collection[str], body_digest: str) -> str | None:
        if not isinstance(payload, dict) or payload.get("receipt") != "taken":
            return "not a receipt of kind taken"
        if str(payload.get("id", "")).lower() not in {id_.lower() for id_ in ids}:
            return "speaks of another message"
        if payload.get("digest") != body_digest:
            return "speaks of another body"
        at = payload.get("at")
        if not isinstance(at, str) or parse_moment(at) is None:
            return "does not say when"
        recipient = payload.get("recipient")
        named = self.directory().system(recipient) if isinstance(recipient, str) else None
        return None if named is not None and named.name == system.name else "names another recipient"
