"""What one exchange with an agency's software would be, for whoever sets it up: nothing was sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.faults import Text


@dataclass(frozen=True, slots=True)
class Sketch:
    """What would go out or come of a sample; no secret stands in it.

    ``part``: which part of the adapter speaks. ``request``: ``method``, ``address``, ``fields``, ``body`` (text) of
    what would go out. ``said``: what would come of a sample: ``type``, ``version``, ``subject`` and ``data`` of each
    message or answer. ``troubles``: why something would not.
    """

    part: str
    request: Mapping[str, Any] | None = None
    said: Sequence[Mapping[str, Any]] = ()
    troubles: Sequence[Text] = ()
