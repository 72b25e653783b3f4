"""One notice as an e-mail: plain text, Vietnamese first, the same Message-ID however often it is sent. No sockets."""

from __future__ import annotations

import email.policy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from gateway.core.faults import Text
from gateway.core.moments import VIET_NAM

#: What a mailbox may look like here: plain ASCII, so that no server reads it as anything else than one address.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}\Z"
)
_LONGEST_ADDRESS: Final = 254
_LONGEST_SUBJECT: Final = 200
#: Bytes of a line that may go as it is (RFC 5321 lets a line have 998).
_LONGEST_LINE: Final = 900
_BETWEEN: Final = "\n\n----------\n\n"


def address_in(text: str) -> str | None:
    """The mailbox that ``text`` is; None where it is none, or none that every mail server takes."""
    text = text.strip()
    local = text.partition("@")[0]
    is_dotted_badly = local.startswith(".") or local.endswith(".") or ".." in local
    is_one = len(text) <= _LONGEST_ADDRESS and _ADDRESS.match(text) is not None and not is_dotted_badly
    return text if is_one else None


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail to be written: ``delivery`` names it for ever, ``sent_at`` is seconds since 1970."""

    delivery: str
    sender: str
    sender_name: str
    recipients: Sequence[str]
    subject: Text
    body: Text
    sent_at: float
    reply_to: str | None = None

    @property
    def id(self) -> str:
        """The Message-ID: a repeat of the delivery has the same."""
        return f"<{self.delivery}@{self.sender.rpartition('@')[2]}>"

    def written(self, *, is_8bit: bool) -> bytes:
        """The message with lines that end in CR LF; ``is_8bit``: whether the server takes UTF-8 as it is."""
        message = EmailMessage(email.policy.SMTP)
        message["Message-ID"] = self.id
        message["Date"] = format_datetime(datetime.fromtimestamp(self.sent_at, tz=VIET_NAM))
        message["From"] = Address(self.sender_name, addr_spec=self.sender)
        message["To"] = ", ".join(self.recipients)
        if self.reply_to is not None:
            message["Reply-To"] = self.reply_to
        message["Subject"] = " ".join(self.subject.vi.split())[:_LONGEST_SUBJECT]
        # No holiday notice answers it (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = "vi, en"
        text = f"{self.body.vi}{_BETWEEN}{self.body.en}\n"
        fits = is_8bit and all(len(line.encode()) <= _LONGEST_LINE for line in text.splitlines())
        message.set_content(text, charset="utf-8", cte="8bit" if fits else "base64")
        return message.as_bytes()
