"""``make chaos``: rounds of chaos by a seed, told as they happen; the exit status says whether all went well."""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.plan import drawn
from tests.chaos.siege import GATEWAYS, besieged

#: Letters of a verdict, at most.
_MOST = 6_000


def main() -> int:
    """Play the rounds that were asked for; 0 where all of them were withstood."""
    asked = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    asked.add_argument("--seed", default=secrets.token_hex(4), help="what everything is drawn from")
    asked.add_argument("--messages", type=int, default=3000, help="numbered messages of a round")
    asked.add_argument("--strokes", type=int, default=30, help="faults of a round, some of them in pairs")
    asked.add_argument("--rounds", type=int, default=1)
    wanted = asked.parse_args()
    folder, broken = Path(tempfile.mkdtemp(prefix="lgsp-chaos-")), 0
    with besieged(folder) as siege:
        for number in range(1, wanted.rounds + 1):
            seed = wanted.seed if wanted.rounds == 1 else f"{wanted.seed}.{number}"
            plan = drawn(random.Random(seed), wanted.strokes, GATEWAYS)
            tell(f"round {number} of {wanted.rounds}: seed {seed}, {wanted.messages} messages, {GATEWAYS} gateways")
            played = asyncio.run(siege.withstand(folder / str(number), seed, plan, wanted.messages, tell))
            broken += len(played.broken)
            tell(str(played)[:_MOST] if played.broken else f"          seed {seed}: every promise was kept")
    if broken:
        tell(f"The gateways' folders and logs are left in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if broken else 0


def tell(line: str) -> None:
    """A line of the story, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
