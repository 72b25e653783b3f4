"""The dossier is filed, received, handed on, and waits for a supplement; the software does what real software does."""

from __future__ import annotations

import asyncio

from gateway.cli.demo.onestop.telling import APPLICANT, CODE, PROCEDURE, OneStop, moment, stamp
from gateway.compose import stand_in


async def filed(story: OneStop) -> None:
    """A citizen files at the portal, which calls the province twice; the one-stop receives."""
    story.chapter("Công dân nộp hồ sơ ở Cổng dịch vụ công quốc gia", "A citizen files at the national portal")
    portal = stand_in("dvcqg")
    story.portal.manners.exists, story.portal.manners.zero = "-3", "00"
    story.portal.faults.once("TraCuuHoSo", portal.Fault("blind"))
    item = portal.an_item(
        CODE, MaTTHC=PROCEDURE["code"], TenTTHC=PROCEDURE["name"], SoDienThoai="0912345678", NgayNopHoSo=stamp(),
    )  # fmt: skip
    heard = await story.calling.file(story.portal.filed(item), "data")
    await story.until(lambda: CODE in story.office.dossiers, "the dossier at the one-stop")
    once = len([each for each in story.office.posts if each[2]["MaHoSo"] == CODE]) == 1
    story.check(heard.is_yes and once, "cổng gọi hai lần, một cửa nhận đúng một hồ sơ",
                "the portal called twice, the one-stop got one dossier")  # fmt: skip
    story.office.receive(CODE)
    story.office.habits.twice = True
    await story.office.cycle()
    await story.station("2", "được tiếp nhận, dù cổng nói «đã tồn tại»", "received, though the portal says it exists")


async def handed_on(story: OneStop) -> None:
    """Province to district to land office, each with a deadline of its own; steps come late and out of order."""
    story.chapter("Chuyển liên thông: tỉnh → huyện → văn phòng đất đai", "Handed on: province → district → land office")
    hop = {"number": 1, "from": {"code": "H33.01"}, "to": {"code": "H33.07"}, "forwardedAt": moment(),
           "dueAt": moment(3600)}  # fmt: skip
    dossier = {"procedure": PROCEDURE, "applicant": APPLICANT}
    await story.centre.say("dossier.forwarded", {"dossierCode": CODE, "hop": hop, "dossier": dossier}, to="H33.07")
    portal = stand_in("dvcqg")
    story.portal.manners.zero = None  # only the words say that all went well
    story.portal.faults.once("CapNhatTienDoHoSoMC", portal.Fault("lost-reply"), portal.Fault("html"))
    story.office.habits.shuffles = True
    for content in ("Thẩm định", "Phân công"):
        await asyncio.sleep(1.1)
        story.office.progress(CODE, "4", content)
    await story.office.cycle()

    async def fetched() -> bool:
        return bool(await story.district.fetch()) or bool(story.district.fetched)

    await story.came(fetched, "the dossier at the district")
    old = story.district
    old.receive({"DocCode": CODE})
    old.documents[CODE].is_synced = True  # what it was sent it does not send back
    old.habits.backdates = 900
    old.progress(CODE, 1, "Huyện thụ lý")
    await old.cycle()
    status = await old.forward(CODE, "H33.07.20", moment(2), number=2)
    got = await story.land.got("dossier.forwarded")
    story.check(status == 202 and got["hop"]["number"] == 2, "phần mềm huyện đời cũ tự đến lấy và chuyển tiếp",
                "the district's old software fetched it and handed it on")  # fmt: skip
    await story.station("4", "đang xử lý", "being dealt with")


async def missed(story: OneStop) -> None:
    """The land office lets its deadline pass: that is told once, while the dossier goes on."""

    async def rows() -> list[bytes]:
        await story.gateway.dossiers.settle_once()
        await story.gateway.dossiers.look_once()
        journal = await story.gateway.ledger.journal(limit=10_000)
        return [body for _, _, body in journal if b'"dossier.overdue"' in body]

    async def was_told() -> bool:
        return bool(await rows())

    await story.came(was_told, "the word about the missed deadline")
    found = await rows()
    story.check(len(found) == 1 and b"H33.07.20" in found[0], "văn phòng đất đai lỡ hạn: báo đúng một lần",
                "the land office missed its deadline: told once")  # fmt: skip


async def supplemented(story: OneStop) -> None:
    """The one-stop asks for a paper; its software calls that finished; the citizen answers at the portal."""
    story.chapter("Yêu cầu bổ sung một lần, rồi công dân bổ sung", "One supplement, asked for and brought")
    await asyncio.sleep(1.1)
    story.office.habits.forces_nine = story.office.habits.words_only = True
    story.portal.manners.numbers = story.portal.manners.nulls = True
    named = story.office.ask_supplement(CODE, "Bổ sung bản sao giấy chứng nhận")
    story.office.progress(CODE, "5", "Yêu cầu bổ sung")
    await story.office.cycle()
    await story.station(
        "5", "yêu cầu bổ sung, dù phần mềm báo 9", "a supplement is asked for, whatever the software says"
    )
    letters, messages = len(await story.mail.arrivals()), len(await story.sms.arrivals())
    story.check(letters == messages == 3, "công dân được báo ba lần: tiếp nhận, xử lý, bổ sung; không thư thừa",
                f"the citizen was told three times by mail and SMS, not more ({letters}, {messages})")  # fmt: skip
    story.office.habits.forces_nine = False
    await asyncio.sleep(1.1)
    kept = story.portal.of(CODE).item
    entries = [dict(each) for each in kept["DanhSachHoSoBoSung"]]
    due = stamp(9 * 86400)
    entries[-1] |= {"NgayTiepNhanBoSung": stamp(), "ThongTinTiepNhan": "Đã nộp bản sao", "NgayHenTraMoi": due}
    heard = await story.calling.file({**kept, "TrangThaiHoSo": "4", "DanhSachHoSoBoSung": entries})
    story.check(heard.is_yes, "cổng chuyển phần bổ sung về tỉnh", "the portal passed the supplement on")
    await story.until(lambda: story.office.dossiers[CODE].item["DanhSachHoSoBoSung"][-1]["NgayTiepNhanBoSung"],
                      "the supplement at the one-stop")  # fmt: skip
    story.office.take_supplement(CODE, named)
    await story.office.cycle()
    await story.station("4", "lại đang xử lý", "at work again")
    shown = story.portal.of(CODE).item["NgayHenTra"]
    story.check(shown == due, f"hạn trả mới có ở cổng: {shown}", f"the portal shows the new due date: {shown}")
