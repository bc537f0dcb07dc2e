"""Changes of one sentence: five rewordings that keep what it says, and eight alterations that do not."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Material:
    """What a change is made from."""

    text: str  # the sentence
    following: str  # the next one on the page
    names: tuple[str, ...]  # of the document


def _read_pairs() -> dict[str, Pairs]:
    """The lists of the file beside this module, by their section."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in (Path(__file__).parent / "claim_pairs.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "|" in line:
            one, other = line.split("|")
            found.setdefault(section, []).append((one, other))
    return dict(found)


_PAIRS: Final = _read_pairs()

Change = Callable[[Material, random.Random], str | None]

SYNONYMS: Final = _PAIRS["synonyms"]
ADVERBS: Final = re.compile(
    r"\b(?:primarily|mainly|generally|also|typically|currently|often|usually|eventually|still|even|particularly|especially"
    r"|significantly|approximately|then|further|together|already|largely|however,|therefore,|thus,)\s|(?:也|还|非常|往往|通常|"
    r"目前|特别|尤其|甚至|已经|大约|进一步|主要)",
    re.IGNORECASE,
)
DIRECTIONS: Final = _PAIRS["directions"]
COMPARISONS: Final = _PAIRS["comparisons"]
UNITS: Final = _PAIRS["units"]
SCALES: Final = _PAIRS["scales"]
MONTHS: Final = "January February March April May June July August September October November December".split()
NEGATIONS: Final = re.compile(
    r"\b(is|are|was|were|can|could|will|would|has|have|had|may|might|should|must|does|did|do)\b"
    r"(?!\s(?:not|n't|been no))"
)
HAN_NEGATIONS: Final = _PAIRS["negations"]
WORDS: Final = {
    2: "two",
    3: "three",
    4: "four",
    5: "five",
    6: "six",
    7: "seven",
    8: "eight",
    9: "nine",
    10: "ten",
    12: "twelve",
}
HAN_DIGITS: Final = "零一二三四五六七八九"
NUMBER: Final = re.compile(r"(?<![\w.,/-])\$?\d{1,3}(?:,\d{3})*(?:\.\d+)?(?![\d/-]|,\d)")
YEAR: Final = re.compile(r"(?<![\d.,$])(?:1[5-9]|20)\d\d(?![\d,.]\d|\d|%)")


def _replace(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def _swap(text: str, pairs: Pairs, chance: random.Random, *, both_ways: bool, behind: str = "") -> str | None:
    """Replace one word that a pair names; in letters as a whole word; `behind`: a pattern that stands before it."""
    found: list[tuple[re.Match[str], str]] = []
    for one, other in (*pairs, *((b, a) for a, b in pairs if both_ways)):
        word = rf"(?<![A-Za-z]){re.escape(one)}(?![A-Za-z])" if one.isascii() else re.escape(one)
        for match in re.finditer(rf"(?<={behind}){word}" if behind else word, text, re.IGNORECASE):
            found.append((match, other))
    if not found:
        return None
    match, other = chance.choice(found)
    return _replace(text, match, other.capitalize() if match[0][:1].isupper() and len(match[0]) > 1 else other)


def verbatim(material: Material, _chance: random.Random) -> str | None:
    """The sentence as it stands."""
    return material.text


def synonym(material: Material, chance: random.Random) -> str | None:
    """A word replaced by one that means the same."""
    return _swap(material.text, SYNONYMS, chance, both_ways=False)


def dropped_adverb(material: Material, chance: random.Random) -> str | None:
    """An adverb left out."""
    found = [match for match in ADVERBS.finditer(material.text) if match.start()]
    return _replace(material.text, chance.choice(found), "") if found else None


def clause_order(material: Material, _chance: random.Random) -> str | None:
    """An opening phrase moved to the end."""
    if match := re.fullmatch(
        r"((?:In|On|During|After|Before|By|At|For|Since|Although|While|When|If) [^,]{3,80}), (.{20,})\.", material.text
    ):
        rest = match[2] if re.match(r"[A-Z][a-z]+ [A-Z]|I\b", match[2]) else match[2][0].upper() + match[2][1:]
        return f"{rest} {match[1][0].lower()}{match[1][1:]}."
    if match := re.fullmatch(r"((?:在|自|从|到|截至|根据|由于|当)[^，,。]{2,30})[，,]([^。]{8,})。", material.text):
        return f"{match[2]}，{match[1]}。"
    return None


def number_form(material: Material, chance: random.Random) -> str | None:
    """A number or date in another form."""
    text = material.text
    forms: list[str] = []
    for match in re.finditer(r"(?<![\d.,])(\d{1,3}(?:\.\d)?) (million|billion)\b", text):
        down = {"million": ("thousand", 1000), "billion": ("million", 1000)}[match[2]]
        forms.append(_replace(text, match, f"{float(match[1]) * down[1]:,.0f} {down[0]}"))
    for match in re.finditer(r"(\d)( percent|%)", text):
        forms.append(_replace(text, match, match[1] + ("%" if match[2] != "%" else " percent")))
    for match in re.finditer(rf"\b({'|'.join(MONTHS)}) (\d{{1,2}}), ((?:19|20)\d\d)", text):
        forms.append(_replace(text, match, f"{match[3]}-{MONTHS.index(match[1]) + 1:02}-{int(match[2]):02}"))
        forms.append(_replace(text, match, f"{match[2]} {match[1]} {match[3]}"))
    for number, word in WORDS.items():
        forms += [_replace(text, match, str(number)) for match in re.finditer(rf"\b{word}\b(?! of)", text)]
        forms += [
            _replace(text, match, word) for match in re.finditer(rf"(?<![\d.,$£€/-]){number}(?= [a-z]{{3,}})", text)
        ]
    for match in re.finditer(r"(\d{4})年(\d{1,2})月(\d{1,2})日", text):
        forms.append(_replace(text, match, f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}"))
    for match in re.finditer(r"(?<![\d.,])(\d{1,2})(?:\.(\d))?[%％]", text):
        decimals = f"点{HAN_DIGITS[int(match[2])]}" if match[2] else ""
        forms.append(_replace(text, match, f"百分之{_in_han(int(match[1]))}{decimals}"))
    for match in re.finditer(r"(?<![\d.,])(\d{1,4})万(?!亿)", text):
        forms.append(_replace(text, match, f"{int(match[1]) * 10000:,}"))
    for match in re.finditer(r"(?<![\d.,])([2-9])(?=[个名位种座])", text):
        forms.append(_replace(text, match, HAN_DIGITS[int(match[1])]))
    return chance.choice(forms) if forms else None


def _in_han(number: int) -> str:
    """A number below 100 in Chinese."""
    tens, ones = divmod(number, 10)
    head = ("" if tens == 1 else HAN_DIGITS[tens]) + "十" if tens else ""
    return head + (HAN_DIGITS[ones] if ones or not tens else "")


def merged(material: Material, _chance: random.Random) -> str | None:
    """Two sentences made one."""
    following = material.following
    if not 30 <= len(following) <= 200 or "\n" in following or following[-1] not in ".。":
        return (
            None
            if not 12 <= len(following) <= 80 or following[-1:] != "。"
            else material.text[:-1] + "，而且" + following
        )
    if material.text[-1] == "。":
        return f"{material.text[:-1]}；{following}"
    if re.match(r"(?:The|It|They|This|These|He|She|In|A) ", following):
        return f"{material.text[:-1]}, and {following[0].lower()}{following[1:]}"
    return None


def number(material: Material, chance: random.Random) -> str | None:
    """Another number."""
    found = [match for match in NUMBER.finditer(material.text) if not YEAR.match(material.text, match.start())]
    if not found:
        return None
    match = chance.choice(found)
    digits = [n for n, character in enumerate(match[0]) if character.isdigit()]
    place = chance.choice(digits[: max(1, len(digits) - 1)])
    new = chance.choice([digit for digit in "123456789" if digit != match[0][place]])
    return _replace(material.text, match, match[0][:place] + new + match[0][place + 1 :])


def unit(material: Material, chance: random.Random) -> str | None:
    """Another unit."""
    behind_number = _swap(
        material.text, [pair for pair in UNITS if pair[0] not in "$£"], chance, both_ways=False, behind=r"\d"
    )
    spaced = _swap(
        material.text, [pair for pair in UNITS if pair[0] not in "$£年"], chance, both_ways=False, behind=r"\d "
    )
    money = None
    if match := re.search(r"[$£](?=\d)", material.text):
        money = _replace(material.text, match, "€" if match[0] == "$" else "$")
    choices = [one for one in (behind_number, spaced, money) if one and not re.search(r"\d{4}个月", one)]
    return chance.choice(choices) if choices else None


def scale(material: Material, chance: random.Random) -> str | None:
    """Another scale."""
    behind = _swap(material.text, SCALES, chance, both_ways=False, behind=r"\d")
    spaced = _swap(material.text, SCALES, chance, both_ways=False, behind=r"\d ")
    choices = [one for one in (behind, spaced) if one]
    return chance.choice(choices) if choices else None


def date(material: Material, chance: random.Random) -> str | None:
    """Another year or month."""
    forms: list[str] = []
    for match in YEAR.finditer(material.text):
        forms.append(_replace(material.text, match, str(int(match[0]) + chance.choice([-10, -3, -2, -1, 1, 2, 4, 10]))))
    for match in re.finditer(rf"\b(?:{'|'.join(MONTHS)}) (?=\d)", material.text):
        forms.append(
            _replace(material.text, match, chance.choice([one for one in MONTHS if one not in match[0]]) + " ")
        )
    return chance.choice(forms) if forms else None


def name(material: Material, chance: random.Random) -> str | None:
    """Another name of the same document."""
    own = [
        one
        for one in material.names
        if re.search(rf"(?<!\w){re.escape(one)}(?!\w)" if one.isascii() else one, material.text)
    ]
    others = [one for one in material.names if one not in material.text]
    if not own or not others:
        return None
    old = chance.choice(own)
    alike = [one for one in others if one.isascii() == old.isascii() and not set(one.split()) & set(old.split())]
    return material.text.replace(old, chance.choice(alike)) if alike else None


def negation(material: Material, chance: random.Random) -> str | None:
    """A negation put in, or taken out."""
    text = material.text
    for pattern in (r"\s(?:not|never)\b", r"n't\b", r"(?<!得)不(?=[是能会需可属])|没有(?=[被发])|未(?=[被能受])"):
        if match := re.search(pattern, text):
            return _replace(text, match, "")
    if found := list(NEGATIONS.finditer(text)):
        match = chance.choice(found)
        return _replace(text, match, f"{match[1]} not")
    return _swap(text, HAN_NEGATIONS, chance, both_ways=False) if not text.isascii() else None


def direction(material: Material, chance: random.Random) -> str | None:
    """The opposite direction."""
    return _swap(material.text, DIRECTIONS, chance, both_ways=True)


def comparison(material: Material, chance: random.Random) -> str | None:
    """The opposite comparison."""
    return _swap(material.text, COMPARISONS, chance, both_ways=True)


REWORDINGS: Final[dict[str, Change]] = {
    "verbatim": verbatim,
    "reworded: synonym": synonym,
    "reworded: adverb dropped": dropped_adverb,
    "reworded: clause order": clause_order,
    "reworded: form of number": number_form,
    "reworded: sentences merged": merged,
}
ALTERATIONS: Final[dict[str, Change]] = {
    "number": number,
    "unit": unit,
    "scale": scale,
    "date": date,
    "name": name,
    "negation": negation,
    "direction": direction,
    "comparison": comparison,
}
