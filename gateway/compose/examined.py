"""Looking at a cluster's database from outside any gateway: what doctor and bench ask of it."""

from gateway.store.postgres.connection import place_of
from gateway.store.postgres.examination import (
    OLDEST,
    Looking,
    Server,
    Shape,
    Waiting,
    agency_lists,
    held_files,
    known_steps,
    moving,
    newest,
    open_for_looking,
    recent_envelopes,
    registered,
    server,
    shape,
    waiting,
    write_once,
)

__all__ = [
    "OLDEST",
    "Looking",
    "Server",
    "Shape",
    "Waiting",
    "agency_lists",
    "held_files",
    "known_steps",
    "moving",
    "newest",
    "open_for_looking",
    "place_of",
    "recent_envelopes",
    "registered",
    "server",
    "shape",
    "waiting",
    "write_once",
]
