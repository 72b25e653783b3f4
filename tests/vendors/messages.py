"""Messages of any content, as strategies: what each vendor's software is given to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from gateway.core.content import InMemory
from gateway.core.edxml.attachments import detect
from gateway.core.edxml.values import Attachment, DocumentMessage, StatusMessage
from tests.core.test_edxml_write import documents as any_documents
from tests.core.test_edxml_write import reports as any_reports

_CONTENTS: Final = st.binary(min_size=1, max_size=300).filter(lambda content: not content.startswith(b"PK"))


def _filled(message: DocumentMessage, contents: list[bytes]) -> DocumentMessage:
    """With something in every file: an empty one is written by no vendor."""
    attachments = tuple(
        Attachment(one.content_id, one.name, InMemory(content), one.description, None, detect(content, one.name))
        for one, content in zip(message.attachments, contents, strict=False)
    )
    return replace(message, attachments=attachments, extra=())


documents: st.SearchStrategy[DocumentMessage] = st.builds(
    _filled, any_documents, st.lists(_CONTENTS, min_size=3, max_size=3)
)
reports: st.SearchStrategy[StatusMessage] = any_reports.map(lambda message: replace(message, extra=()))
