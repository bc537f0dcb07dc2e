import re
from pathlib import Path

import pytest

from rag.records import PageKind
from webui import strings
from webui.listing import Order
from webui.strings import LANGUAGES, all_words, pick_language, say

WEBUI = Path(strings.__file__).parent
SCALES = ("percent", "thousand", "ten thousand", "million", "hundred million", "billion")  # of a short answer
KEYS = sorted(all_words())


def places(text):
    return sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("key", KEYS)
def test_both_languages_say_it_with_the_same_places(key):
    english, chinese = all_words()[key]
    assert english.strip()
    assert chinese.strip()
    assert places(english) == places(chinese)


def test_every_word_used_is_there_and_every_word_there_is_used():
    files = [path for path in WEBUI.rglob("*.py") if path.name != "strings.py"] + [*WEBUI.rglob("*.html")]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    said = set(re.findall(r"""say\(\s*(?:[\w."]+(?:\.language)?,\s*)?["'](\w+)["']""", code))
    assert said <= set(KEYS)
    quoted = set(re.findall(r"""["'](\w+)["']""", code)) | {
        f"kind_{kind}" for kind in ("ocr", "scanned", "garbled", "empty", "failed")
    }
    states = {"waiting", "reading", "embedding", "ocr", "locked"}
    states |= {f"sort_{order}" for order in Order} | {f"is_{kind}" for kind in PageKind}
    states |= {"language_en", "language_zh"}
    states |= {f"scale_{scale.replace(' ', '_')}" for scale in SCALES}
    assert set(KEYS) - quoted - states == set()


def test_chinese_words_are_chinese():
    for key in KEYS:
        if key not in (
            "language",
            "page_count",
            "scale_percent",
            "named_value",
            "quoted_value",
            "collection_members",
            "list_separator",
        ):
            assert re.search(r"[\u4e00-\u9fff]", say("zh", key)), key


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        (None, None, "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, "fr-FR,zh;q=0.5", "zh"),
        (None, "de", "en"),
        ("zh", "en", "zh"),
        ("en", "zh", "en"),
        ("<script>", "zh", "zh"),
    ],
)
def test_language_follows_the_choice_then_the_browser(cookie, accept, language):
    assert pick_language(cookie, accept) == language
    assert language in LANGUAGES
