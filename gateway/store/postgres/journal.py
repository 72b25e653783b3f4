"""The numbers of the journal's leaves: given without gaps a moment after the commit, in the order of the commits.

A transaction writes its leaves in runs, without numbers. Numbers are given by one gateway at a time, to all runs that
are committed by then and have none, in the order in which they were written. What began after another one's commit was
written later, so it never comes before it; and a run that is not committed yet is not seen, so it leaves no gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.store.postgres import locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.writer import Step

#: Runs that get their numbers in one transaction, at most.
MOST: Final = 2000

_NUMBER: Final = """
WITH last AS (SELECT first + size AS next FROM journal WHERE first IS NOT NULL ORDER BY first DESC LIMIT 1),
fresh AS MATERIALIZED (SELECT seq, size FROM journal WHERE first IS NULL ORDER BY seq LIMIT $1),
numbered AS (SELECT seq, sum(size) OVER (ORDER BY seq) - size AS before FROM fresh)
UPDATE journal j SET first = coalesce((SELECT next FROM last), 1) + n.before FROM numbered n WHERE j.seq = n.seq
"""


async def _number(connection: Connection, askers: Sequence[None]) -> list[bool]:
    tag = await connection.execute(_NUMBER, MOST)
    return [int(tag.rpartition(" ")[2]) == MOST] * len(askers)


#: Number what is committed; says whether there may be more.
NUMBER: Final = Step(_number, locks=lambda _: locks.NUMBERING)

_LEAVES: Final = """
SELECT j.first + o.place - 1, j.kind, o.body
  FROM journal j CROSS JOIN LATERAL unnest(j.bodies) WITH ORDINALITY AS o (body, place)
  WHERE j.first >= coalesce((SELECT first FROM journal WHERE first <= $1 + 1 ORDER BY first DESC LIMIT 1), 1)
    AND j.first <= $1 + $2 AND j.first + o.place - 1 > $1
  ORDER BY 1 LIMIT $2
"""


async def leaves(connection: Connection, after: int, limit: int) -> list[tuple[int, str, bytes]]:
    """Leaves of the journal after a number."""
    return [(number, kind, body) for number, kind, body in await connection.fetch(_LEAVES, after, limit)]
