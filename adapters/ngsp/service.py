"""One service of the national axis as a system of the province uses it: its operations, where and as whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from gateway.calls.address import check_url
from gateway.calls.asking import Place, Said
from gateway.calls.caller import Caller
from gateway.calls.profiles import check_account, open_profile
from gateway.core.faults import Misconfigured, Text
from gateway.core.operation import Operation
from gateway.core.verdict import Sign, signs_in
from gateway.ports import AdapterContext

Use = Literal["ask", "pull", "push"]
_MAY_LACK: Final = frozenset({"errors", "rules", "tables", "dates", "numbers"})
_PROFILES_WITHOUT_ACCOUNT: Final = frozenset({"none"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One operation with what it is for. ``pull``: the description's own words on windows."""

    name: str
    use: Use
    contract: str
    #: Of an ask: the contract of its answer.
    answer: str
    version: str
    when: tuple[Sign, ...]
    operation: Operation
    pull: Mapping[str, Any]
    #: About a person: nobody is asked without a dossier and an officer.
    is_personal: bool

    def suits(self, contract: str, data: Any) -> bool:
        """Whether this operation is the one for such data."""
        return contract == self.contract and all(sign.holds(200, data) for sign in self.when)


class Service:
    """A service in use. Every method raises what the adapters' port lets ``deliver`` and ``ask`` raise."""

    def __init__(self, name: str, described: Mapping[str, Any], context: AdapterContext) -> None:
        """``described`` passed its schema; raises Misconfigured naming the file, or the settings."""
        settings = context.settings
        own: Mapping[str, Any] = settings["services"][name]
        where = f"{context.system.name}: settings"
        self.name = name
        self.values: Mapping[str, Any] = own.get("values", {})
        self.offers, account = judged(name, described, settings, where)
        profile = open_profile(
            account,
            read_secret=context.read_secret,
            now=context.now,
            caller_of=_calling(context, float(own.get("timeout", settings.get("timeout", 15)))),
            where=f"{where}.accounts.{own.get('account', name)}",
        )
        #: What every path is joined to.
        self.address = str(own.get("url", settings["url"])).rstrip("/")
        caller = _calling(context, float(own.get("timeout", settings.get("timeout", 15))))(self.address)
        #: Header fields of every call.
        self.fields: Mapping[str, str] = {str(key): str(value) for key, value in own.get("fields", {}).items()}
        self._place = Place(caller, profile, context.now, self.fields)

    async def said(
        self, offer: Offer, record: Mapping[str, Any], *, officer: str = "", delivery: str = "",
        within: float | None = None,
    ) -> Said:  # fmt: skip
        """What the service says to a record {data, query | parcel | window}."""
        whole = {**record, "values": self.values}
        return await self._place.said(offer.operation, whole, officer=officer, delivery=delivery, within=within)

    async def close(self) -> None:
        """Close the kept connections."""
        await self._place.caller.close()
        await self._place.profile.close()


def judged(
    name: str, described: Mapping[str, Any], settings: Mapping[str, Any], where: str
) -> tuple[tuple[Offer, ...], Mapping[str, Any]]:
    """The operations of a service and its account; raises Misconfigured naming the description's key or the setting.

    ``described`` has passed its schema; ``where`` names the settings.
    """
    own: Mapping[str, Any] = settings["services"][name]
    check_url(str(own.get("url", settings["url"])), f"{where}.services.{name}.url")
    account = _account(name, described, settings, own, f"{where}.services.{name}")
    check_account(account, f"{where}.accounts.{own.get('account', name)}")
    return _offers(name, described, own, f"{where}.services.{name}"), account


def _offers(name: str, described: Mapping[str, Any], own: Mapping[str, Any], where: str) -> tuple[Offer, ...]:
    tables = {key: dict(value) for key, value in described.get("tables", {}).items()}
    for key, value in own.get("tables", {}).items():
        tables[key] = {**tables.get(key, {}), **value}
    given = own.get("names", {})
    if unknown := sorted(set(given) - set(described.get("names", {}))):
        raise Misconfigured(
            f"{where}.names.{unknown[0]}",
            Text("Mô tả không để ngỏ tên này", "The description leaves no such name open"),
            Text("Xem mục names của tệp mô tả.", "See names in the description."),
        )
    paths: Mapping[str, str] = own.get("paths", {})
    names = [str(each["name"]) for each in described["operations"]]
    if unknown := sorted(set(paths) - set(names)):
        raise Misconfigured(
            f"{where}.paths.{unknown[0]}",
            Text("Dịch vụ không có lời gọi này", "The service has no such operation"),
            Text(f"Chọn trong: {', '.join(names)}.", f"Choose among: {', '.join(names)}."),
        )
    found: list[Offer] = []
    for number, each in enumerate(described["operations"]):
        file = f"services/{name}#/operations/{number}"
        raw = filled(each, given)
        if raw is None:
            # A name of the wire that no document tells, like a path below: who is not told it cannot use it.
            continue
        operation = Operation.parse(raw, file, tables)
        path = paths.get(str(raw["name"]), operation.path)
        if not path:
            continue
        made = replace(operation, path=path)
        found.append(
            Offer(
                str(raw["name"]),
                raw["use"],
                str(raw.get("contract", "")),
                str(raw.get("answer", "")),
                str(raw.get("version", "")),
                signs_in(raw.get("when", ()), f"{file}/when"),
                made,
                raw.get("pull", {}),
                bool(raw.get("personal", described.get("personal", True))),
            )
        )
    if not found:
        raise Misconfigured(
            f"{where}.paths",
            Text("Thiếu đường dẫn hoặc tên của dịch vụ này", "Paths or names of this service are missing"),
            Text(
                "Hỏi đơn vị vận hành trục quốc gia rồi ghi paths, names (xem tệp mô tả) cho ít nhất một trong:"
                f" {', '.join(names)}.",
                "Ask the operator of the national axis, and set paths and names (see the description) for at least one"
                f" of: {', '.join(names)}.",
            ),
        )
    return tuple(found)


def filled(raw: Any, given: Mapping[str, Any], *, may_lack: bool = False) -> Any:
    """``raw`` with its open names (``$name``) filled in; None where one that it needs is not given.

    An error, rule, table or date that needs one is left out; what tells a success must be known wholly.
    """
    if isinstance(raw, str) and raw.startswith("$"):
        return given.get(raw[1:])
    if isinstance(raw, list):
        items = [filled(each, given) for each in raw]
        known = [each for each in items if each is not None]
        return known if may_lack or len(known) == len(items) else None
    if isinstance(raw, Mapping):
        made = {name: filled(each, given, may_lack=name in _MAY_LACK) for name, each in raw.items()}
        return None if any(value is None for value in made.values()) else made
    return raw


def _account(
    name: str, described: Mapping[str, Any], settings: Mapping[str, Any], own: Mapping[str, Any], where: str
) -> Mapping[str, Any]:
    wanted = str(own.get("account", name))
    account: Mapping[str, Any] | None = settings.get("accounts", {}).get(wanted)
    if account is not None:
        return account
    if described["profile"] in _PROFILES_WITHOUT_ACCOUNT and "account" not in own:
        return {"profile": described["profile"]}
    raise Misconfigured(
        f"{where}.account",
        Text(f"Không có tài khoản {wanted} trong accounts", f"There is no account {wanted} in accounts"),
        Text(
            f"Thêm tài khoản (thường là kiểu {described['profile']}).",
            f"Add the account (as a rule of the profile {described['profile']}).",
        ),
    )


def _calling(context: AdapterContext, timeout: float) -> Callable[[str], Caller]:
    def caller_of(base: str) -> Caller:
        return Caller(
            check_url(base, f"{context.system.name}: settings"),
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(context.settings.get("private", True)),
            timeout=timeout,
        )

    return caller_of


def offers_for(services: Sequence[Service], use: Use) -> list[tuple[Service, Offer]]:
    """Every operation of a use; those for certain values first, else in the order of the settings."""
    found = [(service, offer) for service in services for offer in service.offers if offer.use == use]
    return sorted(found, key=lambda each: -sum(sign.values is not None for sign in each[1].when))
