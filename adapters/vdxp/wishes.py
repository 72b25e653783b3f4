"""The settings of one connection to the axis, as values: what the kit's description leaves open stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from adapters.vdxp.signing import Wording
from gateway.core.codes import form_of, is_text_match

_MEBIBYTE: Final = 1 << 20
#: How sure the adapter wants to be that a document it sent without an answer has arrived.
Check = Literal["copy", "list", "none"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """See settings.schema.json for what each means; times in seconds, sizes in bytes."""

    url: str
    system_id: str
    secret_file: str
    is_declared: bool
    is_newer_kit: bool
    names_recipients: bool
    names_delivery: bool
    centre: str
    from_centre: bool
    ours: tuple[str, ...]
    poll: float
    days: int
    page_size: int
    first_page: int
    doc_id_key: str
    describes_status: bool
    wording: Wording
    tells_refusals: bool
    check: Check
    ask_after: float
    private: bool
    timeout: float
    file_timeout: float
    largest: int

    def is_ours(self, code: str) -> bool:
        """Whether items for this agency are the province's; without a list, whatever the axis gives us is."""
        return not self.ours or any(is_text_match(pattern, code) for pattern in self.ours)

    def is_centre(self, code: str) -> bool:
        """Whether a code is a connected system's instead of an agency's."""
        return code in {self.system_id, self.centre} or form_of(code) == "centre" or code.endswith(".W00")


def wishes_of(settings: Mapping[str, Any]) -> Wishes:
    """The settings, which have passed the schema beside this file."""

    def of(name: str, otherwise: Any = None) -> Any:
        return settings.get(name, otherwise)

    return Wishes(
        url=str(settings["url"]) + str(of("path_prefix", "")),
        system_id=str(settings["system_id"]),
        secret_file=str(settings["secret_file"]),
        is_declared=of("confidentiality", "") == "none",
        is_newer_kit=of("kit", "2.0.0") == "2.0.1",
        names_recipients=of("to_header") is not False,
        names_delivery=of("delivery_header") is not False,
        centre=str(of("centre", "")),
        from_centre=of("from", "agency") == "centre",
        ours=tuple(of("ours", ())),
        poll=float(of("poll_seconds", 30)),
        days=int(of("days", 0)),
        page_size=int(of("page_size", 0)),
        first_page=int(of("first_page", 1)),
        doc_id_key=str(of("doc_id_key", "docId")),
        describes_status=of("describes_status") is True,
        wording=of("wording", "percent"),
        tells_refusals=of("tells_refusals") is not False,
        check=of("resend_check", "copy"),
        ask_after=float(of("ask_after", 60)),
        private=of("private") is not False,
        timeout=float(of("timeout", 15)),
        file_timeout=float(of("file_timeout", 60)),
        largest=int(of("max_mebibytes", 64)) * _MEBIBYTE,
    )
