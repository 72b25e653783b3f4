"""Vietnamese typed in fonts with an encoding of their own (TCVN3, VNI), or read in a wrong one: told, not mended.

Such text is well-formed Unicode that means other letters: ``C«ng v¨n`` is "Công văn" in .VnTime, ``Coâng vaên`` in
VNI-Times. No byte says which font was meant, so nothing is converted; the letters give it away to whoever looks.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Font = Literal["TCVN3", "VNI", "mojibake"]

#: Letters that only Vietnamese has (ă đ ĩ ũ ơ ư and all with a tone below): whoever writes them has no such font.
_TRULY_VIETNAMESE: Final = re.compile("[ĂăĐđĨĩŨũƠơƯưẠ-ỹ]")
#: Inside a word, a letter of ASCII before it; none of these is a letter of Vietnamese. A soft hyphen among them.
_TCVN3: Final = re.compile("[A-Za-z][µ¸¶·¹¨»¾¼½Æ©ÇË®ÐÎÏÑªÖ×ØÜÞßä«åæç¬ëîïñ\xadøö÷ûüþ]|[®§][A-Za-z¡-ÿ]")
#: A vowel with one of VNI's marks behind it; none of these pairs is Vietnamese.
_VNI: Final = re.compile("[aeouyôö][ùøûõïåäüë]|[ae][âê]|[oôöu][âäå]|ñ[aeiou]|ö[aioun]", re.IGNORECASE)
#: UTF-8 that was read as windows-1252: each letter of Vietnamese becomes two or three characters.
_MOJIBAKE: Final = re.compile("Ã[\x80-¿ƒ‚-™]|á[º»]|Æ[\xa0¡¯°]|Ä[‘ƒ\x90\x91]")
#: One such word may be a name or a sign; two are a text.
_ENOUGH: Final = 2


def legacy_font(text: str) -> Font | None:
    """The font encoding that ``text`` seems to be typed in, ``mojibake`` where UTF-8 was misread, None for neither."""
    if text.isascii() or _TRULY_VIETNAMESE.search(text):
        return "mojibake" if len(_MOJIBAKE.findall(text)) >= _ENOUGH else None
    words = text.split()
    kinds: tuple[tuple[Font, re.Pattern[str]], ...] = (("mojibake", _MOJIBAKE), ("VNI", _VNI), ("TCVN3", _TCVN3))
    counted = [(sum(bool(pattern.search(word)) for word in words), kind) for kind, pattern in kinds]
    most, kind = max(counted, key=lambda pair: pair[0])
    return kind if most >= _ENOUGH else None
