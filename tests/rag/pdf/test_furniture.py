"""Running headers and footers are told from the body of pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.pdf import furniture
from tests.rag.layouts import page_of


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


def test_running_headers_and_footers_are_removed():
    pages = pages_with("Annual Report 2024 · page {n}", "- {n} -")
    furniture.remove_running_lines(pages)
    assert pages[2].furniture == ["Annual Report 2024 · page 3", "- 3 -"]
    assert pages[2].text_of(pages[2].lines[0]).startswith("Body of page 2")
    assert len(pages[2].lines) == 2


def test_the_only_text_of_a_page_is_kept():
    pages = {n: page_of((72, 30, "Confidential"), (290, 760, str(n + 1))) for n in range(5)}
    furniture.remove_running_lines(pages)
    assert all(len(page.lines) == 2 and not page.furniture for page in pages.values())


def test_lines_on_two_pages_only_are_kept():
    pages = pages_with("Annual Report", "Confidential", count=2)
    furniture.remove_running_lines(pages)
    assert all(len(page.lines) == 4 for page in pages.values())


def test_a_line_that_numbers_both_pages_of_a_document_is_removed():
    pages = pages_with("Lease of 2024", "Lease · {n} of 2", count=2)
    furniture.remove_running_lines(pages)
    assert [page.furniture for page in pages.values()] == [["Lease · 1 of 2"], ["Lease · 2 of 2"]]


def test_lines_of_two_pages_that_differ_by_more_than_their_page_are_kept():
    pages = pages_with("Annual Report", "Sum carried over: {n}", count=2)
    last = pages[1]
    last.words[-1] = "7"
    furniture.remove_running_lines(pages)
    assert all(len(page.lines) == 4 for page in pages.values())


def test_numbers_that_do_not_count_with_the_pages_are_kept():
    pages = pages_with("Report", "{n}", count=6)
    values = [7, 3, 99, 12, 54, 31]
    for number, page in pages.items():
        page.words[-1] = str(values[number])
    furniture.remove_running_lines(pages)
    assert pages[1].text_of(pages[1].lines[-1]) == "3"


def test_a_form_that_recurs_on_every_page_is_kept():
    rows = [(72, 60 + 13 * n, f"Line {word} of the form") for n, word in enumerate("abcdefgh")]
    pages = {n: page_of(*rows) for n in range(5)}
    furniture.remove_running_lines(pages)
    assert all(len(page.lines) == 8 for page in pages.values())


def test_a_line_that_recurs_at_changing_heights_is_kept():
    pages = {
        n: page_of(
            (72, 30, "ACME Report"),
            (72, 60 + 30 * (n % 3), "Overview"),
            *((72, 220 + 13 * row, f"Body line {row} of page {word}") for row in range(5)),
        )
        for n, word in enumerate("abcdef")
    }
    furniture.remove_running_lines(pages)
    assert all(page.furniture == ["ACME Report"] for page in pages.values())
    assert all(page.text_of(page.lines[0]) == "Overview" for page in pages.values())


def test_a_line_that_recurs_on_scattered_pages_only_is_kept():
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]
    pages = {
        n: page_of(
            (72, 30, "Notes to the statements" if n % 8 == 0 else f"Text {words[n % 8]} {words[n // 8]}"),
            (72, 100, f"Body {words[n // 8]} of {words[n % 8]}"),
            (72, 113, f"More {words[n % 8]} on {words[n // 8]}"),
        )
        for n in range(64)
    }
    furniture.remove_running_lines(pages)
    assert not any(page.furniture for page in pages.values())


@pytest.mark.parametrize("line", ["#", "# {n}", "İ", "İİ", "{n} İ", "№ {n}", "Ⅳ", "²", "٣"])
def test_unusual_numerals_and_letters_at_an_edge_raise_no_error(line):
    pages = pages_with(line, "- {n} -")
    for number in (1, 4):  # among lines of nothing but a number
        pages[number] = pages_with("{n}", line)[number]
    furniture.remove_running_lines(pages)
    assert all(page.lines for page in pages.values())


def test_a_number_sign_is_not_taken_for_a_page_number():
    pages = pages_with("#", "{n}")
    furniture.remove_running_lines(pages)
    assert pages[2].furniture == ["#", "3"]


@given(st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=3, max_size=6))
def test_no_header_text_raises_an_error(headers):
    pages = {n: page_of((72, 30, header), (72, 100, f"Body {n}")) for n, header in enumerate(headers)}
    furniture.remove_running_lines(pages)
    assert all(page.lines for page in pages.values())
