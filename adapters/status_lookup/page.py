"""The page: one form, one answer, Vietnamese first, without scripts and without anything from elsewhere. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from gateway.core.faults import Text
from gateway.core.moments import parse_moment
from gateway.core.notices.words import moment_words

_STYLE: Final = """
body { margin: 0; padding: 1em; background: #ffffff; color: #1a1a1a; font: 16px/1.5 Arial, Helvetica, sans-serif; }
main, .main { max-width: 44em; margin: 0 auto; }
h1 { font-size: 1.5em; line-height: 1.25; margin: 0 0 .75em; }
h2 { font-size: 1.25em; line-height: 1.25; margin: 1em 0 .5em; }
[lang=en] { color: #4d4d4d; font-weight: normal; font-size: .875em; }
h1 [lang=en], h2 [lang=en] { display: block; font-size: .7em; }
form { border: 1px solid #8c8c8c; margin: 1.5em 0 0; padding: 1em; }
label { display: block; font-weight: bold; }
label [lang=en] { display: block; }
input { display: block; width: 100%; max-width: 24em; box-sizing: border-box; margin: .25em 0; padding: .5em;
  border: 1px solid #595959; background: #ffffff; color: #1a1a1a; font: inherit; }
.hint { margin: 0 0 1em; color: #4d4d4d; font-size: .9375em; }
button { padding: .6em 1.5em; border: 1px solid #0b4a80; background: #0b4a80; color: #ffffff; font: inherit;
  font-weight: bold; cursor: pointer; }
button [lang=en] { color: #ffffff; }
input:focus, button:focus { outline: 3px solid #b35900; outline-offset: 1px; }
.said { margin: 0; padding: .75em 1em; border-left: 6px solid #9c1f1f; background: #fbeaea; }
.said p { margin: 0; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .4em .5em; border-bottom: 1px solid #bfbfbf; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; word-wrap: break-word; }
td [lang=en], th [lang=en], p [lang=en] { display: block; }
.facts th { width: 38%; }
.asked { padding: .75em 1em; border-left: 6px solid #b35900; background: #fff4e5; white-space: pre-line; }
footer, .footer { margin-top: 2em; color: #4d4d4d; font-size: .9375em; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: What goes with every answer: nothing from elsewhere, nothing kept, no address passed on, in no other site's frame.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}


@dataclass(frozen=True, slots=True)
class Look:
    """How the page is: ``of`` is what the secret is taken from (phone, identity, either), ``digits`` how many."""

    of: str
    digits: int
    is_anonymous: bool
    title: Text
    contact: Text

    @property
    def secret(self) -> Text:
        """What the applicant types to see more."""
        vi, en = _OF[self.of]
        return Text(f"{self.digits} số cuối của {vi}", f"The last {self.digits} digits of {en}")


_OF: Final = {
    "phone": Text("số điện thoại đã ghi trong hồ sơ", "the phone number given in the dossier"),
    "identity": Text("số định danh cá nhân (CCCD) của người nộp", "the applicant's identity number"),
    "either": Text(
        "số điện thoại hoặc số định danh (CCCD) đã ghi trong hồ sơ",
        "the phone or identity number given in the dossier",
    ),
}


def page(look: Look, *, code: str = "", said: Text | None = None, told: Mapping[str, Any] | None = None) -> bytes:
    """The whole page: what is ``told``, or ``said`` where nothing is, and below it the form with ``code``."""
    answer = _said(said) if said is not None else _told(told) if told is not None else ""
    contact = f"<p>{_both(look.contact)}</p>" if look.contact.vi else ""
    return (
        '<!DOCTYPE html>\n<html lang="vi">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(look.title.vi)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<main class="main">\n<h1>{_both(look.title)}</h1>\n{answer}\n{_form(look, code)}'
        f'<div class="footer">{contact}<p>{_both(_PRIVACY)}</p></div>\n</main>\n</body>\n</html>\n'
    ).encode()


_PRIVACY: Final = Text(
    "Trang này chỉ cho xem và không lưu các số ông/bà nhập. Không đưa các số này cho người khác.",
    "This page only shows, and keeps none of the digits you type. Do not give them to others.",
)


def _form(look: Look, code: str) -> str:
    hint = _ANONYMOUS if look.is_anonymous else _NEEDED
    needed = "" if look.is_anonymous else " required"
    return (
        '<form method="post" action="?">\n'
        f'<label for="code">{_both(Text("Mã hồ sơ", "Dossier code"))}</label>\n'
        f'<input id="code" name="code" type="text" value="{escape(code)}" maxlength="50" required autocomplete="off"'
        ' spellcheck="false" aria-describedby="code-hint">\n'
        f'<p class="hint" id="code-hint">{_both(_WHERE)}</p>\n'
        f'<label for="secret">{_both(look.secret)}</label>\n'
        f'<input id="secret" name="secret" type="text" inputmode="numeric" maxlength="20"{needed} autocomplete="off"'
        ' aria-describedby="secret-hint">\n'
        f'<p class="hint" id="secret-hint">{_both(hint)}</p>\n'
        f'<button type="submit">{escape("Tra cứu")} <span lang="en">Look up</span></button>\n</form>\n'
    )


_WHERE: Final = Text(
    "Ghi trên giấy tiếp nhận, ví dụ H33.05-261123-0001.", "It stands on the receipt, such as H33.05-261123-0001."
)
_ANONYMOUS: Final = Text(
    "Bỏ trống thì chỉ xem được mức độ hoàn thành.", "Without it you see the degree of completion alone."
)
_NEEDED: Final = Text("Cần có để xem hồ sơ.", "Needed to see the dossier.")


def _said(text: Text) -> str:
    return f'<div class="said" role="alert"><p>{_both(text)}</p></div>'


def _told(told: Mapping[str, Any]) -> str:
    rows = [_row(Text("Mức độ hoàn thành", "Degree of completion"), _of(told["completion"]["text"]))]
    if "status" in told:
        rows += [_row(Text("Trạng thái", "Status"), _of(told["status"]["text"]))]
    plain = {
        "procedure": Text("Thủ tục", "Procedure"),
        "department": Text("Nơi đang xử lý", "It lies with"),
        "receivedAt": Text("Tiếp nhận lúc", "Received"),
        "dueAt": Text("Hẹn trả kết quả", "The result is due"),
        "finishedAt": Text("Xong lúc", "Completed"),
    }
    if "agency" in told:
        agency = told["agency"]
        rows.append(_row(Text("Cơ quan", "Agency"), escape(agency["name"] or agency["code"])))
    rows += [_row(title, escape(_when(str(told[name])))) for name, title in plain.items() if name in told]
    supplement = told.get("supplement")
    asked = ""
    if supplement is not None:
        asked = f"<h2>{_both(_ASKED)}</h2>\n" + f'<p class="asked">{escape(supplement["content"])}</p>\n'
    title = Text(f"Hồ sơ {told['code']}", f"Dossier {told['code']}")
    return (
        f'<section role="status">\n<h2>{_both(title)}</h2>\n<table class="facts">{"".join(rows)}</table>\n{asked}'
        f"{_steps(told.get('steps', []))}</section>"
    )


_ASKED: Final = Text("Giấy tờ cần bổ sung", "What you are asked to bring")


def _steps(steps: list[Mapping[str, Any]]) -> str:
    if not steps:
        return ""
    lines = "".join(
        f"<tr><td>{escape(_when(str(each['at'])))}</td><td>{_of(each['text'])}</td><td>{escape(each['office'])}</td></tr>"
        for each in steps
    )
    names = (Text("Thời điểm", "Time"), Text("Trạng thái", "Status"), Text("Cơ quan", "Office"))
    head = "".join(f'<th scope="col">{_both(name)}</th>' for name in names)
    steps_title = Text("Các bước đã qua", "Steps so far")
    return f"<h2>{_both(steps_title)}</h2>\n<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>\n"


def _row(title: Text, value: str) -> str:
    return f'<tr><th scope="row">{_both(title)}</th><td>{value}</td></tr>\n'


def _of(text: Mapping[str, str]) -> str:
    return _both(Text(text["vi"], text["en"]))


def _both(text: Text) -> str:
    return f'{escape(text.vi)} <span lang="en">{escape(text.en)}</span>'


def _when(text: str) -> str:
    moment = parse_moment(text)
    return text if moment is None else moment_words(moment)
