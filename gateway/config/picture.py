"""The registry's rows as the core's directory: agencies, systems, certificates, agreements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from gateway.config.rows import Row
from gateway.core.agency_list import AgencyList
from gateway.core.agreement import Agreement, Subscription
from gateway.core.directory import Agency, Directory, Provision, System, read_certificate
from gateway.core.moments import parse_duration
from gateway.core.rate import Rate
from gateway.core.registers import Trust
from gateway.core.retry import RetryPolicy

_EVERYONE: Final = ("*",)
#: Adapters whose far side is a portal, whatever the system's registration leaves out.
_PORTALS: Final = frozenset({"dvcqg"})


def directory_of(rows: Iterable[Row], *, gateway: str, version: int, lists: Iterable[AgencyList] = ()) -> Directory:
    """The directory that rows and lists describe; rows of other kinds are left alone.

    ``gateway`` is the name of the gateway's own system. Raises ValueError or KeyError where a row is not what
    apply would have written.
    """
    rows = tuple(rows)
    agencies = [agency_of(row.body) for row in rows if row.kind == "agency"]
    agreements = [agreement_of(row.body) for row in rows if row.kind == "agreement"]
    trusts = [trust_of(row.key, row.body) for row in rows if row.kind == "item"]
    return Directory(agencies, agreements, gateway=gateway, version=version, lists=lists, trusts=trusts)


def agency_of(body: Mapping[str, Any]) -> Agency:
    """The agency of a registry body."""
    code = body["code"]
    return Agency(
        code=code,
        name=body["name"],
        level=body.get("level", "province"),
        aliases=tuple(body.get("aliases", ())),
        parent=body.get("parent"),
        signatures=body.get("signatures"),
        systems=tuple(_system(code, each) for each in body.get("systems", ())),
        via=body.get("via"),
        closed=date.fromisoformat(body["closed"]) if "closed" in body else None,
        successor=body.get("successor"),
    )


def agreement_of(body: Mapping[str, Any]) -> Agreement:
    """The agreement of a registry body."""
    return Agreement(
        id=body["id"],
        title=body["title"],
        basis=body["basis"],
        purpose=body["purpose"],
        senders=tuple(body["from"]),
        receivers=tuple(body["to"]),
        contracts=tuple(body["contracts"]),
        valid_from=date.fromisoformat(body["valid_from"]),
        valid_until=date.fromisoformat(body["valid_until"]),
        fields={name: tuple(pointers) for name, pointers in body.get("fields", {}).items()},
        cache=parse_duration(body.get("cache", "")) or 0.0,
    )


def trust_of(item: str, body: Mapping[str, Any]) -> Trust:
    """What is decided of a register's item, by its registry body."""
    rejected = {system: str(said["at"])[:10] for system, said in body.get("rejected", {}).items()}
    return Trust(item, body["provider"], frozenset(body.get("waiting", {})), rejected)


def _system(code: str, body: Mapping[str, Any]) -> System:
    return System(
        name=f"{code}/{body['name']}",
        agency=code,
        adapter=body["adapter"],
        sealing=body.get("sealing", "self"),
        key_file=body.get("key"),
        certificates=tuple(read_certificate(pem) for pem in body.get("certificates_pem", ())),
        secret_hash=body.get("secret_hash"),
        webhook_secret_file=body.get("webhook_secret_file"),
        rate=Rate(**body["rate"]) if "rate" in body else None,
        settings=body.get("settings", {}),
        subscriptions={each["contract"]: _subscription(each) for each in body.get("subscriptions", ())},
        provides=tuple(Provision(p["contract"], p["version"], p.get("url", "")) for p in body.get("provides", ())),
        is_portal=body.get("portal", body["adapter"] in _PORTALS),
    )


def _subscription(body: Mapping[str, Any]) -> Subscription:
    passes = body.get("filter", {})
    sources, subjects = tuple(passes.get("source", _EVERYONE)), tuple(passes.get("subject", _EVERYONE))
    return Subscription(
        contract=body["contract"],
        version=body["version"],
        format=body.get("format", "jws"),
        sources=() if "*" in sources else sources,
        subjects=() if "*" in subjects else subjects,
        retry=_retry(body.get("retry", {})),
    )


def _retry(body: Mapping[str, Any]) -> RetryPolicy:
    usual = RetryPolicy()

    def wait(name: str, default: float) -> float:
        seconds = parse_duration(body[name]) if name in body else default
        if seconds is None:
            raise ValueError(f"{body[name]!r} is not a duration")
        return seconds

    return RetryPolicy(
        first=wait("first", usual.first),
        factor=float(body.get("factor", usual.factor)),
        cap=wait("cap", usual.cap),
        deadline=wait("deadline", usual.deadline),
        attempts=body.get("attempts"),
    )
