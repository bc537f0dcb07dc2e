"""The outline made of the headings that a text has."""

from __future__ import annotations

from rag.pdf.found_outline import found_outline

PROSE = "The group sells tools in nine countries, and has done so for more than forty years without a break.\n"
REPORT = (
    "UNITED STATES\nSECURITIES AND EXCHANGE COMMISSION\n" + PROSE,
    "PART I 2\nItem 1. Business 2\nItem 1A. Risk Factors 3\nItem 2. Properties 4\nItem 3. Legal Proceedings 4\n",
    f"PART I\nItem 1. Business.\nDescription of Business\n{PROSE}Tools 4,218\nBraftovi Brand 2031\n{PROSE}",
    f"Item 1A. Risk Factors.\nStrategic Risks\n{PROSE}",
    f"PART II\nItem 5. Market for Our Shares\n{PROSE}",
)


def test_parts_sections_and_other_headings_make_levels_without_cover_and_table_of_contents() -> None:
    outline = [(one.level, one.page, one.title) for one in found_outline(enumerate(REPORT))]
    assert outline == [
        (1, 2, "PART I"),
        (2, 2, "Item 1. Business"),
        (3, 2, "Description of Business"),
        (2, 3, "Item 1A. Risk Factors"),
        (3, 3, "Strategic Risks"),
        (1, 4, "PART II"),
        (2, 4, "Item 5. Market for Our Shares"),
    ]


def test_chinese_chapters_and_sections_are_found() -> None:
    text = "第{}章 经营情况\n第一节 主要业务\n公司主要从事精密仪器的研发、生产和销售，产品远销海外多个国家和地区。\n"
    outline = found_outline((n, text.format("一二三"[n])) for n in range(2))
    assert [(one.level, one.title) for one in outline][:2] == [(1, "第一章 经营情况"), (2, "第一节 主要业务")]


def test_a_text_with_hardly_a_heading_has_no_outline() -> None:
    assert found_outline(enumerate([PROSE] * 20 + ["Strategic Risks\n" + PROSE])) == ()
