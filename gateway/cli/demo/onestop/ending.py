"""The dossier is paid for, signed, sent by post and looked up; then what was promised is counted."""

from __future__ import annotations

import asyncio
import hashlib
import time

from gateway.cli.course import course_words
from gateway.cli.demo.onestop.telling import APPLICANT, CODE, PROCEDURE, OneStop, moment
from gateway.cli.demo.story import ALL_STATES

_DRAFT = b"%PDF-1.7\n% du thao\n%%EOF\n"
_SIGNED = b"%PDF-1.7\n% ket qua da ky\n%%EOF\n"
_FEE = 15_000


async def paid(story: OneStop) -> None:
    """A notice of tax by way of the portal; the bank calls with a wrong checksum, then twice."""
    story.chapter("Thông báo thuế, công dân thanh toán", "A notice of tax, and the citizen pays")
    await asyncio.sleep(1.1)
    await story.calling.tax(
        {"MaHoSo": CODE, "SoQuyetDinh": "12/TB-CT", "SoTien": str(_FEE), "TenTieuMuc": "Lệ phí trước bạ"}
    )
    await story.until(lambda: any(path.endswith("nhantbthuedvcqg") for _, path, _ in story.office.posts), "the notice")
    story.office.habits.forces_nine = True
    story.office.progress(CODE, "6", "Chờ nộp lệ phí trước bạ")
    await story.office.cycle()
    story.office.habits.forces_nine = False
    await story.station("6", "chờ thực hiện nghĩa vụ tài chính", "to be paid for")
    bill = await story.calling.bill(CODE)
    amount = sum(int(each["SoTien"]) for each in bill.body["message"]["PhiLePhi"])
    story.check(bill.body["error_code"] == 1 and amount == _FEE, f"cổng hỏi hoá đơn: {amount} đồng",
                f"the portal asks for the bill: {amount} dong")  # fmt: skip
    await asyncio.sleep(1.1)
    story.bank.bad_checksum = 1
    refused = await story.bank.pay(CODE, _FEE, notice="TB-1")
    story.bank.twice_back = True
    await story.bank.pay(CODE, _FEE, notice="TB-1")
    answers = [str(each.answer.get("ERROR_CODE")) for each in story.bank.said]
    story.check(answers == ["-1", "1", "1"], f"sai mã kiểm tra bị từ chối ({refused[0]}), gọi lại hai lần đều nhận",
                "a wrong checksum is refused, and both repeats are told yes")  # fmt: skip
    await story.station("4", "đã thanh toán, xử lý tiếp", "paid, and at work again")
    known = await story.dossier()
    notices = [step for step in known.steps if step.told.event.kind == "payment-notified"] if known else []
    story.check(len(notices) == 1, "tiền được ghi đúng một lần", "the money was noted once")


async def signed(story: OneStop) -> None:
    """The draft goes to the document system: turned down, then signed and issued."""
    story.chapter("Trình ký kết quả ở phần mềm văn bản", "The result goes to the document system to be signed")
    step = {"dossierCode": CODE, "at": moment(), "status": {"code": 9, "at": moment()}, "content": "Đã đo đạc xong"}
    await story.land.say("dossier.progressed", step, to="H33.07 H33.01 G22")
    story.district.habits.backdates = 0
    story.district.progress(CODE, 2, "Huyện đã xong phần việc")
    await story.district.cycle()
    draft = await story.centre.upload("du-thao.pdf", _DRAFT)
    for number, outcome in ((1, "03"), (2, "01")):
        request = f"{CODE}-TK{number}"
        data = {
            "dossierCode": CODE, "requestId": request, "title": PROCEDURE["name"], "procedure": PROCEDURE,
            "draft": {"abstract": "Quyết định mẫu", "attachments": [{"name": draft["name"], "file": draft}]},
            "dueAt": moment(86400), "applicant": {"name": APPLICANT["name"]},
        }  # fmt: skip
        await story.centre.say("signing.requested", data, to="H33.02")
        await story.until(lambda request=request: request in story.signing.drafts, "the draft")  # type: ignore[misc]
        reason = "Sai căn cứ, đề nghị sửa" if outcome == "03" else ""
        await story.signing.sign(request, outcome, _SIGNED if outcome == "01" else None, reason=reason)
        await _completed(story, number)
    said = [each["data"] for each in story.centre.fetched if each["type"] == "signing.completed"]
    outcomes = [each["outcome"] for each in said]
    file = said[-1]["document"]["attachments"][0]["file"] if said else {}
    whole = file.get("sha256") == hashlib.sha256(_SIGNED).hexdigest()
    story.check(outcomes == ["rejected", "issued"] and whole, "lần một bị trả lại kèm lý do, lần hai ký và phát hành",
                "turned down with a reason, then signed and issued")  # fmt: skip


async def _completed(story: OneStop, number: int) -> None:
    async def came() -> bool:
        await story.centre.fetch()
        return len([each for each in story.centre.fetched if each["type"] == "signing.completed"]) >= number

    await story.came(came, "what came of the draft")


async def issued(story: OneStop) -> None:
    """The result is there: the portal fetches it; the post brings it home."""
    story.chapter("Có kết quả: lên cổng, rồi bưu điện trả tận nhà", "The result: to the portal, and home by post")
    await asyncio.sleep(1.1)
    signing = [each["data"] for each in story.centre.fetched if each["type"] == "signing.completed"]
    (attached,) = signing[-1]["document"]["attachments"]
    result = await story.centre.download(attached["file"]["sha256"])
    story.office.issue_result(CODE, {"ket-qua.pdf": result})
    await story.office.cycle()
    await story.station("9", "đã xử lý xong", "done")
    fetched = await story.portal.fetch_files(CODE)
    whole = hashlib.sha256(_SIGNED).hexdigest() in fetched.values()
    story.check(whole, "cổng tải được tệp kết quả qua đường dẫn của trục, nguyên từng byte",
                "the portal fetched the result by a link of the bus, byte for byte")  # fmt: skip
    somebody = {"name": "Nguyễn Văn Mẫu", "phone": "0912345678", "address": "Số 1 đường Mẫu"}
    order = f"{CODE}-1"
    data = {"dossierCode": CODE, "orderNumber": order, "kind": "result", "sender": somebody, "receiver": somebody}
    await story.centre.say("post.ordered", data, to="H33.91", subject=order)
    await story.until(lambda: order in story.post.orders, "the order at the post")
    for code, words in (("NHAN", "Đã nhận gửi"), ("PHAT", "Phát thành công")):
        story.post.move(order, code, words)

    async def tracked() -> bool:
        await story.centre.fetch()
        events = [each["data"]["event"] for each in story.centre.fetched if each["type"] == "post.tracked"]
        return [each["code"] for each in events if each["code"] != "MOI"] == ["NHAN", "PHAT"]

    came = await story.came(tracked, "both events of the parcel, in order and once")
    story.check(came, "bưu điện nhận đơn và báo hành trình", "the post took the order and tells where it is")
    await asyncio.sleep(1.1)
    story.office.issue_result(CODE, {}, is_handed_over=True)
    await story.office.cycle()
    await story.station("10", "đã trả kết quả", "handed over")


async def looked_up(story: OneStop) -> None:
    """Anybody may ask; only who knows the secret learns more than how far it is."""
    story.chapter("Tra cứu công khai", "Looked up by the public")
    open_answer, wrong, right = (
        await story.kiosk.ask(CODE), await story.kiosk.ask(CODE, "000000"), await story.kiosk.ask(CODE, "345678"),
    )  # fmt: skip
    for each in (open_answer, right):
        story.say(f"    {each.text[:300]}", "")
    hidden = not any("Nguyễn" in each.text or "0912345678" in each.text for each in (open_answer, wrong, right))
    story.check(
        open_answer.status == 200 and right.status == 200 and wrong.status == 404 and hidden,
        "đúng mã bí mật mới xem chi tiết; không lộ dữ liệu cá nhân",
        "the secret opens the details; nothing personal is told",
    )  # fmt: skip


async def counted(story: OneStop) -> None:
    """Deadlines of each hop kept or flagged, every step told, nothing lost."""
    story.chapter("Tổng kết", "The count")

    known = await story.dossier()
    for line in course_words(known, time.time()) if known is not None else ():
        story.say(f"  {line.vi}", f"  {line.en}")
    legs = () if known is None else known.legs
    kept = [leg.ended_at is not None and not leg.is_late(time.time()) for leg in legs]
    story.check(kept == [True, False], "hạn của huyện còn, hạn của văn phòng đất đai đã trễ và bị đánh dấu",
                "the district's term is kept; the land office missed its own, and it is flagged")  # fmt: skip
    story.legs = [{"to": leg.hop.to_agency, "late": leg.is_late(time.time())} for leg in legs]
    flags = {flag for step in (known.steps if known else ()) for flag in step.flags}
    story.flags = sorted(flags)
    listed = " ".join(story.flags)
    story.check({"late", "forced"} <= flags, f"điều bất thường được giữ và đánh dấu: {listed}",
                f"what is odd is kept and flagged: {listed}")  # fmt: skip
    for desk in (story.land, story.centre, story.district):
        await desk.fetch()
    deliveries = await story.gateway.ledger.deliveries(states=ALL_STATES, limit=10_000)
    story.deliveries = len(deliveries)
    lost = [each for each in deliveries if each.state.value != "delivered"]
    story.lost = len(lost)
    for each in lost:
        story.failures.append(f"{each.contract} to {each.recipient} is {each.state.value}")
    wrong = story.portal.table.violations
    story.check(not wrong, "cổng không bắt lỗi khuôn dạng nào", f"the portal found nothing out of form {wrong[:3]}")
    way = " → ".join(story.stations)
    story.say(f"  trạng thái ở cổng {way} · lượt giao {story.deliveries} · mất {story.lost}",
              f"  statuses at the portal {way} · deliveries {story.deliveries} · lost {story.lost}")  # fmt: skip
    story.check(story.is_well, "mọi lời hứa đều giữ được", "every promise was kept")
