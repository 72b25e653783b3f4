"""A one-stop system that speaks the national portal's client side: the bus is its portal, at one address of its own.

It calls the bus (``desk.py``) and is called by the bus (``outward.py``). Which wire member means what stands in
``wire/*.json``; which event an item is, in ``meaning.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from adapters.onestop.codes import province_of
from adapters.onestop.desk import Account, Desk, Paths
from adapters.onestop.files import Bounds, Fetch
from adapters.onestop.item import Reader, Terms
from adapters.onestop.outward import WAYS, Way, Writer, body_of, kind_of
from adapters.onestop.success import Predicate
from adapters.onestop.wire import Wire
from gateway.calls.account import check_long_enough, secret_in, succeeded
from gateway.calls.address import check_url
from gateway.calls.caller import Caller
from gateway.calls.gate import Gate
from gateway.calls.hosts import Hosts
from gateway.core.faults import Misconfigured, NotYet, PermanentFailure, Text, TimedOut, TransientFailure
from gateway.core.moments import parse_moment
from gateway.ports import AdapterContext, Call, Collected, HandedOver, Parcel, Reply, Take, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = False
ANSWERS: Final = True
_MEBIBYTE: Final = 1 << 20
#: What brings a dossier: where one is there already under its code at the first try, somebody must compare the two.
_BRINGING: Final = frozenset({"dossier.registered", "dossier.forwarded"})

#: When a dossier that was not there is told of again (seconds).
_LOOK_AGAIN: Final = 300.0
#: So often a no without a reason may be an outage.
_ENOUGH: Final = 3
_STILL_NO: Final = (
    "phần mềm một cửa vẫn không nhận thông điệp về hồ sơ này: bộ phận một cửa kiểm tra hồ sơ có ở phần mềm không, rồi"
    " đơn vị vận hành trục phát lại (lgsp replay) - the one-stop software still does not take what is said of this"
    " dossier: its office must see whether it has the dossier, then the operator of the bus replays this message"
)


class OneStop:
    """One one-stop system."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file."""
        settings = context.settings
        where = f"{context.system.name}: settings"
        self._context = context
        self.gate = Gate.if_set(settings, context.read_secret, where)
        _check(settings, where, has_gate=self.gate is not None)
        if "password_file" in settings:
            check_long_enough(str(settings["password_file"]), context.read_secret, f"{where}.password_file")
        wire = Wire()
        self._desk = _desk(context, wire)
        self._writer = Writer(wire, link=context.link, known=context.dossier, agency=context.system.agency)
        self._ways = {**WAYS, **{kind: Way(**way) for kind, way in settings.get("calls", {}).items()}}
        self._patience = float(settings.get("unknown_hours", 24)) * 3600
        self._predicate = Predicate.of(settings.get("success", {}))
        self._caller = Caller(
            str(settings.get("url", "http://localhost:9")),
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(settings.get("private", True)),
            timeout=float(settings.get("timeout", 30)),
        )

    async def answer(self, call: Call, take: Take) -> Reply:
        """Answer one call of the software; raises Rejected ``unauthenticated`` where the gate does not let it in."""
        if self.gate is not None:
            self.gate.check(call)
        return await self._desk.answer(call, take)

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Post one message to the software's own address."""
        if parcel.event.get("source") == parcel.recipient.name:
            return HandedOver(reference="it came from there")
        kind = kind_of(parcel.event)
        way = self._ways.get(kind)
        if way is None:
            raise PermanentFailure(f"no address is set at which this one-stop system takes {kind} (settings calls)")
        if "url" not in self._context.settings:
            raise TransientFailure("no address of the software is set (settings url); the operator must set it")
        item = await self._writer.write(parcel.event)
        fields = {"Content-Type": "application/json; charset=utf-8", "lgsp-delivery": parcel.delivery, **self._proof()}
        answer = await self._caller.ask("POST", f"/{way.path}", fields=fields, body=body_of(item, way.wrapper))
        verdict, code = self._predicate.judge(succeeded(answer, self._context.now()).body())
        told = f" ({code})" if code else ""
        if verdict == "taken":
            return HandedOver(answer.status)
        if verdict == "there":
            if parcel.may_have_arrived or kind not in _BRINGING:
                return HandedOver(answer.status, reference="it was there already")
            raise PermanentFailure(f"the software has this dossier already{told}: its operator must compare the two")
        if verdict == "absent" and kind not in _BRINGING:
            raise self._unknown(parcel, answer.status)
        if verdict == "refused":
            raise PermanentFailure(f"the software refuses it for good{told}")
        is_refused_often = verdict == "unclear" and bool(code) and parcel.attempt > _ENOUGH
        if is_refused_often and kind not in _BRINGING and self._is_over(parcel):
            raise PermanentFailure(_STILL_NO, answer.status)
        if answer.content.size == 0:
            raise TimedOut("the software answered with nothing; whether it took it is not known", answer.status)
        raise TransientFailure(f"the software did not say that it took it{told}", answer.status)

    def _is_over(self, parcel: Parcel) -> bool:
        """Whether the software had its time to get to know the dossier."""
        sent = parse_moment(str(parcel.event.get("time"))) or 0.0
        return self._context.now() - sent > self._patience

    def _unknown(self, parcel: Parcel, status: int | None) -> PermanentFailure | NotYet:
        """What to raise of a dossier that the software does not know: it may be entered there yet, for some hours."""
        if self._is_over(parcel):
            return PermanentFailure(_STILL_NO, status)
        return NotYet(
            "phần mềm một cửa chưa có hồ sơ này; trục đợi bộ phận một cửa tiếp nhận - the one-stop software does not"
            " know this dossier yet: its office must enter it",
            status,
            _LOOK_AGAIN,
        )

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: such a system sends for itself."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()

    def _proof(self) -> Mapping[str, str]:
        """The header field by which the software knows the bus, where one is agreed."""
        settings = self._context.settings
        if "secret_file" not in settings:
            return {}
        secret = secret_in(str(settings["secret_file"]), self._context.read_secret)
        header = str(settings.get("secret_header", "Authorization"))
        return {header: f"Bearer {secret}" if header.lower() == "authorization" else secret}


def _desk(context: AdapterContext, wire: Wire) -> Desk:
    settings, system = context.settings, context.system
    purpose = str(settings.get("purpose", "giai-quyet-tthc"))
    province = str(settings.get("province", province_of(system.agency)))
    to = tuple(str(each) for each in settings.get("to", ()))
    terms = Terms(system.name, system.agency, province, purpose, to, bool(settings.get("forces", False)))
    bounds = Bounds(
        Hosts(map(str, settings.get("file_hosts", ()))),
        int(settings.get("file_mebibytes", 50)) * _MEBIBYTE,
        float(settings.get("file_seconds", 10)),
    )
    fetch = Fetch(bounds, user_agent=context.user_agent, own=context.own_addresses, new_sink=context.new_sink)
    seconds = float(settings.get("session_minutes", 60)) * 60
    account = Account(
        system.name, system.agency, str(settings.get("username", "")), str(settings.get("password_file", "")), seconds
    )
    return Desk(
        account,
        Reader(terms, wire, fetch, context.dossier, context.now),
        read_secret=context.read_secret,
        now=context.now,
        known=context.dossier,
        paths=Paths(**settings.get("paths", {})),
        most=int(settings.get("most_items", 200)),
    )


def _check(settings: Mapping[str, Any], where: str, *, has_gate: bool) -> None:
    """Raises Misconfigured where nothing would prove the caller, or an address cannot be one."""
    if ("username" in settings) is not ("password_file" in settings) or ("username" not in settings and not has_gate):
        raise Misconfigured(
            where,
            Text("Không có cách nào nhận ra phần mềm một cửa", "Nothing proves the one-stop software"),
            Text(
                "Ghi cả username và password_file; phần mềm không đăng nhập được thì ghi callers hoặc"
                " caller_secret_file.",
                "Set both username and password_file; for software that cannot log in set callers or"
                " caller_secret_file.",
            ),
        )
    if "url" in settings:
        check_url(str(settings["url"]), f"{where}.url")


def open_adapter(context: AdapterContext) -> OneStop:
    """The adapter of one system; raises Misconfigured where its settings cannot work."""
    return OneStop(context)
