"""Words in open texts that may betray a secret: found whole, in either normal form, in any case; an alarm, no more.

Looking is cheap where there is nothing to find: a text without any of a word's telling letters cannot hold it, which is
seen by a search of one pass. The careful look, too, takes time in proportion to the text, whatever the text is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal, NamedTuple

from gateway.core.moments import day_of

#: ``text``: what a document says of itself (subject, notation, content). ``name``: the names of its files.
Where = Literal["text", "name"]

#: The contract whose messages are looked at, and where: pointers into ``data``, ``*`` for every entry of a list.
LOOKED_AT: Final = "document.issued"
_PLACES: Final[tuple[tuple[Where, tuple[str, ...]], ...]] = (
    ("text", ("subject",)),
    ("text", ("symbol",)),
    ("text", ("code", "notation")),
    ("text", ("summary",)),
    ("text", ("content",)),
    ("name", ("files", "*", "name")),
    ("name", ("attachments", "*", "file", "name")),
    ("text", ("attachments", "*", "description")),
)
#: Entries of one list that are looked at, and findings that one message can make.
_MOST_ENTRIES: Final = 1000
_MOST_FOUND: Final = 50
#: Longer runs of letters are no words; none is normalised, as that could take long.
_LONGEST: Final = 40
#: A run of letters, with the marks that follow them where letters are written decomposed.
_LETTERS: Final = re.compile("(?:[^\\W\\d_]|[\u0300-\u036f])+")
#: What may stand between two words of one phrase.
_GAP: Final = re.compile("[ \u00a0_\\-\u2010-\u2015\t\r\n]{1,8}\\Z")
#: Characters that are not seen: they part no word.
_UNSEEN_ONES: Final = "\u00ad\u200b-\u200d\u2060\ufeff"
_UNSEEN: Final = re.compile(f"[{_UNSEEN_ONES}]")


@dataclass(frozen=True, slots=True)
class Watchword:
    """Words or phrases that alarm, from ``valid_from`` to ``valid_until``, but within one of ``exceptions``."""

    id: str
    basis: str
    valid_from: date
    valid_until: date | None
    words: tuple[str, ...]
    exceptions: tuple[str, ...] = ()
    where: frozenset[Where] = frozenset({"text", "name"})

    def is_in_force(self, day: date) -> bool:
        """Whether ``day`` lies within the dates."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)


class Found(NamedTuple):
    """A watchword was met: its id, and where (a JSON pointer into ``data``); never the text."""

    rule: str
    pointer: str


def folded(text: str) -> str:
    """A word as words compare: composed, without case or compatibility forms (full-width letters and the like)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True, slots=True)
class _Phrase:
    words: tuple[str, ...]
    #: Watchwords to which it belongs; those whose alarm it silences.
    alarms: frozenset[str]
    silences: frozenset[str]


class _Telling(NamedTuple):
    """What is searched for where a word may be: a pattern of letters, and parts of words in lower case."""

    letters: re.Pattern[str] | None
    plain: tuple[str, ...]


@dataclass(frozen=True)
class Watch:
    """Every watchword, made ready for looking."""

    watchwords: tuple[Watchword, ...] = ()
    _phrases: Mapping[str, tuple[_Phrase, ...]] = field(init=False, repr=False, compare=False)
    _telling: Mapping[Where, _Telling] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        alarms: dict[tuple[str, ...], set[str]] = {}
        silences: dict[tuple[str, ...], set[str]] = {}
        for each in self.watchwords:
            for word in each.words:
                alarms.setdefault(words_in(word), set()).add(each.id)
            for word in each.exceptions:
                silences.setdefault(words_in(word), set()).add(each.id)
        phrases: dict[str, list[_Phrase]] = {}
        for words in sorted(({*alarms, *silences}) - {()}, key=len, reverse=True):
            made = _Phrase(words, frozenset(alarms.get(words, ())), frozenset(silences.get(words, ())))
            phrases.setdefault(words[0], []).append(made)
        object.__setattr__(self, "_phrases", {first: tuple(made) for first, made in phrases.items()})
        places: tuple[Where, ...] = ("text", "name")
        telling = {where: _telling(self._words(where)) for where in places}
        object.__setattr__(self, "_telling", telling)

    def _words(self, where: Where) -> list[str]:
        return [word for each in self.watchwords if where in each.where for word in each.words]

    def is_suspect(self, data: Mapping[str, Any]) -> bool:
        """Whether a document's data, as its contract has it, is worth a look; nearly always not, and then at once."""
        texts = [data[name] for name in ("subject", "symbol", "summary", "content") if name in data]
        if "code" in data:
            texts.append(data["code"].get("notation", ""))
        names = [each["name"] for each in data["files"]] if "files" in data else []
        for each in data.get("attachments", ()):
            names.append(each["file"]["name"])
            if "description" in each:
                texts.append(each["description"])
        return self._may_hold("text", "\n".join(texts)) or (bool(names) and self._may_hold("name", "\n".join(names)))

    def _may_hold(self, where: Where, text: str) -> bool:
        letters, plain = self._telling[where]
        if letters is not None and not text.isascii() and letters.search(text) is not None:
            return True
        if plain:
            lower = text.lower()
            for each in plain:
                if each in lower:
                    return True
        return False

    def look(self, data: Mapping[str, Any], at: float) -> tuple[Found, ...]:
        """What of the data of a document, accepted ``at``, alarms; at most fifty, doubles once."""
        found: dict[Found, None] = {}
        for where, path in _PLACES:
            for pointer, text in _texts(data, path):
                if self._may_hold(where, text):
                    found.update(dict.fromkeys(Found(rule, pointer) for rule in self.in_text(text, where, at)))
        return tuple(found)[:_MOST_FOUND]

    def in_text(self, text: str, where: Where, at: float) -> tuple[str, ...]:
        """The ids of the watchwords in force ``at`` that ``text`` holds outside their exceptions, in order."""
        day = day_of(at)
        asked = {each.id for each in self.watchwords if where in each.where and each.is_in_force(day)}
        if not asked:
            return ()
        words = list(_told(text))
        alarms: list[tuple[int, int, frozenset[str]]] = []
        silent: dict[str, list[tuple[int, int]]] = {}
        for start, (word, _) in enumerate(words):
            for phrase in self._phrases.get(word, ()):
                end = start + len(phrase.words)
                if not _stands(words, start, phrase.words):
                    continue
                for rule in phrase.silences:
                    silent.setdefault(rule, []).append((start, end))
                if phrase.alarms & asked:
                    alarms.append((start, end, phrase.alarms & asked))
        return tuple(dict.fromkeys(_heard(alarms, silent)))


def _heard(
    alarms: Sequence[tuple[int, int, frozenset[str]]], silent: Mapping[str, Sequence[tuple[int, int]]]
) -> Iterator[str]:
    """The rules of alarms, in order of words: none within an exception of its own, nor within a longer alarm.

    ``alarms`` and each list in ``silent`` are in order of their starts; phrases that cover an alarm start no more than
    their length before it, so each is compared with a few neighbours only.
    """
    cursor = dict.fromkeys(silent, 0)
    covered = 0
    for start, end, rules in alarms:
        if end <= covered:
            continue
        for rule in sorted(rules):
            spans = silent.get(rule, ())
            n = cursor.get(rule, 0)
            while n < len(spans) and spans[n][1] < end:
                n += 1
            if spans:
                cursor[rule] = n
            if not any(first <= start and end <= last for first, last in spans[n : n + _LONGEST]):
                yield rule
                covered = max(covered, end)


def _stands(words: Sequence[tuple[str, bool]], start: int, phrase: Sequence[str]) -> bool:
    """Whether the words of a phrase stand side by side from ``start``; each word knows whether the next one adjoins."""
    end = start + len(phrase)
    return end <= len(words) and all(
        words[start + n][0] == word and (n == 0 or words[start + n - 1][1]) for n, word in enumerate(phrase)
    )


def _told(text: str) -> Iterator[tuple[str, bool]]:
    """The words of a text, folded, each with whether the next one stands right beside it."""
    text = _UNSEEN.sub("", text)
    before: str | None = None
    last = 0
    for match in _LETTERS.finditer(text):
        if before is not None:
            yield before, _GAP.match(text, last, min(match.start(), last + 9)) is not None and match.start() - last <= 8
        letters = match[0]
        before = folded(letters) if len(letters) <= _LONGEST else ""
        last = match.end()
    if before is not None:
        yield before, False


def words_in(phrase: str) -> tuple[str, ...]:
    """The words of a phrase as they compare; an empty one stands for what is too long to be a word."""
    return tuple(word for word, _ in _told(phrase))


def _telling(words: Iterable[str]) -> _Telling:
    """What tells that a text may hold a word: of each word two letters side by side, and parts of plain words.

    The two are a letter with marks and its neighbour, in the word's last part: what parts a phrase may be written in
    many ways. Where letters are decomposed their marks stand alone; those, and what is not seen, always tell. A word
    without marks is sought by its last part.
    """
    pairs: dict[str, str] = {}
    alone: dict[str, None] = {}
    plain: dict[str, None] = {}
    for word in words:
        last = words_in(word)[-1]
        marked = [n for n, each in enumerate(last) if not each.isascii()]
        if not marked:
            plain[last] = None
            continue
        place = max(marked, key=lambda n: (len(unicodedata.normalize("NFD", last[n])), n))
        first, second = (last[place - 1], last[place]) if place else (last[0], last[1:2])
        for letter in first + second:
            alone.update(
                dict.fromkeys(each for each in unicodedata.normalize("NFD", letter) if unicodedata.combining(each))
            )
        if second:
            pairs[_variants(first)] = pairs.get(_variants(first), "") + _variants(second)
        else:
            alone.update(dict.fromkeys(_variants(first)))
    if not pairs and not alone:
        return _Telling(None, tuple(plain))
    firsts = "".join(pairs)
    seconds = "".join(f"|(?<=[{first}])[{second}]" for first, second in pairs.items())
    begin = f"[{firsts}{''.join(alone)}{_UNSEEN_ONES}]"
    return _Telling(re.compile(f"{begin}(?:(?<![{firsts}]){seconds})" if firsts else begin), tuple(plain))


def _variants(letter: str) -> str:
    """The ways of writing a letter that compare as it: either case, full width, and what folds into it."""
    wide = "".join(chr(ord(each) + 0xFEE0) for each in letter + letter.upper() if "!" <= each <= "~")
    return letter + letter.upper() + wide + {"s": "\u017f", "k": "\u212a"}.get(letter, "")


def _texts(data: Any, path: tuple[str, ...], pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every text that a path leads to, with its pointer; what is absent or no text is passed over."""
    if not path:
        if isinstance(data, str):
            yield pointer, data
    elif path[0] == "*":
        for n, each in enumerate(data[:_MOST_ENTRIES] if isinstance(data, list) else ()):
            yield from _texts(each, path[1:], f"{pointer}/{n}")
    elif isinstance(data, dict) and path[0] in data:
        yield from _texts(data[path[0]], path[1:], f"{pointer}/{path[0]}")
