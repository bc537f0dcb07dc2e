"""Clean-up: characters, hyphens, lines, paragraphs, running lines, readability."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import furniture
from rag.clean import (
    between,
    clean_line,
    clean_word,
    ends_sentence,
    iso_date,
    mend_hyphen,
    needs_cleaning,
    worthy_title,
)
from rag.lines import compose, ends_open, lay_out, lay_out_plain, starts_open
from rag.readable import GARBLED_BELOW, kind_of, readability
from rag.records import PageKind

LETTER = (612.0, 792.0)
ENGLISH = (
    "The company recognises revenue when control of the promised goods is transferred to its customers in an "
    "amount that reflects the consideration it expects to receive in exchange for them."
)
CHINESE = (
    "黑豹队的防守只丢了三百零八分，在联赛中排名第六，同时也以二十四次拦截领先国家橄榄球联盟，并且四次入选职业碗。"
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        pytest.param("ﬁnancial", "financial", id="ligature"),
        pytest.param("oﬄine", "offline", id="long ligature"),
        pytest.param("ＡＢＣ１２３", "ABC123", id="full-width letters and digits"),
        pytest.param("你好，世界。（注）", "你好，世界。（注）", id="full-width punctuation stays"),
        pytest.param("⽤⼾⻚", "用戶页", id="Kangxi and other radicals"),
        pytest.param("10²", "10²", id="a superscript is no digit"),
        pytest.param("6½", "6½", id="a fraction is no pair of digits"),
        pytest.param("inter\u00adnational", "international", id="soft hyphen"),
        pytest.param("a\u200bb\u2060c\ufeffd", "abcd", id="zero width"),
        pytest.param("pay\u202e001\u202c", "pay001", id="bidi controls"),
        pytest.param("a\x00b\x07c\x85d", "abcd", id="controls"),
        pytest.param("non\u2011stop", "non-stop", id="non-breaking hyphen"),
        pytest.param("e\u0301", "é", id="composed"),
        pytest.param("\uf0b7", "•", id="Symbol font bullet"),
        pytest.param("\ue123x", "x", id="private use"),
        pytest.param("\U000e0041\U000e0042", "", id="tag characters"),
        pytest.param("𝐀𝑏", "Ab", id="mathematical letters"),
        pytest.param("ｶﾞ", "ガ", id="half-width Katakana"),
        pytest.param("😀", "😀", id="emoji"),
        pytest.param("ﻻ", "لا", id="Arabic ligature"),
    ],
)
def test_words_are_written_as_they_are_searched(raw, clean):
    assert clean_word(raw) == clean


@given(st.text(max_size=50))
def test_clean_words_are_clean_and_stay_so(word):
    clean = clean_word("".join(word.split()))
    assert clean_word(clean) == clean
    assert not any(character.isspace() for character in clean)
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Co") for c in clean)
    assert not set(clean) & set("\u200b\u200e\u202e\u2066\ufeff\ufffe\u00ad")


@given(st.text(alphabet=st.characters(max_codepoint=0x30FF), max_size=60))
def test_text_that_needs_no_cleaning_is_not_changed_by_it(text):
    if not needs_cleaning(text):
        for word in text.replace("\ufffe", " ").split():
            assert clean_word(word) == word


def test_a_word_of_a_million_marks_is_not_sorted():
    word = "a" + "\u0301\u0316" * 500_000
    assert len(clean_word(word)) == len(word)


@pytest.mark.parametrize(
    ("before", "after", "known", "mended"),
    [
        ("inter-", "national", (), "inter"),
        ("long-", "term", (), "long-"),
        ("on-", "line", {"online"}, "on"),
        ("co-", "operate", {"co-operate"}, "co-"),
        ("Anglo-", "American", (), "Anglo-"),
        ("COVID-", "19", (), "COVID-"),
        ("2018-", "2019", (), "2018-"),
        ("INTER-", "NATIONAL", {"international"}, "INTER"),
        ("INTER-", "NATIONAL", (), "INTER-"),
        ("year-on-", "year", (), "year-on-"),
        ("e-", "mail", (), "e-"),
        ("Geschäfts-", "führer,", (), "Geschäfts"),
        ("and –-", "so", (), None),
        ("-", "so", (), None),
        ("said-", "“quote", (), None),
    ],
)
def test_hyphens_at_line_ends(before, after, known, mended):
    assert mend_hyphen(before, after, known) == mended


@pytest.mark.parametrize(
    ("before", "after", "spaced", "space"),
    [
        ("one", "two", True, " "),
        ("橄榄球", "联盟", True, ""),
        ("联盟，", "并且", True, ""),
        ("联盟", "NFL", True, " "),
        ("联盟", "NFL", False, ""),
        ("联盟，", "NFL", True, ""),
        ("NFL", "。", True, ""),
        ("カタカナ", "ひらがな", True, ""),
        ("한국어", "문장", True, " "),
    ],
)
def test_white_space_between_joined_lines(before, after, spaced, space):
    assert between(before, after, spaced) == space


@pytest.mark.parametrize("text", ["done.", "done.”", "完成。", "完成。」", "(done.)", "why?", "如下："])
def test_sentence_ends(text):
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["", "and", "the (", "完成", "1,5", "”"])
def test_no_sentence_ends(text):
    assert not ends_sentence(text)


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("10-K - 3M Company", "10-K - 3M Company"),
        ("Microsoft Word - Annual Report", "Annual Report"),
        ("Microsoft Word - report.docx", ""),
        ("0000320187-21-000028", ""),
        ("(anonymous)", ""),
        ("Untitled", ""),
        ("年度\u202e报告\x00", "年度报告"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_titles(raw, title):
    assert worthy_title(raw) == title


@pytest.mark.parametrize(
    ("raw", "date"),
    [
        ("D:20230105161720-05'00'", "2023-01-05"),
        ("D:2019", "2019-01-01"),
        ("20190230", ""),
        ("D:20231399", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_dates(raw, date):
    assert iso_date(raw) == date


def test_a_line_is_cut_and_has_no_line_break():
    assert clean_line("a\nb\t c " + "x" * 1_000, 10) == "a b c xxxx"


# Lines and paragraphs ----------------------------------------------------------------------------------------


def page_of(*rows, size=10.0, page=LETTER):
    """A layout from (left, top, text) rows: letters half as wide as high, Chinese ones as wide."""
    text, spans, boxes = "", [], []
    for left, top, line in rows:
        x = left
        for word in line.split(" "):
            wide = [size if ord(c) > 0x2E80 else size / 2 for c in word]
            spans.append((len(text), len(text) + len(word)))
            boxes.append((x, top, x + sum(wide), top + size * 1.2))
            x += sum(wide) + size / 2
            text += word + " "
        text = text[:-1] + "\r\n"
    scaled = np.array(boxes, np.float32).reshape(-1, 4) / np.array([*page, *page], np.float32)
    return lay_out(text, np.array(spans, np.int32).reshape(-1, 2), scaled, *page)


def paragraph(text, left=72.0, top=100.0, columns=80, step=13.0):
    """Rows of `page_of` for a text wrapped at so many columns."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > columns:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [(left, top + number * step, text) for number, text in enumerate([*lines, line])]


def test_the_lines_of_a_paragraph_are_joined():
    rows = paragraph(ENGLISH * 2)
    assert len(rows) > 3
    assert compose(page_of(*rows), set())[0] == ENGLISH * 2 + "\n"


def test_chinese_lines_are_joined_without_spaces():
    text = CHINESE * 3
    rows = [(72, 100 + 13 * n, text[n * 40 : (n + 1) * 40]) for n in range(-(-len(text) // 40))]
    assert compose(page_of(*rows), set())[0] == text + "\n"


def test_a_paragraph_ends_where_the_next_word_would_have_fitted():
    rows = paragraph(ENGLISH)
    rows += [(72, rows[-1][1] + 13, "Short line."), *paragraph(ENGLISH, top=rows[-1][1] + 26)]
    assert compose(page_of(*rows), set())[0] == f"{ENGLISH}\nShort line.\n{ENGLISH}\n"


def test_rows_of_a_table_stay_apart():
    rows = []
    for number, (name, *cells) in enumerate(
        [
            ("Cash and cash equivalents", "1,011,315", "876,560"),
            ("Short-term investments", "3,749,985", "3,111,524"),
            ("Total current assets", "5,839,774", "4,821,892"),
        ]
    ):
        rows.append((72, 100 + 13 * number, name))
        for x, cell in zip((400, 480), cells, strict=True):
            rows.append((x, 100 + 13 * number, cell))
    assert compose(page_of(*rows), set())[0] == (
        "Cash and cash equivalents 1,011,315 876,560\n"
        "Short-term investments 3,749,985 3,111,524\n"
        "Total current assets 5,839,774 4,821,892\n"
    )


def test_bullets_and_indents_start_paragraphs():
    first, second = paragraph(ENGLISH), paragraph(ENGLISH, top=300)
    bullets = [(x, y, "• " + text if n == 0 else text) for n, (x, y, text) in enumerate(second)]
    page = page_of(*first, *[(x, first[-1][1] + 13 + y - 300, text) for x, y, text in bullets])
    assert compose(page, set())[0] == f"{ENGLISH}\n• {ENGLISH}\n"


def test_a_hyphenated_word_has_both_its_boxes():
    text = "This is an inter\ufffenational rule\r\n"
    spans = [(0, 4), (5, 7), (8, 10), (11, 16), (17, 25), (26, 30)]
    boxes = [(72, 100, 92, 112), (97, 100, 107, 112), (112, 100, 122, 112), (127, 100, 157, 112),
             (72, 113, 132, 125), (137, 113, 157, 125)]  # fmt: skip
    scaled = np.array(boxes, np.float32) / np.array([*LETTER, *LETTER], np.float32)
    clean, words = compose(lay_out(text, np.array(spans, np.int32), scaled, *LETTER), set())
    assert clean == "This is an international rule\n"
    found = words.locate(clean.index("international"), clean.index(" rule"))
    assert [round(box[1] * 792) for box in found] == [100, 113]


def test_a_list_starts_a_line_even_after_a_full_one():
    rows = paragraph(ENGLISH.rpartition(" exchange")[0], columns=100)
    rows = [*rows[:-1], (72, rows[-1][1], "• first of them"), (72, rows[-1][1] + 13, "(b) second")]
    assert compose(page_of(*rows), set())[0].count("\n") == 3


def test_a_paragraph_may_end_near_the_margin():
    full = "word " * 15 + "words"  # 80 columns
    near = full[: 80 - 12] + "."  # twelve ems of half a letter short: room for the next word, no more
    rows = [(72, 100, full), (72, 113, full), (72, 126, near), (72, 139, "Next one. " + full[:59])]
    assert compose(page_of(*rows), set())[0] == f"{full} {full} {near}\nNext one. {full[:59]}\n"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 500), st.floats(0, 750),
            st.text(alphabet="ab－-中文。.\u200bﬁ\u00ad\ufb01é1,•", min_size=1, max_size=12).filter(str.strip),
        ),
        max_size=25,
    )
)  # fmt: skip
def test_spans_index_the_cleaned_text(rows):
    page = page_of(*rows)
    kept = list(page.words)
    text, words = compose(page, {"ab"})
    assert len(words) == len(kept)
    assert text == "" or text.endswith("\n")
    flat = words.spans.reshape(-1)
    assert (np.diff(flat) >= 0).all()
    for word, (start, end) in zip(kept, words.spans, strict=True):
        assert text[start:end] in (word, word + "-", word[:-1])  # at the end of a line hyphens come and go
    letters = "".join(kept)
    assert [c for c in letters if c not in "-"] == [c for c in text if not c.isspace() and c not in "-"]


@given(st.text(alphabet="ab 中。.-\n\t\f\u3000é", max_size=300))
def test_plain_text_keeps_its_words(text):
    joined, words = compose(lay_out_plain(text, *LETTER), set())
    assert len(words) == 0
    assert [c for c in text if not c.isspace() and c != "-"] == [c for c in joined if not c.isspace() and c != "-"]


def test_plain_text_is_joined_by_its_columns():
    lines = [row[2] for row in paragraph(ENGLISH)]
    joined, _ = compose(lay_out_plain("\n".join([*lines, "", "Next paragraph."]), *LETTER), set())
    assert joined == f"{ENGLISH}\nNext paragraph.\n"


def test_what_flows_to_the_next_page():
    whole = page_of(*paragraph(ENGLISH))
    cut = page_of(*paragraph(ENGLISH.rpartition(" exchange")[0]))
    assert not ends_open(whole)
    assert ends_open(page_of(*paragraph(ENGLISH)[:-1]))
    assert starts_open(page_of((72, 72, "exchange for them.")))
    assert not starts_open(page_of((72, 72, "Exchange rates")))
    assert starts_open(page_of((72, 72, "联盟，并且四次入选职业碗。")))
    assert not starts_open(page_of((72, 72, "一、 总则")))
    assert cut.lines


# Running headers and footers ---------------------------------------------------------------------------------


def pages_with(header, footer, count=6, body="Body of page {n} with words of its own: {w}."):
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]
    return {
        n: page_of(
            (72, 30, header.format(n=n + 1)),
            (72, 100, body.format(n=n, w=words[n % 8])),
            (72, 113, f"More on {words[-n % 8]} and nothing else."),
            (290, 760, footer.format(n=n + 1)),
        )
        for n in range(count)
    }


def test_running_lines_are_taken_out():
    pages = pages_with("Annual Report 2024 · page {n}", "- {n} -")
    furniture.take_out(pages)
    assert pages[2].furniture == ["Annual Report 2024 · page 3", "- 3 -"]
    assert pages[2].text_of(pages[2].lines[0]).startswith("Body of page 2")
    assert len(pages[2].lines) == 2


def test_the_only_text_of_a_page_stays():
    pages = {n: page_of((72, 30, "Confidential"), (290, 760, str(n + 1))) for n in range(5)}
    furniture.take_out(pages)
    assert all(len(page.lines) == 2 and not page.furniture for page in pages.values())


def test_two_pages_prove_nothing():
    pages = pages_with("Annual Report", "{n}", count=2)
    furniture.take_out(pages)
    assert all(len(page.lines) == 4 for page in pages.values())


def test_numbers_that_do_not_count_with_the_pages_stay():
    pages = pages_with("Report", "{n}", count=6)
    values = [7, 3, 99, 12, 54, 31]
    for number, page in pages.items():
        page.words[-1] = str(values[number])
    furniture.take_out(pages)
    assert pages[1].text_of(pages[1].lines[-1]) == "3"


def test_a_form_that_returns_on_every_page_is_kept():
    rows = [(72, 60 + 13 * n, f"Line {word} of the form") for n, word in enumerate("abcdefgh")]
    pages = {n: page_of(*rows) for n in range(5)}
    furniture.take_out(pages)
    assert all(len(page.lines) == 8 for page in pages.values())


# Readability -------------------------------------------------------------------------------------------------

SHIFTED = "".join(chr(ord(c) + 3) if c.isalpha() else c for c in ENGLISH)
LATIN_MOJIBAKE = CHINESE.encode("gbk").decode("latin-1")
MOJIBAKE = CHINESE.encode("utf-8").decode("gbk", "ignore")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ENGLISH, id="English"),
        pytest.param(CHINESE, id="Chinese"),
        pytest.param(ENGLISH + CHINESE, id="mixed"),
        pytest.param(
            "Der Vorstand hat im Geschäftsjahr über die Prüfung berichtet und Maßnahmen " * 3, id="German"
        ),
        pytest.param("1,234 5,678 (9,012) 3.4% $ 56" * 20, id="numbers"),
        pytest.param("国際連合は、平和と安全を維持するために設立された国際機関である。" * 3, id="Japanese"),
        pytest.param(
            "國際聯合組織成立於一九四五年，總部設於紐約，宗旨是維護國際和平與安全。" * 3, id="traditional"
        ),
        pytest.param(
            "Компания признаёт выручку, когда контроль над товарами передан покупателю." * 3, id="Russian"
        ),
        pytest.param("hello hello hello " * 30, id="few letters over and over"),
        pytest.param("", id="nothing"),
    ],
)
def test_text_is_readable(text):
    assert readability(text) > 0.85


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SHIFTED, id="shifted letters"),
        pytest.param(LATIN_MOJIBAKE, id="GBK read as Latin-1"),
        pytest.param(MOJIBAKE, id="UTF-8 read as GBK"),
        pytest.param("/g12/g34/g56/g78 " * 20, id="glyph names"),
        pytest.param("(cid:12)(cid:345)" * 20, id="character numbers"),
        pytest.param("\x01\x02\x03 \x04\x05" * 20, id="controls"),
        pytest.param("\ue001\ue002\ue003" * 20, id="private use"),
        pytest.param("\ufffd" * 50 + "some words", id="replacement characters"),
    ],
)
def test_gibberish_is_not(text):
    assert readability(text) < GARBLED_BELOW


@pytest.mark.parametrize(
    ("text", "objects", "kind"),
    [
        (ENGLISH, {}, PageKind.TEXT),
        (SHIFTED, {}, PageKind.GARBLED),
        ("", {"images": 1, "cover": 1.0}, PageKind.SCANNED),
        ("", {"paths": 500}, PageKind.SCANNED),
        ("", {}, PageKind.EMPTY),
        ("", {"paths": 2}, PageKind.EMPTY),
        ("12", {"images": 1, "cover": 0.95}, PageKind.SCANNED),
        ("12", {"images": 1, "cover": 0.1}, PageKind.TEXT),
        (ENGLISH, {"images": 1, "cover": 1.0}, PageKind.TEXT),
    ],
)
def test_kinds_of_pages(text, objects, kind):
    assert kind_of(text, readability(text), **objects) is kind
