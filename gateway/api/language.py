"""In which of the two languages to answer: Accept-Language (RFC 9110, 12.5.4), Vietnamese by default."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from aiohttp import hdrs, web

Language = Literal["vi", "en"]

_QUALITY: Final = re.compile(r"[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")
_LONGEST: Final = 1024


@lru_cache(maxsize=512)
def preferred(header: str) -> Language:
    """The language ``header`` likes best; of two liked the same, the one named first. Anything else: Vietnamese."""
    best: tuple[float, Language] = (0.0, "vi")
    for part in header[:_LONGEST].split(","):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            found = _QUALITY.match(parameter)
            quality = float(found.group(1)) if found else 0.0
        main = tag.lower().partition("-")[0]
        if main in ("vi", "*"):
            best = max(best, (quality, "vi"), key=lambda each: each[0])
        elif main == "en":
            best = max(best, (quality, "en"), key=lambda each: each[0])
    return best[1]


def language_of(request: web.BaseRequest) -> Language:
    """The language in which to answer ``request``."""
    header = request.headers.get(hdrs.ACCEPT_LANGUAGE)
    return "vi" if header is None else preferred(header)
