"""Lines and paragraphs: which lines are joined, and the positions of words after that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.pdf.lines import join_lines, lay_out, lay_out_plain
from rag.pdf.page_breaks import ends_mid_sentence, starts_mid_sentence
from tests.rag.layouts import CHINESE, ENGLISH, LETTER, page_of, paragraph


def test_the_lines_of_a_paragraph_are_joined():
    rows = paragraph(ENGLISH * 2)
    assert len(rows) > 3
    assert join_lines(page_of(*rows), set())[0] == ENGLISH * 2 + "\n"


def test_chinese_lines_are_joined_without_spaces():
    text = CHINESE * 3
    rows = [(72, 100 + 13 * n, text[n * 40 : (n + 1) * 40]) for n in range(-(-len(text) // 40))]
    assert join_lines(page_of(*rows), set())[0] == text + "\n"


def test_a_paragraph_ends_where_the_next_word_would_have_fitted():
    rows = paragraph(ENGLISH)
    rows += [(72, rows[-1][1] + 13, "Short line."), *paragraph(ENGLISH, top=rows[-1][1] + 26)]
    assert join_lines(page_of(*rows), set())[0] == f"{ENGLISH}\nShort line.\n{ENGLISH}\n"


def test_rows_of_a_table_are_not_joined():
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
    assert join_lines(page_of(*rows), set())[0] == (
        "Cash and cash equivalents 1,011,315 876,560\n"
        "Short-term investments 3,749,985 3,111,524\n"
        "Total current assets 5,839,774 4,821,892\n"
    )


def test_rows_of_a_table_are_not_joined_without_line_breaks_either():
    rows = [("New Jersey", "778", "48"), ("Pennsylvania", "660", "55"), ("Missouri", "339", "16")]
    cells = [(72 + 150 * n, 100 + 13 * row, cell) for row, line in enumerate(rows) for n, cell in enumerate(line)]
    assert join_lines(page_of(*cells, line_end=" "), set())[0] == "".join(" ".join(row) + "\n" for row in rows)


def test_bullets_start_paragraphs():
    first, second = paragraph(ENGLISH), paragraph(ENGLISH, top=300)
    bullets = [(x, y, "• " + text if n == 0 else text) for n, (x, y, text) in enumerate(second)]
    page = page_of(*first, *[(x, first[-1][1] + 13 + y - 300, text) for x, y, text in bullets])
    assert join_lines(page, set())[0] == f"{ENGLISH}\n• {ENGLISH}\n"


def test_a_hyphenated_word_has_a_box_on_each_line():
    text = "This is an inter\ufffenational rule\r\n"
    spans = [(0, 4), (5, 7), (8, 10), (11, 16), (17, 25), (26, 30)]
    boxes = [(72, 100, 92, 112), (97, 100, 107, 112), (112, 100, 122, 112), (127, 100, 157, 112),
             (72, 113, 132, 125), (137, 113, 157, 125)]  # fmt: skip
    scaled = np.array(boxes, np.float32) / np.array([*LETTER, *LETTER], np.float32)
    clean, words = join_lines(lay_out(text, np.array(spans, np.int32), scaled, *LETTER), set())
    assert clean == "This is an international rule\n"
    found = words.locate(clean.index("international"), clean.index(" rule"))
    assert [round(box[1] * 792) for box in found] == [100, 113]


def test_a_list_item_starts_a_paragraph_even_after_a_full_line():
    rows = paragraph(ENGLISH.rpartition(" exchange")[0], columns=100)
    rows = [*rows[:-1], (72, rows[-1][1], "• first of them"), (72, rows[-1][1] + 13, "(b) second")]
    assert join_lines(page_of(*rows), set())[0].count("\n") == 3


def test_a_paragraph_may_end_near_the_margin():
    full = "word " * 15 + "words"  # 80 columns
    near = full[: 80 - 12] + "."  # twelve ems of half a letter short: room for the next word, no more
    rows = [(72, 100, full), (72, 113, full), (72, 126, near), (72, 139, "Next one. " + full[:59])]
    assert join_lines(page_of(*rows), set())[0] == f"{full} {full} {near}\nNext one. {full[:59]}\n"


@pytest.mark.parametrize("leader", [".", "_", "…", ". "], ids=["dots", "underscores", "ellipses", "spaced dots"])
def test_entries_of_a_table_of_contents_are_not_joined(leader):
    entries = [
        (title + " " + leader * 80)[:76].rstrip() + f" {page}"
        for title, page in (("Introduction", 101), ("Risk factors", 115), ("Properties", 128), ("Legal", 130))
    ]
    rows = [(72, 100 + 13 * n, entry) for n, entry in enumerate(entries)]
    assert join_lines(page_of(*rows), set())[0] == "\n".join(entries) + "\n"


@pytest.mark.parametrize("lengths", [(50, 60, 40), (60, 50, 56)], ids=["short line first", "long line first"])
def test_the_lines_of_a_centred_title_are_not_joined(lengths):
    titles = [("Consolidated Statement Of " * 4)[:length].strip() for length in lengths]
    rows = [(LETTER[0] / 2 - len(title) * 2.5, 100 + 13 * n, title) for n, title in enumerate(titles)]
    assert join_lines(page_of(*rows), set())[0] == "\n".join(titles) + "\n"


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
    text, words = join_lines(page, {"ab"})
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
    joined, words = join_lines(lay_out_plain(text, *LETTER), set())
    assert len(words) == 0
    assert [c for c in text if not c.isspace() and c != "-"] == [c for c in joined if not c.isspace() and c != "-"]


def test_plain_text_is_joined_by_its_columns():
    lines = [row[2] for row in paragraph(ENGLISH)]
    joined, _ = join_lines(lay_out_plain("\n".join([*lines, "", "Next paragraph."]), *LETTER), set())
    assert joined == f"{ENGLISH}\nNext paragraph.\n"


def test_sentences_that_continue_on_the_next_page():
    whole = page_of(*paragraph(ENGLISH))
    cut = page_of(*paragraph(ENGLISH.rpartition(" exchange")[0]))
    assert not ends_mid_sentence(whole)
    assert ends_mid_sentence(page_of(*paragraph(ENGLISH)[:-1]))
    assert starts_mid_sentence(page_of((72, 72, "exchange for them.")))
    assert not starts_mid_sentence(page_of((72, 72, "Exchange rates")))
    assert starts_mid_sentence(page_of((72, 72, "联盟，并且四次入选职业碗。")))
    assert not starts_mid_sentence(page_of((72, 72, "一、 总则")))
    assert cut.lines


def test_a_line_of_prose_that_is_indented_on_both_sides_goes_on_in_the_next_one():
    """Such a line has the same centre as the full line below it, as those of a title have."""
    first, second = "In the course of the year we opened offices in several places. In the third", "quarter of 2015,"
    full = f"{second} the company entered into agreements to lease further office space in the city"
    indent = (len(full) - len(first)) * 5 / 2
    rows = [(72 + indent, 100, first), (72, 113, full), (72, 126, "and to expand its headquarters.")]
    assert join_lines(page_of(*rows), set())[0] == f"{first} {full} and to expand its headquarters.\n"


def test_a_wide_title_is_no_margin_of_the_column_below():
    rows = paragraph(ENGLISH * 2, columns=40)
    title = (72, 80, "Revenue recognised by companies that lease ships", 14)
    assert join_lines(page_of(title, *rows), set())[0] == f"{title[2]}\n{ENGLISH * 2}\n"


def test_items_whose_bullets_are_drawn_are_not_joined():
    items = [
        "Terminals that arrive late: order them before the end of June",
        "Fares full of errors: two analysts clean them up from July",
        "Staff who resist the change: a newsletter every week",
    ]
    page = page_of(*[(72, 100 + 13 * n, item) for n, item in enumerate(items)])
    assert join_lines(page, set())[0].splitlines() == items
