"""What is told to the portal, and in which order, so that in the end it shows every dossier where the dossier stands.

The portal keeps the last word about a status, however old. So whatever a message says, the portal is told the dossier
as it stands *now*, as the register of the bus knows it; a step that is older, or that does not move the dossier (a part
of it that another agency does, a word that is not believed), is told as a step, and the present status after it.
Statuses go as they are.

It goes by ``TraCuuHoSo``, ``DongBoHoSoMC`` and ``CapNhatTienDoHoSoMC``. What was taken without an answer does no harm:
the look-up finds the dossier, saying it again is an update, and the same step said again is the same step.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from adapters.dvcqg.item import Items, Written
from adapters.dvcqg.service import Portal
from gateway.calls.lasting import Lasting
from gateway.core.content import InMemory
from gateway.core.dossiers.code import check_own, compared
from gateway.core.dossiers.dossier import Dossier
from gateway.core.faults import DestinationGone, NotYet, PermanentFailure, TransientFailure
from gateway.core.moments import parse_moment
from gateway.ports import AdapterContext, HandedOver, Parcel

TOLD: Final = frozenset({
    "dossier.registered", "dossier.forwarded", "dossier.progressed", "dossier.supplement-requested",
    "dossier.supplemented", "dossier.result-issued", "dossier.returned", "dossier.withdrawn", "payment.notified",
})  # fmt: skip
#: How often a dossier that moves while it is told is told anew at once.
_ANEW: Final = 3
#: When a registration that was not there is looked for again (seconds).
_LOOK_AGAIN: Final = 15.0
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Present:
    """A dossier at this moment. ``status``: where it stands; ``after``: where it stood after the message that is told.

    ``record`` is None where no registration of it is known.
    """

    record: Mapping[str, Any] | None
    status: int | None
    after: int | None
    is_repeated: bool = False
    is_registered: bool = False


class Telling:
    """Tells the portal, one message of a dossier at a time."""

    def __init__(self, context: AdapterContext, portal: Portal, items: Items, officer: str) -> None:
        """``officer``: who is named in a step where the message names nobody."""
        self._context = context
        self._portal = portal
        self._items = items
        self._officer = officer
        self._patience = float(context.settings.get("registration_hours", 24)) * 3600
        self._lasting = Lasting()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Tell one message; raises as the adapters' port says."""
        event = parcel.event
        if event.get("source") == parcel.recipient.name:
            return HandedOver(reference="it came from there")
        if event["type"] not in TOLD:
            raise PermanentFailure(
                f"Cổng DVCQG không có chỗ cho {event['type']}: đơn vị vận hành trục bỏ đăng ký này - the portal has no"
                f" place for {event['type']}: the operator of the bus must remove the subscription"
            )
        code = str(event["data"]["dossierCode"])
        if (wrong := check_own(code, lambda _: False)) is not None:
            raise PermanentFailure(f"{wrong.vi} - {wrong.en}")
        return await self._lasting.of(parcel.delivery, lambda: self._in_turn(parcel, code))

    async def close(self) -> None:
        """Stop what is under way."""
        await self._lasting.close()

    async def _in_turn(self, parcel: Parcel, code: str) -> HandedOver:
        turn = self._turns.setdefault(compared(code), asyncio.Lock())
        async with turn:
            return await self._tell(parcel, code)

    async def _tell(self, parcel: Parcel, code: str) -> HandedOver:
        present = await self._present(parcel, code)
        if parcel.event["data"].get("outcome") == "failed":
            return HandedOver(reference="a payment that failed: nothing to tell")
        step = self._step(parcel, present)
        exists = await self._portal.exists(code, parcel.delivery)
        if present.record is None:
            return await self._without_record(parcel, present, step, exists=exists)
        is_new = parcel.event["type"] == "dossier.registered" and not parcel.may_have_arrived
        is_there = exists if exists is not None else not is_new
        acts: list[str] = []
        item = Written({})
        # A step that sets the status back is told first: then the portal is never left with it.
        sets_back = step is not None and present.after != present.status
        if not (sets_back and exists):
            item = await self._put(parcel, present, is_updating=is_there)
            acts.append("updated" if is_there else "created")
        if step is not None:
            if await self._portal.tell([step.record], parcel.delivery) == "absent":
                raise TransientFailure("the portal does not know the dossier that it just took", _OK)
            acts.append("step told")
        if sets_back:
            item = await self._put(parcel, present, is_updating=True)
            acts.append("present status told after it")
        for _ in range(_ANEW):
            now = await self._present(parcel, code)
            if (now.record, now.status) == (present.record, present.status):
                break
            # Another message moved it meanwhile, perhaps by another process: whoever told last must tell what is.
            present = now
            item = await self._put(parcel, present, is_updating=True)
            acts.append("told anew: it moved meanwhile")
        notes = [*item.notes, *(step.notes if step is not None else ())]
        told = InMemory(json.dumps(item.record, ensure_ascii=False).encode())
        return HandedOver(_OK, reference="; ".join(dict.fromkeys([*acts, *notes])), content=told)

    async def _without_record(
        self, parcel: Parcel, present: Present, step: Written | None, *, exists: bool | None
    ) -> HandedOver:
        """The portal has the dossier by another way, and the bus does not know enough to say the whole of it."""
        moves_nothing_back = present.status in {None, present.after}
        if step is not None and exists and moves_nothing_back:
            if await self._portal.tell([step.record], parcel.delivery) == "done":
                return HandedOver(_OK, reference="; ".join(["step told: the bus has no registration", *step.notes]))
        elif present.is_registered:
            raise PermanentFailure(
                "Trục không còn giữ bản đăng ký của hồ sơ này nên không báo được trạng thái hiện tại: đơn vị xử lý cập"
                " nhật trực tiếp trên Cổng, rồi bỏ thông điệp - the bus no longer keeps this dossier's registration:"
                " its agency must bring the portal up to date itself, then the message can be discarded"
            )
        sent = parse_moment(str(parcel.event.get("time"))) or 0.0
        if self._context.now() - sent > self._patience:
            # An answer that is waited for without end would look like an outage to everybody else's messages.
            raise PermanentFailure(
                "vẫn chưa có bản đăng ký của hồ sơ này ở trục và ở Cổng: bộ phận một cửa gửi dossier.registered, rồi"
                " đơn vị vận hành trục phát lại (lgsp replay) - still no registration of this dossier at the bus or at"
                " the portal: its one-stop must send it, then the operator replays this message"
            )
        raise NotYet(
            "chưa có bản đăng ký của hồ sơ này: bộ phận một cửa tiếp nhận cần gửi dossier.registered - no registration"
            " of this dossier yet: the one-stop that received it must send it",
            _OK,
            _LOOK_AGAIN,
        )

    async def _put(self, parcel: Parcel, present: Present, *, is_updating: bool) -> Written:
        item = self._items.item(present.record or {}, present.status)
        try:
            outcome = await self._portal.put(item.record, is_updating=is_updating, delivery=parcel.delivery)
            if outcome != "done":
                # Somebody filed it meanwhile, or it is gone: said the other way round, once.
                outcome = await self._portal.put(item.record, is_updating=not is_updating, delivery=parcel.delivery)
        except (PermanentFailure, TransientFailure) as failure:
            # Of what it answered, not of a line that is down, nor of an account that it does not let in.
            if failure.status == _OK and item.empty and not isinstance(failure, DestinationGone):
                failure.detail = f"{failure.detail}; trống trong hồ sơ gửi đi - empty in what was sent: {item.empty}"
            raise
        if outcome != "done":
            raise TransientFailure("the portal says of one dossier that it is there and that it is not", _OK)
        return item

    def _step(self, parcel: Parcel, present: Present) -> Written | None:
        if present.after is None or present.is_repeated:
            return None
        return self._items.step(parcel.event, present.after, self._officer)

    async def _present(self, parcel: Parcel, code: str) -> Present:
        known = await self._context.dossier(code)
        data = parcel.event["data"]
        own = data.get("status", {}).get("code")
        if known is None:
            is_registration = parcel.event["type"] == "dossier.registered"
            return Present(data if is_registration else None, own, own)
        step = next((each for each in known.steps if _is(each.told.message, parcel)), None)
        after = own if step is None or step.status is None else step.status
        return Present(
            _record(known, parcel),
            known.status if known.status is not None else own,
            after if after is not None else known.status,
            is_repeated=step is not None and "repeated" in step.flags,
            is_registered=known.status is not None,
        )


def _record(known: Dossier, parcel: Parcel) -> Mapping[str, Any] | None:
    if known.record:
        return known.record
    return parcel.event["data"] if parcel.event["type"] == "dossier.registered" and known.status is None else None


def _is(message: str, parcel: Parcel) -> bool:
    """Whether a line of the register is the message that is told: of a translation, its original."""
    return message.lower() in {parcel.message.lower(), str(parcel.event["id"]).lower()}
