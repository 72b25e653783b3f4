"""Software that writes edXML, each with its own habits: one message in, its bytes out, and what is to be read of them.

Written from the facts known of each (never from a copy of its files), and apart from the product's own writer, so that
both sides of a round trip are not the same hand. ``WRITERS`` has them all by name.
"""

from __future__ import annotations

from typing import Final

from tests.vendors.first import FIRST_GENERATION
from tests.vendors.makers import MAKERS
from tests.vendors.paper import Writer

WRITERS: Final[dict[str, Writer]] = {**MAKERS, **FIRST_GENERATION}
