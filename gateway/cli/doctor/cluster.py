"""Checks of a cluster's database: the server, what it keeps and what waits in it; and of the files beside it."""

from __future__ import annotations

from contextlib import closing

from gateway.cli.doctor.lists import on_lists
from gateway.cli.doctor.province import RECENT, of_mistakes, signers_of
from gateway.cli.doctor.store import Kept, on_backlog, on_spool
from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding, on_commit, on_last_rows, on_schema, on_skew
from gateway.core.faults import Busy, Misconfigured, Text
from gateway.core.server_diagnosis import (
    on_connections,
    on_distant_disk,
    on_durability,
    on_move,
    on_processes,
    on_standby,
    on_version,
)


def on_cluster(settings: Settings, now: float) -> Kept:
    """Everything about database and files, without changing a row (but for the proof that one can be written)."""
    from gateway.compose import examined as looking

    kept = Kept()
    try:
        url = settings.store_whereabouts()
        shown = looking.place_of(url)
        with closing(looking.open_for_looking(url)) as connection:
            is_open = _on_server(settings, kept, connection, shown, now)
            if not is_open:
                return kept
            kept.version, kept.rows = looking.registered(connection)
            kept.findings += on_lists(settings, *looking.agency_lists(connection), now)
            kept.signers = frozenset(signers_of(looking.recent_envelopes(connection, RECENT)))
            kept.findings.append(on_last_rows(shown, now, looking.newest(connection)))
            kept.findings += on_backlog(looking.waiting(connection), now)
            spooled, kept.spool_bytes = on_spool(settings, looking.held_files(connection))
            kept.findings += spooled
        kept.findings.append(on_commit(shown, looking.write_once(url)))
    except Misconfigured as fault:
        kept.findings += of_mistakes("database", fault)
    except Busy as fault:
        do = Text("Chạy lại sau ít giây.", "Run this again in a few seconds.")
        kept.findings.append(Finding("database", "error", looking.place_of(settings.store_url), fault.detail, do))
    return kept


def _on_server(settings: Settings, kept: Kept, connection: object, shown: str, now: float) -> bool:
    """What the server says; whether a ledger is in it that this program can read."""
    from gateway.compose import examined as looking

    assert isinstance(connection, looking.Looking)  # noqa: S101 - told to the type checker
    told = looking.server(connection)
    found = looking.shape(connection)
    kept.findings += [
        on_version(shown, told.version, looking.OLDEST),
        *on_standby(shown, is_standby=told.is_standby),
        *on_durability(shown, told.settings),
        on_connections(shown, told.settings, told.connections, settings.pool * settings.workers),
        on_processes(shown, told.processes),
        on_distant_disk(shown, found.size),
        on_skew(shown, now, told.clock),
    ]
    if found.schema == 0:
        what = Text("Cơ sở dữ liệu còn trống", "The database is empty")
        do = Text(
            "Tỉnh mới: chạy lgsp apply. Chuyển từ SQLite sang: lgsp migrate-store.",
            "A new province: run lgsp apply. Coming from SQLite: lgsp migrate-store.",
        )
        kept.findings.append(Finding("database", "warning", shown, what, do))
        return False
    kept.findings.append(on_schema(shown, found.schema, found.known))
    kept.findings += on_move(shown, looking.moving(connection))
    return found.schema == found.known
