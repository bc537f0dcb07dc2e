"""Names in the other script (Chinese or Latin): well-known ones from a list, transliterated ones by their sound."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

LONGEST: Final = 8  # characters of a listed Chinese name
_GENERIC_END: Final = re.compile(r"(?:股份有限公司|有限公司|股份公司|公司|集团)$")
MIN_SOUND: Final = 3  # Chinese characters of a name from which on its sound is distinctive
MIN_ALIKE: Final = 0.75  # likeness of two sounds, 0..1, from which on one name may be the other

# The consonants of the characters with which foreign names are written in Chinese, similar ones treated as one:
# P b p, T t d, K g k, S s z c j x, L l r, F f v w, with N for a final n or ng.
_CONSONANTS: Final = {
    "": "于亚伊厄埃奥娅尤欧爱约耶艾阿雅",
    "F": "乌威弗武沃法瓦福维菲薇费韦佛",
    "FN": "万温芬",
    "H": "哈海胡赫霍",
    "HN": "亨汉翰",
    "K": "伽克凯卡古库戈柯格盖科歌",
    "KN": "坎康昆根肯",
    "L": "丽列利劳勒卢尔拉洛热瑞罗茹莉莱蕾路里雷鲁黎",
    "LN": "伦兰朗林琳让连隆仑",
    "M": "姆密摩梅玛穆米莫迈马麦",
    "MN": "明曼蒙",
    "N": "内努因奈妮娜安尼恩扬纳英诺涅",
    "P": "伯佩勃博巴布帕彼普比波珀皮贝芭堡柏培蒲",
    "PN": "本",
    "S": "乔休佐兹切加史吉基塞夏奇希思扎斯施朱杰查沙泽索肖舍苏茨莎萨西谢贾丝琪赛",
    "SN": "圣桑森珍琼詹辛逊金珊",
    "T": "图塔多德戴托提杜泰特蒂达迪道黛",
    "TN": "丁丹坦汤邓顿",
}
_SOUND_OF: Final = {character: sound for sound, characters in _CONSONANTS.items() for character in characters}
_SPELT: Final = (  # letters that stand for one consonant, longest first
    ("tch", "S"), ("sch", "S"), ("tion", "SN"), ("sh", "S"), ("ch", "S"), ("ph", "F"), ("th", "T"), ("ck", "K"),
    ("gh", "K"), ("qu", "K"), ("x", "KS"),
)  # fmt: skip
_LETTERS: Final = dict(zip("bpmfvwdtnlrgkcqhjzs", "PPMFFFTTNLLKKKKHSSS", strict=True))
_NEAR: Final = {frozenset(pair): 0.5 for pair in ("PF", "HF", "HK", "SK", "ST", "MN")} | {frozenset("LN"): 0.7}
_WEAK: Final = frozenset("LHF")  # consonants that are often left out or put in: Harvard 哈佛, Warsaw 华沙


@cache
def _listed() -> dict[str, tuple[str, ...]]:
    """Name, folded -> its forms in the other script."""
    found: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("translated_names.txt").read_text("utf-8").splitlines():
        if "|" in line and not line.startswith("#"):
            latin, chinese = ([form.strip() for form in side.split(" / ")] for side in line.split("|"))
            for names, others in ((latin, chinese), (chinese, latin)):
                for name in names:
                    found.setdefault(name.casefold(), []).extend(others)
    return {name: tuple(dict.fromkeys(others)) for name, others in found.items()}


def translations(name: str) -> tuple[str, ...]:
    """What a name is called in the other script; () if it is not listed."""
    return _listed().get(name.casefold()) or _listed().get(_GENERIC_END.sub("", name).casefold(), ())


def listed_at_start(text: str) -> str:
    """The longest listed Chinese name that a text begins with; "" for none."""
    starts = (text[:length] for length in range(min(LONGEST, len(text)), 1, -1))
    return next((start for start in starts if start in _listed()), "")


def in_other_script(text: str, name: str, other: str) -> str:
    """A text with a name written as in the other script, set off from Latin letters and figures beside it."""
    spaced = re.sub(rf"(?<=[A-Za-z0-9]){re.escape(name)}", f" {name}", text)
    spaced = re.sub(rf"{re.escape(name)}(?=[A-Za-z0-9])", f"{name} ", spaced)
    return spaced.replace(name, other)


# ---- by sound


def is_transliterated(name: str) -> bool:
    """Whether a Chinese name is written only by its sound: 特斯拉, 约翰·埃尔维."""
    characters = name.replace("·", "")
    return len(characters) >= MIN_SOUND and all(character in _SOUND_OF for character in characters)


def sounds_like_one_of(name: str, words: Iterable[str]) -> bool:
    """Whether the last part of a transliterated name sounds like one of the words in Latin letters."""
    sound = _merged("".join(_SOUND_OF.get(character, "") for character in name.split("·")[-1]))
    return any(likeness(sound, sound_of_latin(word)) >= MIN_ALIKE for word in words)


@cache
def sound_of_latin(word: str) -> str:
    """The consonants of a word in Latin letters: Tesla -> TSL."""
    word = word.casefold()
    for letters, sound in _SPELT:
        word = word.replace(letters, sound)
    word = re.sub("[cg](?=[eiy])", "S", word)
    return _merged("".join(_LETTERS.get(letter, letter if letter.isupper() else "") for letter in word))


def _merged(sound: str) -> str:
    return re.sub(r"(.)\1+", r"\1", sound)


def likeness(one: str, other: str) -> float:
    """How alike two sounds are, 0..1: one minus their edit distance, where weak and near consonants cost less."""
    longest = max(len(one), len(other))
    return max(0.0, 1 - _distance(one, other) / longest) if longest else 0.0


def _distance(one: str, other: str) -> float:
    previous = [0.0]
    for sound in other:
        previous.append(previous[-1] + _cost(sound))
    for sound in one:
        current = [previous[0] + _cost(sound)]
        for n, against in enumerate(other):
            replaced = 0.0 if sound == against else _NEAR.get(frozenset((sound, against)), 1.0)
            options = (previous[n] + replaced, previous[n + 1] + _cost(sound), current[n] + _cost(against))
            current.append(min(options))
        previous = current
    return previous[-1]


def _cost(sound: str) -> float:
    return 0.5 if sound in _WEAK else 1.0
