r"""Which regular expressions a contract may hold: those that every reader reads alike and none can be hung with.

Accepted is the part of ECMA-262 that Python's and Rust's engines share: literals, classes, the dot, ``\d`` and
``\w`` (ASCII, as ECMA-262 says), groups, alternation, greedy repetition, ``^`` at the start, ``$`` at the end.
Refused is what they read differently (``\s``, ``\b``, ``\p``, look-around, back-references) and repetition of
something that itself repeats, unless a separator keeps the rounds apart: ``(\.[0-9A-Z]{1,10})*`` passes,
``(a+)+`` does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_CHARACTERS: Final = 500
MOST_UNBOUNDED: Final = 4
MOST_REPEATS: Final = 1000
MOST_NESTING: Final = 8
_SPECIAL: Final = frozenset(r"\^$.|?*+()[]{}/-")
_UNBOUNDED: Final = 1 << 30
#: The classes with a name of their own, as ECMA-262 reads them; Python's would take every script's digits.
_NAMED: Final = {"d": "0-9", "w": "0-9A-Za-z_"}
_NAMED_RANGES: Final = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("a", "z"), ("_", "_")),
}


class PatternError(ValueError):
    """The pattern is not one that a contract may hold; the text says why, in English."""


@dataclass(frozen=True, slots=True)
class _Class:
    """One character out of ``ranges``, or with ``negated`` one outside them."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def takes(self, letter: str) -> bool:
        return any(low <= letter <= high for low, high in self.ranges) is not self.negated

    def only(self) -> str | None:
        """The one character that it takes, if it takes just one."""
        alone = len(self.ranges) == 1 and self.ranges[0][0] == self.ranges[0][1] and not self.negated
        return self.ranges[0][0] if alone else None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A class or a group, with how often it may stand."""

    what: _Class | tuple[tuple[_Piece, ...], ...]
    least: int
    most: int

    @property
    def varies(self) -> bool:
        """Whether it may be of more than one length, or of more than one shape."""
        if self.least != self.most:
            return True
        return isinstance(self.what, tuple) and (len(self.what) > 1 or any(p.varies for way in self.what for p in way))


def check_pattern(pattern: str) -> None:
    """Raise ``PatternError`` unless ``pattern`` is of the accepted kind."""
    if len(pattern) > MOST_CHARACTERS:
        raise PatternError(f"it is longer than {MOST_CHARACTERS} characters")
    reader = _Reader(pattern)
    ways = reader.ways(0)
    if reader.at < len(pattern):
        raise PatternError(f"character {reader.at + 1}: a bracket is closed that was not opened")
    if sum(_unbounded(piece) for way in ways for piece in way) > MOST_UNBOUNDED:
        raise PatternError(f"it repeats without bound in more than {MOST_UNBOUNDED} places")
    for way in ways:
        _refuse_nesting(way)


def for_python(pattern: str) -> str:
    r"""The same pattern as Python's ``re`` must be told it: ``$`` as the very end, ``\d`` and ``\w`` in ASCII."""
    told, at, inside = "", 0, False
    while at < len(pattern):
        letter, following = pattern[at], pattern[at + 1 : at + 2]
        if letter == "\\":
            named = _NAMED.get(following)
            told += letter + following if named is None else named if inside else f"[{named}]"
            at += 2
            continue
        inside = letter == "[" or (inside and letter != "]")
        told += r"\Z" if letter == "$" and at == len(pattern) - 1 else letter
        at += 1
    return told


def _unbounded(piece: _Piece) -> int:
    inner = sum(_unbounded(p) for way in piece.what for p in way) if isinstance(piece.what, tuple) else 0
    return inner + (piece.most >= _UNBOUNDED)


def _refuse_nesting(way: tuple[_Piece, ...]) -> None:
    for piece in way:
        if isinstance(piece.what, _Class):
            continue
        if piece.most > 1 and not _rounds_are_apart(piece.what):
            raise PatternError("it repeats a group that itself repeats or has alternatives")
        for inner in piece.what:
            _refuse_nesting(inner)


def _rounds_are_apart(ways: tuple[tuple[_Piece, ...], ...]) -> bool:
    """Whether a repeated group can be read in one way only: fixed, or led by a sign that tells the rounds apart."""
    if len(ways) == 1 and not any(piece.varies for piece in ways[0]):
        return True
    leads = [_lead(way) for way in ways]
    if None in leads or len(set(leads)) != len(leads):
        return False
    if len(ways) > 1:
        return not any(piece.varies for way in ways for piece in way)
    rest = ways[0][1:]
    return all(isinstance(piece.what, _Class) and not piece.what.takes(leads[0] or "") for piece in rest) and (
        sum(piece.varies for piece in rest) == 1
    )


def _lead(way: tuple[_Piece, ...]) -> str | None:
    if not way or not isinstance(way[0].what, _Class) or (way[0].least, way[0].most) != (1, 1):
        return None
    return way[0].what.only()


@dataclass(slots=True)
class _Reader:
    """Reads a pattern from left to right."""

    text: str
    at: int = 0

    def ways(self, depth: int) -> tuple[tuple[_Piece, ...], ...]:
        if depth > MOST_NESTING:
            raise PatternError(f"its groups are nested deeper than {MOST_NESTING}")
        found = [self._way(depth)]
        while self._peek() == "|":
            self.at += 1
            found.append(self._way(depth))
        return tuple(found)

    def _peek(self, ahead: int = 0) -> str:
        return self.text[self.at + ahead : self.at + ahead + 1]

    def _wrong(self, why: str) -> PatternError:
        return PatternError(f"character {self.at + 1}: {why}")

    def _way(self, depth: int) -> tuple[_Piece, ...]:
        pieces: list[_Piece] = []
        while self.at < len(self.text) and self._peek() not in {"|", ")"}:
            if self._anchor(depth):
                continue
            pieces.append(self._piece(depth))
        return tuple(pieces)

    def _anchor(self, depth: int) -> bool:
        letter = self._peek()
        if letter not in {"^", "$"}:
            return False
        if depth or self.at != (0 if letter == "^" else len(self.text) - 1):
            raise self._wrong("^ may stand only at the very start, $ only at the very end")
        self.at += 1
        return True

    def _piece(self, depth: int) -> _Piece:
        letter = self._peek()
        what: _Class | tuple[tuple[_Piece, ...], ...]
        if letter == "(":
            self.at += 1
            if self._peek() == "?":
                if self._peek(1) != ":":
                    raise self._wrong("of the groups with (? only (?: is allowed")
                self.at += 2
            what = self.ways(depth + 1)
            if self._peek() != ")":
                raise self._wrong("a group is not closed")
            self.at += 1
        elif letter == "[":
            what = self._class()
        elif letter == ".":
            self.at += 1
            what = _Class((("\n", "\n"),), negated=True)
        elif named := self._named():
            what = _Class(named)
        elif letter in {"*", "+", "?", "{", "}", "]"}:
            raise self._wrong(f"{letter} may not stand here; write the characters that are meant, or \\{letter}")
        else:
            sign = self._sign()
            what = _Class(((sign, sign),))
        least, most = self._repeats()
        return _Piece(what, least, most)

    def _named(self) -> tuple[tuple[str, str], ...]:
        """The ranges of a class that has a name, read past; none where the next sign is another."""
        ranges = _NAMED_RANGES.get(self._peek(1), ()) if self._peek() == "\\" else ()
        self.at += 2 if ranges else 0
        return ranges

    def _sign(self) -> str:
        letter = self._peek()
        self.at += 1
        if letter != "\\":
            return letter
        escaped = self._peek()
        if not escaped or escaped not in _SPECIAL:
            raise self._wrong(f"\\{escaped} is read differently by different engines")
        self.at += 1
        return escaped

    def _class(self) -> _Class:
        self.at += 1
        negated = self._peek() == "^"
        self.at += negated
        ranges: list[tuple[str, str]] = []
        while self._peek() != "]":
            if self._peek() in {"", "[", "&", "~"}:
                raise self._wrong("write \\[ , or close the class with ]")
            if named := self._named():
                ranges.extend(named)
                if self._peek() == "-" and self._peek(1) != "]":
                    raise self._wrong("a range may not begin with a class")
                continue
            low = high = self._sign()
            if self._peek() == "-" and self._peek(1) not in {"]", ""}:
                self.at += 1
                high = self._sign()
            if high < low:
                raise self._wrong("a range runs backwards")
            ranges.append((low, high))
        self.at += 1
        if not ranges:
            raise self._wrong("a class is empty")
        return _Class(tuple(ranges), negated)

    def _repeats(self) -> tuple[int, int]:
        letter = self._peek()
        bounds = {"?": (0, 1), "*": (0, _UNBOUNDED), "+": (1, _UNBOUNDED)}.get(letter)
        if bounds is not None:
            self.at += 1
        elif letter == "{":
            end = self.text.find("}", self.at)
            low, comma, high = self.text[self.at + 1 : end].partition(",")
            digits = [part for part in (low, high) if part]
            if end < 0 or not low or not all(part.isascii() and part.isdigit() for part in digits):
                raise self._wrong("a repetition is written {2}, {2,} or {2,5}")
            bounds = (int(low), int(high) if high else (_UNBOUNDED if comma else int(low)))
            if bounds[0] > MOST_REPEATS or MOST_REPEATS < bounds[1] < _UNBOUNDED or bounds[1] < bounds[0]:
                raise self._wrong(f"a repetition goes from few to many, at most {MOST_REPEATS}")
            self.at = end + 1
        else:
            return (1, 1)
        if self._peek() in {"?", "+", "*", "{"} and self._peek():
            raise self._wrong("a repetition may not be repeated, nor be lazy or possessive")
        return bounds
