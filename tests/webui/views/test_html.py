"""What the page shows of documents, jobs, answers and sources, with hostile text in every place."""

import re
from dataclasses import replace

import pytest

from rag.answer.quote import QuoteReader
from rag.evaluation.runs import RightPage
from rag.messages import Message
from rag.records import (
    Answer,
    AnswerState,
    Choice,
    Citation,
    ClaimState,
    Conflict,
    DocumentDetails,
    Found,
    Heading,
    Job,
    JobState,
    Sentence,
    ShortAnswer,
    Signal,
    TableExcerpt,
    View,
)
from tests.webui.fake_engine import PASSAGE, FakeEngine, document, source
from tests.webui.safe import NASTY, look
from webui.accounts.roles import Role
from webui.conversation import Conversation, Exchange
from webui.session import Opened, Session
from webui.strings import LANGUAGES
from webui.views.answers import conversation_html, earlier_html
from webui.views.documents import documents_html, kinds_report
from webui.views.jobs import library_html
from webui.views.status import head_html
from webui.views.viewer import Mark, Replaced, viewer_html


def clean(text):
    """Text as it is shown: white space as a browser joins it, invisible characters replaced."""
    return (
        text.replace("\u202e", "\ufffd").replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd")
    )


def answered(
    *, sentences=(), state=AnswerState.ANSWER, question="How much?", text="", markdown=True, of=None, query=None
):
    session = Session("", "en")
    sources = (source(1, of or document("a.pdf")), source(2, document("b.pdf")))
    exchange = Exchange(1, question, "GLM-4-9B", Found(sources, query or question, writes_markdown=markdown), text)
    if sentences or state is AnswerState.NONE:
        exchange.answer = Answer(tuple(sentences), "GLM-4-9B", state, seconds=1.0)
    session.conversation.add(exchange)
    return session


def tags(looked, **wanted):
    return [at for _, at in looked.elements if all(at.get(k) == v for k, v in wanted.items())]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_stays_text_everywhere(tmp_path, text, language):
    engine = FakeEngine(tmp_path)
    engine.library = [document(text, notes=(Message(text),))]
    engine.running = [
        Job(1, "", "x", text, JobState.LOCKED, message=Message(text)),
        Job(2, "", "y", text, JobState.FAILED, message=Message(text)),
    ]
    engine.picked = (Choice("reader", text, Message(text)), Choice(text, text, Message(text), failed=Message(text)))
    found = source(
        1, document(text), text=text, page_label=text, heading=(text,), signals=(Signal(text, 1.0, 1),)
    )  # fmt: skip
    session = Session(text.encode("utf-8", "replace").decode(), language)  # the store takes no lone surrogates
    sentences = (Sentence(text, (Citation(1, 0, 5),)), Sentence(text, (), "\n"))
    table = TableExcerpt(text, (text,), ((text, text),), ((0, 0),))
    short = ShortAnswer((text,), "million", (text, text), text, (Citation(1, 0, 5),), table)
    wrong = Sentence(text, (Citation(1, 0, 5),), "", ClaimState.CONTRADICTED, (Conflict(0, len(text), 1, 0, 900),))
    exchanges = [
        Exchange(1, text, text, Found((found,), text + "?"), text),
        Exchange(2, text, text, Found((found,), text), text, Answer(sentences, text)),
        Exchange(3, text, text, Found((found,), text), text, Answer(sentences, text, state=AnswerState.NONE)),
        Exchange(4, text, text, error=Message(text)),
        Exchange(5, text, text, Found((found,), text), text, Answer(sentences, text, short=short)),
        Exchange(6, text, text, Found((found,), text), text, Answer((wrong,), text, AnswerState.CLOSEST, (text,))),
        Exchange(7, text, text, Found((), text), text, Answer((), text, reply=Message(text))),
    ]
    session.conversation = Conversation(exchanges, title=text, problem=Message(text))
    opened = session.opened = Opened(found, Citation(1, 2, 9), 4, text)
    view = View(found, 4, text, 9, ((0, 0, 1, 1),), ())
    for html in (
        library_html(engine, session),
        documents_html(engine, session),
        conversation_html(session),
        earlier_html(session),
        viewer_html(view, opened, language, mark=Mark(right=True, problem=Message(text))),
        viewer_html(None, opened, language, problem=Message(text)),
        viewer_html(None, opened, language, problem=Message(text), replaced=Replaced(text, 1)),
        head_html(engine.choices(), language, text),
    ):
        looked = look(html)
        assert clean(text).split()[0][:40] in looked.text


def test_a_file_name_is_shown_as_it_was_given(tmp_path):
    engine = FakeEngine(tmp_path)
    for name in ("<b>a</b>.pdf", "quo\"te's.pdf", "../../x.pdf", "📄 报告.pdf", "n" * 300):
        engine.library = [document(name)]
        looked = look(documents_html(engine, Session("", "en")))
        assert name in looked.text
        assert tags(looked, title=name)


def test_a_document_reports_its_pages_by_kind():
    read = document("a.pdf", pages=142, kinds={"text": 138, "scanned": 3, "failed": 1})
    assert kinds_report(read, "en") == "142 pages · 3 scanned · 1 damaged"
    assert kinds_report(document("a.pdf", pages=1, kinds={"text": 1}), "en") == "1 page"


@pytest.mark.parametrize("text", NASTY)
def test_details_of_a_document_are_shown_once_opened_and_stay_text(tmp_path, text):
    engine, session = FakeEngine(tmp_path), Session("", "en")
    engine.library = [document("a.pdf"), document("b.pdf")]
    first, second = (known.id for known in engine.library)
    headings = (Heading(text, 1, 4), Heading("Deep", 9, 6))
    engine.document_details[first] = DocumentDetails(text, "2023-05-01", headings, (("iv", Message(text)),))
    assert "2023-05-01" not in look(documents_html(engine, session)).text
    session.listing.detailed = {first}
    looked = look(documents_html(engine, session))
    expanded = {at["data-document"]: at["aria-expanded"] for at in tags(looked, **{"data-do": "details"})}
    assert expanded == {first: "true", second: "false"}
    assert f"Author{clean(text)}Created2023-05-01Size1.0 KBPages12Contents{clean(text)} p. 5Deep p. 7" in looked.text
    assert f"Pages with problemsp. iv {clean(text)}" in looked.text
    session.listing.detailed = {second}
    assert "Fileb.pdfSize1.0 KB" in look(documents_html(engine, session)).text


def test_documents_left_out_are_not_ticked(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.library = [document("a.pdf"), document("b.pdf")]
    session = Session("", "en")
    assert session.conversation.chosen(engine.documents("")) is None
    session.conversation.left_out = {engine.library[0].id}
    assert session.conversation.chosen(engine.documents("")) == (engine.library[1].id,)
    looked = look(documents_html(engine, session))
    ticked = {at["data-document"]: "checked" in at for at in tags(looked, type="checkbox")}
    assert ticked == {engine.library[0].id: False, engine.library[1].id: True}
    assert "Searching 1 of 2 documents" in looked.text


def test_only_own_documents_can_be_removed(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.library = [document("shared.pdf"), document("mine.pdf", "ann"), document("other.pdf", "bob")]
    session = Session("ann", "en")
    session.role = Role.EDITOR
    looked = look(documents_html(engine, session))
    assert [at["data-document"] for at in tags(looked, **{"data-do": "remove"})] == [engine.library[1].id]
    assert "other.pdf" not in looked.text


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (Job(1, "", "", "a", JobState.WAITING), "Waiting"),
        (Job(1, "", "", "a", JobState.READING, 120, 30, seconds_left=8.4), "Reading · page 30 of 120 · 8 s left"),
        (
            Job(1, "", "", "a", JobState.EMBEDDING, 120, 120, 400, 100, 9.66, 150.0),
            "Indexing · 100 of 400 passages · 9.7 per second · 2 min left",
        ),
        (
            Job(
                1,
                "",
                "",
                "a",
                JobState.FAILED,
                message=Message("{name}: {reason}", {"name": "a", "reason": "It is cut short."}),
            ),
            "Could not be addedIt is cut short.",
        ),
    ],
)
def test_a_job_shows_its_progress(tmp_path, job, shown):
    engine = FakeEngine(tmp_path)
    engine.running = [job]
    assert shown in look(library_html(engine, Session("", "en"))).text


def test_only_a_locked_job_asks_for_a_password(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.running = [Job(n, "", "", f"{state}.pdf", state) for n, state in enumerate(JobState)]
    looked = look(library_html(engine, Session("", "en")))
    assert [at["aria-label"] for at in tags(looked, type="password")] == ["Password for locked.pdf"]


def test_thousands_of_jobs_do_not_make_thousands_of_rows(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.running = [Job(n, "", "", f"{n}.pdf", JobState.WAITING) for n in range(3000)]
    html = library_html(engine, Session("", "en"))
    assert len(html) < 40_000
    assert "2980 more" in html


def test_each_sentence_has_its_citations_as_buttons():
    cited = Sentence("Sales rose.", (Citation(2, 0, 5), Citation(1, 0, 5)))
    looked = look(
        conversation_html(answered(sentences=(cited, Sentence("The moon is full.", (), " ", ClaimState.NOT_FOUND))))
    )
    cites = list(tags(looked, **{"class": "cite"}))
    assert [(at["data-number"], at["data-sentence"], at["type"]) for at in cites] == [
        ("2", "0", "button"),
        ("1", "0", "button"),
    ]
    assert cites[0]["aria-label"] == "Open source 2: b.pdf, page 5"
    assert "Sales rose.21 The moon is full.not in the sources" in looked.text


SHORT = ShortAnswer(
    ("7.11",), "percent", ("Total revenue",), "(211 − 197) / 197", (Citation(1, 3, 6), Citation(2, 8, 11))
)


def with_short(short=SHORT, **changes):
    sentences = (Sentence("Total revenue 211 197", (Citation(1, 0, 5),)),)
    session = answered(**{"sentences": sentences, **changes})
    exchange = session.conversation.exchanges[0]
    exchange.answer = replace(exchange.answer, short=short)
    return session


def test_the_short_answer_comes_first_with_its_formula_and_a_button_for_each_cell():
    looked = look(conversation_html(with_short()))
    assert "7.11%" in looked.text
    assert looked.text.index("7.11%") < looked.text.index("Total revenue 211 197")
    assert "= (211 − 197) / 197" in looked.text
    cites = [(at["data-number"], at["data-sentence"]) for at in tags(looked, **{"class": "cite"})]
    assert cites == [("1", "-2"), ("2", "-3"), ("1", "0")]


def test_the_numbers_of_a_formula_open_their_cells_and_a_source_is_marked_once():
    text = "Gross profit $ 169.2 146.1 Revenue 412.6 370.8"
    cells = tuple(Citation(1, text.index(cell), text.index(cell) + len(cell)) for cell in ("$ 169.2", "412.6"))
    session = with_short(replace(SHORT, formula="169.2 / 412.6", citations=cells))
    exchange = session.conversation.exchanges[0]
    exchange.found = replace(exchange.found, sources=(replace(exchange.found.sources[0], text=text),))
    looked = look(conversation_html(session))
    assert "= 169.2 / 412.6" in looked.text
    assert [at["data-sentence"] for at in tags(looked, **{"class": "operand"})] == ["-2", "-3"]
    assert [at["data-sentence"] for at in tags(looked, **{"class": "cite"})] == ["-2", "0"]


@pytest.mark.parametrize(
    ("language", "scale", "values", "shown"),
    [
        ("en", "million", ("$197",), "$197 million"),
        ("zh", "million", ("$197",), "$1.97 亿"),
        ("zh", "ten thousand", ("12,345",), "12,345 万"),
        ("en", "percent", ("42.1%",), "42.1%"),
        ("en", "", ("2023", "2022"), "2023; 2022"),
    ],
)
def test_a_short_answer_says_its_scale(language, scale, values, shown):
    session = with_short(replace(SHORT, values=values, scale=scale, formula=""))
    session.language = language
    assert shown in look(conversation_html(session)).text


def test_a_short_answer_alone_is_an_answer():
    session = answered(state=AnswerState.NONE)
    exchange = session.conversation.exchanges[0]
    exchange.answer = replace(exchange.answer, state=AnswerState.ANSWER, short=SHORT)
    assert "7.11%" in look(conversation_html(session)).text


def in_state(state, missing=(), sentences=(), reply=None):
    session = answered(sentences=sentences, state=state)
    exchange = session.conversation.exchanges[0]
    exchange.answer = replace(exchange.answer or Answer((), ""), state=state, missing=missing, reply=reply)
    return session


def test_the_three_states_of_an_answer_look_different():
    sentence = (Sentence("Sales rose.", (Citation(1, 0, 5),)),)
    shown = {state: look(conversation_html(in_state(state, (), sentence))) for state in AnswerState}
    assert not tags(shown[AnswerState.ANSWER], **{"data-key": "doubt"})
    assert tags(shown[AnswerState.CLOSEST], **{"class": "doubt closest"})
    assert "No direct answer found" in shown[AnswerState.CLOSEST].text
    assert tags(shown[AnswerState.NONE], **{"class": "doubt none"})
    assert "Not in these documents" in shown[AnswerState.NONE].text


def test_what_is_missing_is_named():
    missing = ("2015", "Tesla")
    looked = look(conversation_html(in_state(AnswerState.CLOSEST, missing, (Sentence("Sales rose."),))))
    assert "Nothing about 2015, Tesla in these documents." in looked.text
    looked = look(conversation_html(in_state(AnswerState.NONE, missing)))
    assert looked.text.count("in these documents") == 1  # the title says it
    assert "Nothing is said about 2015, Tesla." in looked.text


def test_only_what_was_not_answered_can_be_answered_anyway():
    for state in AnswerState:
        looked = look(
            conversation_html(in_state(state, (), () if state is AnswerState.NONE else (Sentence("It rose."),)))
        )
        buttons = tags(looked, **{"data-do": "anyway"})
        assert [button["data-exchange"] for button in buttons] == (["1"] if state is AnswerState.NONE else [])


def test_a_reply_of_the_program_is_shown_without_sources_or_doubt():
    session = Session("", "en")
    answer = Answer((), "", AnswerState.NONE, reply=Message("Hello {name}!", {"name": "<b>"}))
    session.conversation.add(Exchange(1, "hello", found=Found((), "hello"), answer=answer))
    looked = look(conversation_html(session))
    assert "Hello <b>!" in looked.text
    assert not tags(looked, **{"data-key": "doubt"})


def test_copied_words_say_that_they_are_only_the_closest():
    looked = look(conversation_html(in_state(AnswerState.CLOSEST, ("2015",), (Sentence("Sales rose."),))))
    (button,) = tags(looked, **{"data-do": "copy"})
    assert button["data-text"].startswith(
        "No direct answer found: Nothing about 2015 in these documents.\n\nSales rose."
    )


CONFLICT = Conflict(12, 14, 1, PASSAGE.index("12 percent"), PASSAGE.index("12 percent") + 10)


@pytest.mark.parametrize("markdown", [True, False])
def test_a_contradicted_claim_shows_both_values(markdown):
    text = "Sales grew, 13 percent."
    sentence = Sentence(text, (Citation(1, 0, 5),), "", ClaimState.CONTRADICTED, (CONFLICT,))
    html = conversation_html(answered(sentences=(sentence,), markdown=markdown))
    looked = look(html)
    assert '<mark class="conflict"' in html
    assert "Sales grew, 13 percent.≠ source 1 says 12 percent" in looked.text
    assert [at["data-number"] for at in tags(looked, **{"class": "contradiction"})] == ["1"]
    assert not tags(looked, **{"class": "cite"})  # the source that contradicts is no support


def test_complete_sentences_are_checked_while_the_rest_streams_in():
    session = answered(text="Sales grew, 13 percent [1]. Costs fell [2]. And 5 [1")
    exchange = session.conversation.exchanges[0]
    wrong = Sentence("Sales grew, 13 percent.", (), "", ClaimState.CONTRADICTED, (CONFLICT,))
    exchange.checked = (wrong, Sentence("Costs fell.", (Citation(2, 0, 3),), " ", ClaimState.SUPPORTED))
    looked = look(conversation_html(session))
    assert "Sales grew, 13 percent.≠ source 1 says 12 percent Costs fell.2 And 5" in looked.text
    assert "[" not in looked.text
    assert exchange.citation(1, 2) == Citation(2, 0, 3)


def test_a_wrong_sum_is_marked_without_a_source():
    sentence = Sentence("2 + 2 = 5", (), "", ClaimState.CONTRADICTED, (Conflict(8, 9, 0, 0, 0),))
    looked = look(conversation_html(answered(sentences=(sentence,))))
    assert "2 + 2 = 5≠ miscalculated" in looked.text
    assert "not in the sources" not in looked.text


@pytest.mark.parametrize(("start", "end"), [(-3, 2), (5, 5), (8, 3), (0, 900), (900, 950)])
def test_a_conflict_that_lies_nowhere_marks_nothing(start, end):
    sentence = Sentence("Sales grew.", (), "", ClaimState.CONTRADICTED, (replace(CONFLICT, start=start, end=end),))
    looked = look(conversation_html(answered(sentences=(sentence,))))
    assert "Sales grew.≠" in looked.text
    assert not tags(looked, **{"class": "conflict"})


def test_the_rows_of_a_short_answer_are_a_table_with_the_cell_marked():
    table = TableExcerpt("In millions", ("2023", "2022"), (("Assets", "", ""), ("Cash", "5", "4")), ((1, 1),))
    html = conversation_html(with_short(replace(SHORT, table=table)))
    looked = look(html)
    assert "In millions20232022AssetsCash54" in looked.text
    assert "<td>5</td><td><mark>4</mark></td>" in html
    assert len(tags(looked, **{"class": "section"})) == 1


def test_sentences_that_repeat_the_rows_shown_are_left_out():
    table = TableExcerpt("", ("2023", "2022"), (("Total revenue", "211", "$197"),), ((0, 0),))
    shown, repeated = "Growth came from services.", "Total revenue 211 $ 197"
    for texts, kept in [((repeated,), False), ((shown,), True), ((repeated, shown), True)]:
        session = answered(sentences=tuple(map(Sentence, texts)), markdown=False)
        exchange = session.conversation.exchanges[0]
        exchange.answer = replace(exchange.answer, short=replace(SHORT, table=table))
        assert bool(tags(look(conversation_html(session)), **{"data-key": "answer"})) is kept


def test_a_figure_in_doubt_shows_its_rows_and_no_value():
    table = TableExcerpt("", ("2023",), (("Total revenue", "211"),), ((0, 0),))
    session = with_short(replace(SHORT, table=table, sure=False))
    exchange = session.conversation.exchanges[0]
    exchange.answer = replace(exchange.answer, state=AnswerState.CLOSEST)
    html = conversation_html(session)
    assert "7.11%" not in look(html).text
    assert "<mark>211</mark>" in html
    assert "7.11%" not in tags(look(html), **{"data-do": "copy"})[0]["data-text"]


def test_an_unsure_phrase_is_shown_as_a_possibility():
    html = conversation_html(with_short(replace(SHORT, values=("Anna Keller",), scale="", formula="", sure=False)))
    assert "<strong>Best guess: Anna Keller</strong>" in html
    assert 'class="short possible"' in html


def test_many_values_are_a_list():
    html = conversation_html(with_short(replace(SHORT, values=("a", "b", "c", "d"), scale="", formula="")))
    assert "<li>a</li><li>b</li><li>c</li><li>d</li>" in html


def test_each_item_of_a_list_has_its_own_citation_and_is_not_said_twice():
    values, cited = ("Rates rise.", "Ships sink.", "Rain.", "War."), tuple(Citation(n, 0, 4) for n in (1, 2, 2, 1))
    short = replace(SHORT, values=values, scale="", formula="", labels=(), citations=cited)
    sentences = (Sentence("Rates rise.", cited[:1]), Sentence("Ships sink.", cited[1:2], " "))
    looked = look(conversation_html(with_short(short, sentences=sentences)))
    assert [button["data-sentence"] for button in tags(looked, **{"class": "cite"})] == ["-2", "-3", "-4", "-5"]
    assert looked.text.count("Ships sink.") == 1
    plain, copied = [at["data-text"] for at in tags(looked, **{"data-do": "copy"})]
    assert plain == "- Rates rise.\n- Ships sink.\n- Rain.\n- War."
    assert copied.startswith("- Rates rise. [1]\n- Ships sink. [2]\n- Rain. [2]\n- War. [1]\n\n[1] ")
    doubted = look(conversation_html(with_short(short, sentences=sentences, state=AnswerState.CLOSEST)))
    assert doubted.text.count("Ships sink.") == 1


def test_a_completed_question_can_be_edited_or_asked_as_typed():
    looked = look(conversation_html(answered(query="What was revenue in 2023?")))
    (form,) = tags(looked, **{"data-do": "understood"})
    assert form["data-exchange"] == "1"
    assert tags(looked, name="question")[0]["value"] == "What was revenue in 2023?"
    assert tags(looked, **{"data-do": "typed"})


def test_copying_takes_the_short_answer_along():
    plain, copied = [at["data-text"] for at in tags(look(conversation_html(with_short())), **{"data-do": "copy"})]
    assert plain == "7.11% = (211 − 197) / 197 (Total revenue)\n\nTotal revenue 211 197"
    assert copied.startswith("7.11% = (211 − 197) / 197 (Total revenue) [1][2]\n\nTotal revenue 211 197[1]")
    assert "[2] b.pdf, p. 5" in copied


def test_a_citation_of_a_source_that_is_not_there_is_no_button():
    looked = look(conversation_html(answered(sentences=(Sentence("Sales rose.", (Citation(7, 0, 5),)),))))
    assert not tags(looked, **{"class": "cite"})
    assert "not in the sources" in looked.text


def test_streamed_pieces_have_buttons_already():
    looked = look(conversation_html(answered(text="Sales rose [2], **much** [9]")))
    assert [at["data-number"] for at in tags(looked, **{"class": "cite"})] == ["2"]
    assert "[" not in looked.text


@pytest.mark.parametrize("markdown", [True, False])
def test_no_raw_mark_is_shown_wherever_the_stream_is_cut(markdown):
    answer = "Sales **rose**【2†source】. Costs fell [1, 2] and [1][2] rents, too【1】。"
    for end in range(len(answer) + 1):
        looked = look(conversation_html(answered(text=answer[:end], markdown=markdown)))
        assert not set("[]【】†") & set(looked.text), answer[:end]
    assert [at["data-number"] for at in tags(looked, **{"class": "cite"})] == ["2", "1", "2", "1", "2", "1"]


def test_a_plain_text_answer_is_not_rendered_as_markdown():
    text = "Item 1. **Business** # not a heading"
    looked = look(conversation_html(answered(sentences=(Sentence(text),), markdown=False)))
    assert text in looked.text


def sentences_of(text):
    """An answer cut as it is checked: by lines, each of them resting on the first source."""
    return tuple(Sentence(line, (Citation(1, 0, 4),), "\n" if n else "") for n, line in enumerate(text.split("\n")))


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_code_blocks_contain_no_citations(fence):
    text = f"Run it:\n{fence}python\nprint(1)\n{fence}\nIt prints one."
    looked = look(conversation_html(answered(sentences=sentences_of(text))))
    assert [at["data-sentence"] for at in tags(looked, **{"class": "cite"})] == ["0", "4"]
    assert ("code", {"class": "language-python"}) in looked.elements
    assert "Run it:1" in looked.text
    assert "print(1)\n" in looked.text


def test_a_plain_text_answer_has_no_code_blocks():
    looked = look(conversation_html(answered(sentences=sentences_of("```python\nIt rose."), markdown=False)))
    assert len(tags(looked, **{"class": "cite"})) == 2


@pytest.mark.parametrize("text", ["```[1]", "```python[1]\nprint(1)", "```"])
def test_code_that_streams_in_stays_in_its_element(text):
    looked = look(conversation_html(answered(text=text)))
    assert [tag for tag, _ in looked.elements if tag in ("pre", "code")] == ["pre", "code"]
    assert not tags(looked, **{"class": "cite"})


def test_a_refusal_shows_the_nearest_passages_as_openable_sources():
    looked = look(conversation_html(answered(state=AnswerState.NONE)))
    assert "Not in these documents" in looked.text
    assert "Ask in other words, or look at the closest passages." in looked.text
    assert "4,218 million" in looked.text
    assert [at["data-number"] for at in tags(looked, **{"class": "chip"})] == ["1", "2"]


def test_the_query_is_shown_only_when_it_differs():
    assert (
        "Your question was understood as: revenue 2023" in look(conversation_html(answered(query="revenue 2023"))).text
    )
    assert "Searched for" not in look(conversation_html(answered())).text


def test_only_the_owner_of_a_file_can_dismiss_or_unlock_it(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.running = [Job(1, "", "x", "shared.pdf", JobState.LOCKED), Job(2, "ann", "y", "own.pdf", JobState.LOCKED)]
    session = Session("ann", "en")
    session.role = Role.EDITOR
    looked = look(library_html(engine, session))
    assert "shared.pdf" in looked.text
    assert {at["data-job"] for at in tags(looked, **{"data-do": "cancel"})} == {"2"}
    assert {at["data-job"] for at in tags(looked, **{"data-do": "unlock"})} == {"2"}


@pytest.mark.parametrize(
    ("turned", "boxes", "back"),
    [
        pytest.param(None, True, False, id="where it opens"),
        pytest.param(7, False, True, id="turned away"),
        pytest.param(4, True, False, id="turned back"),
    ],
)
def test_the_way_back_to_the_passage_is_shown_away_from_it(turned, boxes, back):
    found = source(1, document("a.pdf"))
    view = View(found, turned or 4, "x", 9, ((0.1, 0.2, 0.9, 0.3),) if boxes else (), ())
    html = viewer_html(view, Opened(found, None, turned), "en")
    assert bool(tags(look(html), **{"data-do": "back"})) == back
    assert ("with the passage highlighted" in html) == boxes


def test_the_parts_of_a_question_are_shown():
    session = answered()
    session.conversation.exchanges[0].found = Found(
        session.conversation.exchanges[0].sources, "Who? What?", ("Who <b>?", "What?")
    )
    assert "Searched separately: Who <b>? · What?" in look(conversation_html(session)).text


def test_copying_takes_the_sources_along():
    session = answered(sentences=(Sentence("Sales rose.", (Citation(2, 0, 5),)),))
    looked = look(conversation_html(session))
    plain, footnoted = tags(looked, **{"data-do": "copy"})
    assert plain["data-text"] == "Sales rose."
    assert footnoted["data-text"] == "Sales rose.[2]\n\n[2] b.pdf, p. 5"


def test_marks_stay_on_the_page_and_the_cited_stretch_is_stronger():
    found = source(1, document("a.pdf"), text="One. Two. Three.")
    view = View(found, 4, "v", 9, ((0.1, 0.2, 0.9, 0.3), (-1, 0.5, 2, 0.6)), ((0.1, 0.2, 0.5, 0.3),))
    looked = look(viewer_html(view, Opened(found, Citation(1, 5, 9), 4), "en"))
    boxes = [at["style"] for at in tags(looked, **{"class": "passage-box"})]
    assert boxes[0] == "left:10.000%;top:20.000%;width:80.000%;height:10.000%"
    assert boxes[1] == "left:0.000%;top:50.000%;width:100.000%;height:10.000%"
    assert len(tags(looked, **{"class": "sentence-box"})) == 1
    assert "<mark>Two.</mark>" in viewer_html(view, Opened(found, Citation(1, 5, 9), 4), "en")
    assert tags(looked, **{"class": "page-box"})[0]["data-shown"] == "v"


@pytest.mark.parametrize(
    ("citation", "shown"),
    [
        pytest.param(None, "Two.", id="what was found"),
        pytest.param(Citation(1, 5, 8), "<mark>Two</mark>.", id="cited within"),
        pytest.param(Citation(1, 0, 4), "<mark>One.</mark> Two. Three.", id="cited outside"),
        pytest.param(Citation(1, -9, -2), "Two.", id="a cell above the text"),
        pytest.param(Citation(1, 40, 44), "Two.", id="a cell below the text"),
    ],
)
def test_only_the_passage_of_a_widened_source_is_shown(citation, shown):
    found = source(1, document("a.pdf"), text="One. Two. Three.", passage_span=(5, 9))
    html = viewer_html(View(found, 4, "v", 9, (), ()), Opened(found, citation, 4), "en")
    assert f'<p class="text" dir="auto">{shown}</p>' in html


def test_a_refusal_quotes_the_passage_and_not_its_page():
    session = answered(state=AnswerState.NONE)
    wide = source(1, document("a.pdf"), text="One. Two. Three.", passage_span=(5, 9))
    session.conversation.exchanges[0].found = Found((wide,), "q")
    assert '<p dir="auto">Two.</p>' in conversation_html(session)


@pytest.mark.parametrize(("page", "off"), [(0, ["-1"]), (4, []), (8, ["9"])])
def test_pages_cannot_be_turned_past_the_ends(page, off):
    found = source(1, document("a.pdf"))
    view = View(found, page, "x", 9, (), ())
    looked = look(viewer_html(view, Opened(found, None, page), "en"))
    assert [at["data-page"] for at in tags(looked, **{"data-do": "turn"}) if "disabled" in at] == off


def test_components_that_load_or_failed_say_so():
    choices = (
        Choice("reader", "GLM-4", Message("fits"), ready=False),
        Choice("embedder", "bge", Message("GPU"), failed=Message("There is no such model.")),
    )
    looked = look(head_html(choices, "en", ""))
    assert "GLM-4 model loading" in looked.text
    assert "There is no such model." in looked.text
    assert "Log out" not in looked.text


def test_names_that_are_words_are_translated_and_those_of_models_are_not():
    for name, shown in ((QuoteReader.name, "摘录原文 · 不用模型"), ("GLM-4-9B", "GLM-4-9B"), ("none", "无")):
        assert shown in look(head_html((Choice("reader", name, "why"),), "zh", "")).text
    session = answered(sentences=(Sentence("Sales rose."),))
    session.language = "zh"
    (exchange,) = session.conversation.exchanges
    exchange.answer = replace(exchange.answer, reader=QuoteReader.name)
    assert "摘录原文 · 不用模型" in look(conversation_html(session)).text


def test_a_stopped_answer_keeps_what_was_said():
    session = answered(text="Half an ans")
    session.conversation.exchanges[0].stopped = True
    looked = look(conversation_html(session))
    assert "Half an ans" in looked.text
    assert "Stopped" in looked.text


def test_an_answer_that_was_cut_says_why_and_can_be_made_again():
    session = answered(sentences=(Sentence("Half an ans"),))
    (exchange,) = session.conversation.exchanges
    exchange.answer = replace(exchange.answer, cut=Message("The <b>line</b> was cut."))
    looked = look(conversation_html(session))
    assert "Half an ans" in looked.text
    assert "The <b>line</b> was cut." in looked.text
    assert '<button type="button" data-do="retry"' in str(conversation_html(session)).split('class="cut"')[1]
    exchange.answer = replace(exchange.answer, cut=None)
    assert 'class="cut"' not in str(conversation_html(session))


def test_notes_of_a_document_are_listed(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.library = [
        document("a.pdf", notes=(Message("Page {n} could not be read.", {"n": 7}), Message("It is a form.")))
    ]
    text = look(documents_html(engine, Session("", "en"))).text
    assert "Page 7 could not be read." in text
    assert "It is a form." in text


def test_only_the_last_question_is_drawn_again_with_each_word():
    session = answered(sentences=(Sentence("Sales rose."),), question="one")
    session.conversation.add(Exchange(2, "two", text="Half"))
    assert "one" in look(earlier_html(session)).text
    assert "two" not in look(earlier_html(session)).text
    assert "one" not in look(conversation_html(session)).text
    assert "Half" in look(conversation_html(session)).text


def test_long_documents_lists_are_searchable(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.library = [replace(document(f"{n}.pdf")) for n in range(9)]
    assert tags(look(documents_html(engine, Session("", "en"))), type="search")


SIGNALS = (Signal("vectors", 0.8412, 1), Signal("words", 13.21, 3), Signal("<new>", 2.0, 7))


def rows(html):
    """Text of the cells of each row of the tables in `html`."""
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr.*?</tr>", html)]


@pytest.mark.parametrize(("language", "meaning"), [("en", "meaning"), ("zh", "语义")])
def test_a_source_shows_the_score_and_rank_of_each_signal(language, meaning):
    found = source(2, document("a.pdf"), signals=SIGNALS, score=0.75)
    view = View(found, 4, "5", 9, (), ())
    html = viewer_html(view, Opened(found, None, 4), language)
    assert len(tags(look(html), **{"class": "why-found", "data-key": "why-found"})) == 1
    assert rows(html)[1][:3] == [meaning, "0.841", "1"]
    assert rows(html)[2][1:] == ["13.21", "3"]
    assert rows(html)[3] == ["&lt;new&gt;", "2.00", "7"]
    assert rows(html)[4][1:] == ["0.750", "2"]


@pytest.mark.parametrize("state", [AnswerState.ANSWER, AnswerState.NONE])
def test_one_table_shows_the_signals_of_all_sources(state):
    session = answered(sentences=() if state is AnswerState.NONE else (Sentence("Sales rose."),), state=state)
    exchange = session.conversation.exchanges[0]
    first, second = exchange.sources
    exchange.found = Found((replace(first, signals=SIGNALS[:2]), replace(second, signals=SIGNALS[:1])), "q")
    table = rows(conversation_html(session))
    assert table[0] == ["", "meaning", "keywords", "combined"]
    assert table[1][1:] == ["0.841 <small>#1</small>", "13.21 <small>#3</small>", "0.900"]
    assert table[2][1:3] == ["0.841 <small>#1</small>", "–"]
    assert "a.pdf" in table[1][0]


def test_sources_without_signals_have_no_table():
    assert "why-found" not in conversation_html(answered(state=AnswerState.NONE))
    found = source(1, document("a.pdf"))
    assert "why-found" not in viewer_html(View(found, 4, "5", 9, (), ()), Opened(found, None, 4), "en")


def test_the_page_shown_can_be_marked_as_correct():
    found = source(1, document("a.pdf"))
    view = View(found, 6, "7", 9, (), ())
    opened = Opened(found, None, 6, "How <much>?")
    (button,) = tags(look(viewer_html(view, opened, "en")), **{"data-do": "right"})
    assert (button["data-page"], button["aria-pressed"]) == ("6", "false")
    marked = look(viewer_html(view, opened, "en", mark=Mark(right=True)))
    (button,) = tags(marked, **{"data-do": "right"})
    assert button["aria-pressed"] == "true"
    assert "How <much>?" in button["title"]
    assert tags(marked, **{"data-do": "evaluate"})
    assert "No room" in look(viewer_html(view, opened, "en", mark=Mark(problem=Message("No room")))).text
    assert not tags(look(viewer_html(view, Opened(found, None, 6), "en")), **{"data-do": "right"})


def test_a_page_opened_without_a_passage_shows_the_page_alone():
    page = RightPage("x", 6, "a.pdf", "7").as_source()
    looked = look(viewer_html(View(page, 7, "8", 9, (), ()), Opened(page, None, 7, "q"), "en"))
    assert not tags(looked, **{"class": "number"})
    assert "Passage" not in looked.text
    assert "Back to the passage" not in looked.text
