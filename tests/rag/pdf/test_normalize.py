"""Normalisation of words, hyphens and white space at line ends, titles and dates."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.pdf.normalize import (
    clean_line,
    clean_word,
    ends_sentence,
    iso_date,
    meaningful_title,
    mend_hyphen,
    needs_cleaning,
    space_between_lines,
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        pytest.param("ﬁnancial", "financial", id="ligature"),
        pytest.param("oﬄine", "offline", id="long ligature"),
        pytest.param("ＡＢＣ１２３", "ABC123", id="full-width letters and digits"),
        pytest.param("你好，世界。（注）", "你好，世界。（注）", id="full-width punctuation stays"),
        pytest.param("⽤⼾⻚", "用戶页", id="Kangxi and other radicals"),
        pytest.param("10²", "10²", id="superscripts stay"),
        pytest.param("6½", "6½", id="fractions stay"),
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
def test_words_are_normalised_for_search(raw, clean):
    assert clean_word(raw) == clean


@given(st.text(max_size=50))
def test_cleaning_is_complete_and_idempotent(word):
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


def test_a_word_of_a_million_marks_keeps_the_first_thirty():
    assert clean_word("a" + "\u0301\u0316" * 500_000) == unicodedata.normalize("NFC", "a" + "\u0301\u0316" * 15)


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
    assert space_between_lines(before, after, spaced) == space


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
    assert meaningful_title(raw) == title


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


def test_a_title_is_truncated_to_one_line():
    assert clean_line("a\nb\t c " + "x" * 1_000, 10) == "a b c xxxx"
