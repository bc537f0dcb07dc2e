"""The library in a real browser: long names, removal with undo, filter, ranges, order, and a list of a thousand."""

from dataclasses import replace

import pytest

from rag.answer.introduction.record import Introduction, KeySentence
from rag.ingest.waiting import Adding
from rag.messages import Message
from rag.records import DocumentDetails, Heading, Job, JobState, PageKind
from tests.browser.test_page import answered, ask, ready
from tests.waiting import until
from tests.webui.fake_engine import PASSAGE, FakeEngine, document

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REPORT = "Annual report of the Northern Harbour and Railway Company for the fiscal year {}.pdf"


@pytest.fixture
def engine(tmp_path):
    engine = FakeEngine(tmp_path / "data")
    engine.passages = [PASSAGE]
    engine.answer = [("Revenue grew to 4,218 million euros.", (1,))]
    return engine


def shown(page):
    return page.evaluate(
        "[...document.querySelectorAll('.document')].filter((row) => !row.hidden)"
        ".map((row) => row.querySelector('.name').textContent)"
    )


def ticked(page):
    return page.evaluate(
        "[...document.querySelectorAll('.document')].filter((row) => row.querySelector('input').checked)"
        ".map((row) => row.querySelector('.name').textContent)"
    )


def scope(page, words):
    page.wait_for_selector(f".scope:has-text('{words}')")


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_a_long_name_stays_in_the_panel_and_shows_how_it_ends(engine, served, visit, size):
    engine.library = [document(REPORT.format(year)) for year in (2022, 2023)]
    engine.library += [document("x" * 300 + "_end.pdf")]
    page = ready(visit(served(engine), size=size))
    if size[0] < 500:
        page.click(".panels [data-panel=library]")
    panel = page.locator("#library-panel").bounding_box()
    for row in page.locator(".document").all():
        end, info = row.locator(".end").bounding_box(), row.locator(".info").bounding_box()
        assert end["x"] + end["width"] <= info["x"] + 1
        for part in (row, row.locator(".remove"), row.locator(".end")):
            box = part.bounding_box()
            assert box["x"] >= panel["x"]
            assert box["x"] + box["width"] <= panel["x"] + panel["width"]
    assert [end[-8:] for end in page.locator(".document .end").all_inner_texts()] == [
        "2022.pdf",
        "2023.pdf",
        "end.pdf",
    ]
    page.locator(".document .remove").last.click()
    page.wait_for_selector(".undo button")


def test_two_reports_of_one_company_can_be_told_apart_in_chips(engine, served, visit):
    engine.library = [document(REPORT.format(year)) for year in (2022, 2023)]
    engine.passages = [PASSAGE, PASSAGE]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    chips = page.locator(".sources .chip")
    for chip, year in zip(chips.all(), (2022, 2023), strict=True):
        end, around = chip.locator(".end").bounding_box(), chip.bounding_box()
        assert end["x"] + end["width"] <= around["x"] + around["width"]
        assert str(year) in chip.locator(".end").inner_text()


def test_sources_of_one_document_share_a_line_beside_the_open_page(engine, served, visit, screenshot):
    engine.library = [document(REPORT.format(2022))]
    engine.passages = [PASSAGE] * 4
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click(".answer .cite")
    page.wait_for_selector(".sheet")
    page.wait_for_function("document.querySelector('#talk-panel').clientWidth < 500")
    tops = {round(chip.bounding_box()["y"]) for chip in page.locator(".sources .chip").all()}
    assert len(tops) <= 2
    assert page.locator(".sources .chip").first.locator(".end").bounding_box()["width"] > 20
    assert "2022.pdf" in page.locator(".sources .chip").last.text_content()
    screenshot(page, "sources-beside-the-page")


def test_a_good_title_is_the_name_and_the_file_stands_below(engine, served, visit):
    engine.library = [
        document("nl23.pdf", title="Northlake Water: Annual Report"),
        document("b.pdf", title="b_v3.docx"),
    ]
    page = ready(visit(served(engine)))
    assert shown(page) == ["Northlake Water: Annual Report", "b.pdf"]
    assert page.locator(".document .file").all_inner_texts() == ["nl23.pdf"]


def test_a_removal_can_be_undone_also_after_a_reload(engine, served, visit):
    engine.library = [document("a.pdf"), document("b.pdf"), document("c.pdf")]
    page = ready(visit(served(engine)))
    page.focus("[aria-label='Remove b.pdf']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".document:has-text('b.pdf')", state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Remove c.pdf"
    assert "1 document removed" in page.inner_text(".undo")
    page.reload()
    ready(page)
    assert shown(page) == ["a.pdf", "c.pdf"]
    page.click("text=Undo")
    page.wait_for_selector(".document:has-text('b.pdf')")
    page.wait_for_function("document.activeElement.getAttribute('aria-label') === 'Remove b.pdf'")
    assert page.locator(".undo button").count() == 0
    assert len(engine.library) == 3


def test_the_focus_stays_in_the_library_when_what_has_it_goes(engine, served, visit):
    engine.library = [document("a.pdf")]
    page = ready(visit(served(engine)))
    page.click("[aria-label='Remove a.pdf']")
    page.focus(".undo button")
    engine.removals.close()  # the time is over
    page.wait_for_selector(".undo button", state="detached")
    page.wait_for_function("document.activeElement.closest('#documents, #library')")


def test_remove_is_red_under_the_mouse(engine, served, visit):
    engine.library = [document("a.pdf")]
    page = ready(visit(served(engine)))
    page.hover("[aria-label='Remove a.pdf']")
    red, green, blue = page.evaluate(
        r"getComputedStyle(document.querySelector('.document .remove')).color.match(/\d+/g).map(Number)"
    )[:3]
    assert red > 2 * max(green, blue)


def test_all_and_none_are_about_what_the_filter_shows(engine, served, visit):
    engine.library = [document(f"{kind} {n}.pdf") for kind in ("lease", "report") for n in range(6)]
    page = ready(visit(served(engine)))
    page.fill(".filter", "LEASE")
    assert len(shown(page)) == 6
    assert page.inner_text(".found") == "6 of 12 match"
    page.click(".scope >> text=None")
    scope(page, "Searching 6 of 12")
    assert all(name.startswith("report") for name in ticked(page))
    page.fill(".filter", "zebra")
    assert shown(page) == []
    assert page.inner_text(".found") == "No document matches."
    page.fill(".filter", "lease 3")
    page.click(".scope >> text=All")
    scope(page, "Searching 7 of 12")
    assert "lease 3.pdf" in ticked(page)


def test_what_the_filter_says_changes_with_the_language(engine, served, visit):
    engine.library = [document(f"{n}.pdf") for n in range(9)]
    page = ready(visit(served(engine)))
    page.fill(".filter", "zzz")
    page.wait_for_selector(".found:has-text('No')")
    page.click("#head [data-do=language]")
    page.wait_for_selector(".found:has-text('没有')")


def test_shift_ticks_a_range_and_only_this_one_document(engine, served, visit):
    engine.library = [document(f"{n}.pdf") for n in range(9)]
    page = ready(visit(served(engine)))
    page.click("[aria-label='Search 2.pdf']")
    page.click("[aria-label='Search 5.pdf']", modifiers=["Shift"])
    scope(page, "Searching 5 of 9")
    assert ticked(page) == ["0.pdf", "1.pdf", "6.pdf", "7.pdf", "8.pdf"]
    page.hover(".document:has-text('4.pdf')")
    page.click("[aria-label='Search only 4.pdf']")
    scope(page, "Searching 1 of 9")
    ask(page)
    answered(page)
    assert engine.asked[-1][2] == (engine.library[4].id,)


def test_the_list_can_be_sorted_and_keeps_its_order(engine, served, visit):
    engine.library = [document(f"{name}.pdf", pages=pages) for name, pages in zip("hbdfaceg", range(8), strict=True)]
    page = ready(visit(served(engine)))
    page.select_option(".find select", "name")
    page.wait_for_function("document.querySelector('.document .name').textContent === 'a.pdf'")
    engine.library.append(document("d2.pdf"))
    engine.change()
    page.wait_for_selector(".document:has-text('d2.pdf')")
    assert shown(page) == [f"{name}.pdf" for name in ("a", "b", "c", "d", "d2", "e", "f", "g", "h")]
    page.select_option(".find select", "pages")
    page.wait_for_function("document.querySelector('.document .name').textContent === 'd2.pdf'")
    page.reload()
    page.wait_for_function("document.querySelector('.document .name')?.textContent === 'd2.pdf'")
    assert page.input_value(".find select") == "pages"


def test_while_the_first_document_is_added_nobody_says_that_there_is_none(engine, served, visit):
    page = ready(visit(served(engine)))
    page.wait_for_selector("#documents:has-text('No documents yet')")
    engine.running = [Job(1, "", "", "first.pdf", JobState.READING, pages_read=1, pages=3)]
    engine.change()
    page.wait_for_selector(".job:has-text('first.pdf')")
    page.wait_for_selector("#documents:has-text('No documents yet')", state="detached")


def test_an_answer_made_while_a_file_was_read_offers_to_answer_again(engine, served, visit, screenshot):
    engine.library = [document("annual report.pdf")]
    engine.running = [Job(1, "", "?", "annual report of the following year.pdf", JobState.READING)]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.wait_for_selector(".turn .cut:has-text('annual report of the following year.pdf')")
    screenshot(page, "asked-while-reading")
    engine.running = []
    page.click(".turn .cut >> text=Answer again")
    page.wait_for_selector(".turn .cut", state="detached")
    answered(page)
    assert not page.locator(".turn .cut").count()


def test_the_end_of_a_name_is_seen_also_under_the_mouse(engine, served, visit):
    engine.library = [document(REPORT.format(2022))]
    page = ready(visit(served(engine)))
    page.hover(".document .name")
    page.wait_for_selector(".document .only", state="visible")
    end, only = page.locator(".document .end").bounding_box(), page.locator(".document .only").bounding_box()
    assert end["x"] + end["width"] <= only["x"]


def test_an_update_of_a_thousand_documents_is_small_and_nothing_gets_lost(engine, served, visit):
    engine.library = [document(REPORT.format(n)) for n in range(1000)]
    page = ready(visit(served(engine)))
    page.wait_for_function("document.querySelectorAll('.document').length === 1000")
    page.click(f"[aria-label='Search {engine.library[0].name}']")
    scope(page, "Searching 999 of 1000")
    page.evaluate("document.querySelector('.documents').dataset.list = 'missed'")
    engine.library[500] = replace(engine.library[500], pages=7)
    engine.library.append(document("new.pdf"))
    engine.change()
    page.wait_for_selector(".document:has-text('new.pdf')", state="attached")
    assert page.locator(".document").count() == 1001
    assert "7 pages" in page.locator(".document").nth(500).text_content()
    until(lambda: len(ticked(page)) == 1000)


def test_many_files_have_one_strip_and_failures_are_folded_beneath_it(engine, served, visit):
    engine.library = [document("a.pdf")]
    states = [JobState.EMBEDDING, *[JobState.WAITING] * 152, *[JobState.FAILED] * 3]
    engine.running = [
        Job(n, "", str(n), f"file {n}.pdf", state, message=Message("It is cut short.") if state == "failed" else None)
        for n, state in enumerate(states)
    ]
    engine.progress = Adding(47, 200, 0.24, 61.0)
    page = ready(visit(served(engine)))
    page.wait_for_selector(".adding:has-text('47 of 200 files · 1 min left')")
    assert page.locator(".job:visible").count() == 0
    assert page.get_attribute(".adding progress", "value") == "24"
    page.click(".failures summary")
    page.wait_for_selector(".failures .job:has-text('It is cut short.')")
    engine.progress = Adding(48, 200, 0.25, 60.0)
    engine.change()
    page.wait_for_selector(".adding:has-text('48 of 200')")
    assert page.locator(".job:visible").count() == 3  # it stays open
    page.click("text=Dismiss all")
    page.wait_for_selector(".failures", state="detached")
    page.click("text=Cancel all")
    page.wait_for_selector(".adding", state="detached")
    assert engine.running == []


SAID = Introduction(
    "Northlake Water", "annual report", ("en", "zh"), 3,
    (KeySentence("Northlake sells water to nine towns.", 0),), ("What was revenue in 2023?",),
)  # fmt: skip


def dropped(page, *paths):
    """Drop what is on the disk over the list of documents, as from a file manager."""
    box = page.locator(".drop").bounding_box()
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"type": kind, "x": box["x"] + 20, "y": box["y"] + 20, "data": data}
        devtools.send("Input.dispatchDragEvent", where)


def test_of_a_dropped_folder_the_pdfs_are_added(engine, served, visit, tmp_path):
    engine.library = [document("a.pdf")]
    folder, empty = tmp_path / "reports", tmp_path / "pictures"
    (folder / "2024").mkdir(parents=True)
    empty.mkdir()
    for name in ("one.pdf", "2024/two.PDF", "notes.txt"):
        (folder / name).write_bytes(b"%PDF-1.4 " + name.encode())
    page = ready(visit(served(engine)))
    dropped(page, folder, empty)
    page.wait_for_selector(".notices p:has-text('“pictures” contains no PDF.')")
    until(lambda: {"one.pdf", "two.PDF"} <= {known.name for known in engine.documents("")})
    assert page.locator(".notices p").count() == 1
    assert not any(known.name == "notes.txt" for known in engine.documents(""))


def test_many_refused_files_are_counted_and_dismissed_at_once(engine, served, visit, tmp_path, screenshot):
    engine.library = [document("a.pdf")]
    page = ready(visit(served(engine)))
    for n in range(12):
        (tmp_path / f"notes {n}.txt").write_text("no PDF")
    page.set_input_files(".drop input", [tmp_path / f"notes {n}.txt" for n in range(3)])
    page.wait_for_function("document.querySelectorAll('.notices p').length === 3")
    assert page.locator(".notices .row").count() == 0
    page.set_input_files(".drop input", [tmp_path / f"notes {n}.txt" for n in range(3, 12)])
    page.wait_for_selector(".notices .row:has-text('12 could not be added')")
    assert page.locator(".document").bounding_box()["y"] < 600
    screenshot(page, "refused-files")
    page.locator("[aria-label^='Dismiss: '][aria-label*='notes 3.txt']").click()
    page.wait_for_selector(".notices .row:has-text('11 could not be added')")
    page.click(".notices >> text=Dismiss all")
    assert page.locator(".notices > *").count() == 0
    assert page.evaluate("document.activeElement.type") == "file"


def test_an_empty_page_is_one_place_to_drop_files_on_a_phone_too(engine, served, visit):
    page = ready(visit(served(engine), size=(390, 844)))
    box = page.locator(".big-drop").bounding_box()
    assert box["width"] > 300
    assert box["height"] > 300
    page.set_input_files(
        "#welcome input[type=file]", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}
    )
    page.wait_for_selector("#welcome .introduced:has-text('a.pdf')")


def test_one_click_adds_the_sample(engine, served, visit):
    page = ready(visit(served(engine), locale="zh-CN"))
    page.click("text=试用示例文档")
    page.wait_for_selector("#welcome .introduced:has-text('渡轮示例.pdf')")
    assert engine.received[0][2].startswith(b"%PDF-")


def test_a_suggested_question_is_asked_of_its_document(engine, served, visit):
    engine.library = [document("a.pdf"), document("water.pdf")]
    engine.introductions.given[engine.library[1].id] = SAID
    page = ready(visit(served(engine)))
    assert page.inner_text("#welcome .key-sentences li").startswith("Northlake sells water to nine towns.")
    page.click("#welcome .suggestions button")
    answered(page)
    assert engine.asked[0][1:3] == ("What was revenue in 2023?", (engine.library[1].id,))
    assert not page.is_visible("#welcome")


def test_details_say_what_a_document_is(engine, served, visit):
    kinds = (PageKind.TEXT,) * 3 + (PageKind.SCANNED,) + (PageKind.TEXT,) * 8
    engine.library = [document("water.pdf")]
    known = engine.library[0].id
    engine.introductions.given[known] = SAID
    engine.document_details[known] = DocumentDetails("ACME", "2023-05-01", (Heading("Results", 1, 4),), (), kinds)
    page = ready(visit(served(engine)))
    page.click("[aria-label='Details of water.pdf']")
    page.wait_for_selector(".details dl")
    said = page.inner_text(".details dl")
    for words in ("Northlake Water", "ACME", "2023-05-01", "1.0 KB", "1–3 text, 4 scanned, 5–12 text",
                  "English, Chinese", "Results p. 5"):  # fmt: skip
        assert words in said
    assert page.locator(".thumbnails button").count() == 12
    page.focus(".details .to-page >> nth=1")
    page.keyboard.press("Tab")
    for key, wanted in (("ArrowRight", "1"), ("End", "11"), ("ArrowLeft", "10"), ("Home", "0"), ("ArrowRight", "1")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.page") == wanted
    engine.change()
    page.wait_for_timeout(1200)  # drawn again
    page.keyboard.press("Tab")  # all pages are one stop
    assert page.evaluate("document.activeElement.matches('.replace input')")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.dataset.page") == "1"
    assert page.inner_text(".thumbnails small") == "scanned"
    page.wait_for_function("document.querySelector('.thumbnails img').naturalWidth > 0")
    engine.document_details[known] = replace(engine.document_details[known], page_kinds=(PageKind.TEXT,) * 12)
    engine.change()
    page.wait_for_selector(".details dd:text-is('12')")


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_what_is_said_of_a_document_opens_the_page_it_is_on(engine, served, visit, screenshot, size):
    engine.library = [document("a.pdf"), document("water.pdf")]
    known = engine.library[1].id
    engine.introductions.given[known] = SAID
    kinds = (PageKind.TEXT,) * 12
    engine.document_details[known] = DocumentDetails("", "", (Heading("Results", 1, 4),), (), kinds)
    page = ready(visit(served(engine), size=size))
    page.click("#welcome .key-sentences .to-page")
    page.wait_for_function(f"document.querySelector('.page-box')?.value === '{SAID.sentences[0].page + 1}'")
    page.keyboard.press("Escape")
    if size[0] < 500:
        page.click(".panels [data-panel=library]")
    page.click("[aria-label='Details of water.pdf']")
    page.click(".details .to-page:has-text('Results')")
    page.wait_for_function("document.querySelector('.page-box')?.value === '5'")
    assert page.inner_text("#viewer h2") == "water.pdf"
    page.wait_for_function("document.querySelector('.sheet img')?.naturalWidth > 0")
    screenshot(page, f"page-of-a-document-{size[0]}")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.textContent === 'Results'")
    page.click(".details .thumbnails button >> nth=2")
    page.wait_for_function("document.querySelector('.page-box')?.value === '3'")
    assert not page.is_visible(".mark-right")


def test_a_tag_is_the_scope_of_a_question(engine, served, visit):
    engine.library = [document(f"{n}.pdf") for n in range(3)]
    page = ready(visit(served(engine)))
    page.click("[aria-label='Details of 1.pdf']")
    page.fill("[aria-label='Add a tag to 1.pdf']", "leases")
    page.keyboard.press("Enter")
    page.click(".tags .tag:has-text('leases')")
    scope(page, "Searching 1 of 3")
    assert ticked(page) == ["1.pdf"]
    page.wait_for_selector(".tags .tag[aria-pressed=true]")
    page.click("[aria-label='Remove the tag leases']")
    page.wait_for_selector(".tags", state="detached")


def test_answers_say_that_their_document_was_replaced_or_removed(engine, served, visit, screenshot):
    engine.library = [document("old.pdf"), document("other.pdf")]
    engine.passages = [PASSAGE, PASSAGE]
    page = ready(visit(served(engine)))
    ask(page)
    answered(page)
    page.click("[aria-label='Details of old.pdf']")
    page.set_input_files(".replace input", {"name": "new.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    page.wait_for_selector(".document:has-text('new.pdf')")
    page.click("[aria-label='Remove other.pdf']")
    page.wait_for_selector(".chip[data-gone='older version']:has-text('old.pdf')")
    page.wait_for_selector(".chip[data-gone='removed']:has-text('other.pdf')")
    page.click("text=Undo")
    page.wait_for_selector(".chip:has-text('other.pdf'):not([data-gone])")
    page.click(".answer .cite")
    page.wait_for_selector("#viewer .replaced:has-text('“old.pdf” was replaced by a new version, “new.pdf”.')")
    screenshot(page, "citation-of-a-replaced-document")
    page.click("#viewer [data-do=newer]")
    page.wait_for_selector("#viewer h2:has-text('new.pdf')")
    page.wait_for_function("document.querySelector('.page-box')?.value === '5' && document.activeElement.matches('h2')")
    page.click(".answer .cite")
    page.click("#viewer [data-do=ask-newer]")
    page.wait_for_selector(".variants:has-text('2 of 2')")
    answered(page)
    page.wait_for_selector(".sources .chip:has-text('new.pdf'):not([data-gone])")
