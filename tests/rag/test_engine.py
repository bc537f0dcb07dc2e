"""The whole pipeline with real PDFs: opening, asking and viewing."""

from __future__ import annotations

import threading

import pytest

from rag.answer.quote import QuoteReader
from rag.engine import Engine
from rag.errors import (
    AnswerCut,
    FileRefused,
    ModelMissing,
    QuestionRefused,
    ReaderError,
    StoreError,
)
from rag.messages import Message
from rag.reader import Turn
from rag.records import AnswerState, JobState, Piece
from rag.settings import Settings
from tests.fakes import ExactEmbedder, NumpyIndex, ScriptedReader
from tests.rag.engines import FIRST, SECOND, add, ask
from tests.rag.pdfs import text_pdf
from tests.waiting import until


def test_a_question_in_either_language_is_answered_with_its_page(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST), ("合同.pdf", SECOND))
    found, text, answer = ask(engine, "When was the red pump built?")
    assert found.sources[0].document == "manual.pdf"
    assert (found.sources[0].first_page, found.sources[0].page_label) == (0, "1")
    assert text.startswith("The red pump was built in 1931. [1]")
    assert answer.sentences[0].text == "The red pump was built in 1931."
    (citation,) = answer.sentences[0].citations
    assert found.sources[0].text[citation.start : citation.end] == "The red pump was built in 1931."
    _, text, answer = ask(engine, "合同编号是多少？")
    assert text.startswith("合同编号是第7731号。")
    assert answer.state is AnswerState.ANSWER


def test_a_question_without_an_answer_is_refused_and_shows_the_nearest_passages(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    found, text, answer = ask(engine, "Who won the chess championship?")
    assert text == ""
    assert answer.state is AnswerState.NONE
    assert found.sources


def test_a_source_opens_at_its_page_with_its_words_marked(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    found, _, answer = ask(engine, "How heavy is the blue valve?")
    view = engine.view("", found.sources[0], answer.sentences[0].citations[0])
    picture = engine.pages.picture("", view.source.document_id, view.page, 600)
    assert picture.png.startswith(b"\x89PNG")
    assert (view.page, view.page_label, view.pages) == (0, "1", 2)
    assert view.passage_boxes
    (sentence,) = view.sentence_boxes
    whole = view.passage_boxes
    assert min(box[1] for box in whole) - 0.01 <= sentence[1] < sentence[3] <= max(box[3] for box in whole) + 0.01
    other = engine.view_page("", found.sources[0], 1)
    assert (other.page, other.passage_boxes) == (1, ())
    assert engine.view_page("", found.sources[0], 99).page == 1


def test_only_chosen_documents_are_asked(make):
    engine = make()
    add(engine, ("a.pdf", FIRST), ("b.pdf", text_pdf(["The red pump of the other factory is from 1950."])))
    ids = {document.name: document.id for document in engine.documents("")}
    found, _, _ = ask(engine, "When was the red pump built?", [ids["b.pdf"]])
    assert {source.document for source in found.sources} == {"b.pdf"}
    with pytest.raises(QuestionRefused, match="tick at least one"):
        ask(engine, "When was the red pump built?", [])


def test_asking_works_while_a_file_is_added(make):
    embedder = ExactEmbedder()
    engine = make(embedder=embedder, reader=ScriptedReader(["Yes [1]."], ["No."]))
    add(engine, ("manual.pdf", FIRST))
    embedder.gate.clear()
    engine.add("", "other.pdf", SECOND)
    until(lambda: engine.jobs("")[0].state == JobState.EMBEDDING)
    assert ask(engine, "red pump?")[1] == "Yes [1]."
    embedder.gate.set()


def test_a_follow_up_is_searched_as_the_question_it_stands_for(make):
    engine = make(reader=ScriptedReader(["In 1931 [1]."]))
    add(engine, ("manual.pdf", FIRST), ("合同.pdf", SECOND))
    history = [Turn("What colour is the valve?", "Blue [1].")]
    found, _, _ = ask(engine, "And how heavy is it?", history=history)
    assert found.query == "How heavy is the valve?"
    assert "valve" in found.sources[0].text


def test_each_question_of_several_is_searched_and_answered(make):
    engine = make()
    crowd = text_pdf([f"The red pump number {n} was built and painted in hall {n}." for n in range(1, 20)])
    add(engine, ("crowd.pdf", crowd), ("合同.pdf", SECOND), ("manual.pdf", FIRST))
    found, text, _ = ask(engine, "Where was the red pump number 7 painted? 合同编号是多少？")
    assert found.parts == ("Where was the red pump number 7 painted?", "合同编号是多少？")
    assert found.query == " ".join(found.parts)
    assert "合同.pdf" in {source.document for source in found.sources[:3]}
    assert "hall 7." in text
    assert "合同编号是第7731号。" in text
    assert ask(engine, "Where was the red pump number 7 painted?")[0].parts == ()


def test_compared_documents_both_have_sources(make):
    engine = make()
    lines = [f"Clause {n}: the warranty of the pump covers part {n}." for n in range(1, 12)]
    add(engine, ("alphadyne.pdf", text_pdf(lines)), ("betatron.pdf", text_pdf(["The pump has a warranty of a year."])))
    add(engine, ("other.pdf", text_pdf(["The warranty of the pump of another maker."])))
    found, _, _ = ask(engine, "Compare the warranty of the pump of Alphadyne with that of Betatron")
    assert {source.document for source in found.sources[:3]} >= {"alphadyne.pdf", "betatron.pdf"}


def test_the_first_source_is_extended_to_its_page_and_the_passage_found_is_marked(make):
    reader = ScriptedReader(["The valve leaks at 9 bar [1]."])
    engine = make(reader=reader)
    filler = "\n".join(f"Line {n} tells of birds, boats and the weather at sea." for n in range(60))
    page = f"All pressures in bar\n{filler}\nThe blue valve leaks at 9 bar."
    add(engine, ("long.pdf", text_pdf([page])))
    found, _, answer = ask(engine, "At which pressure does the blue valve leak?")
    source = found.sources[0]
    assert source.text.startswith("All pressures in bar")
    assert not source.passage_text.startswith("All pressures")
    assert "leaks at 9 bar" in source.passage_text
    assert "All pressures in bar" in reader.history[0].sources[0].text
    (citation,) = answer.sentences[0].citations
    assert "leaks at 9 bar" in source.text[citation.start : citation.end]
    view = engine.view("", source, citation)
    assert min(box[1] for box in view.passage_boxes) > 0.2
    assert view.sentence_boxes


def test_the_reader_gets_sources_and_history_without_marks(make):
    reader = ScriptedReader(["The pump is red [1]."])
    engine = make(reader=reader)
    add(engine, ("manual.pdf", FIRST))
    ask(engine, "What about the red pump?", history=[Turn("Is there a pump?", "There is one [1][2].")])
    (request,) = reader.history
    assert request.question == "What about the red pump?"
    assert request.history == (Turn("Is there a pump?", "There is one."),)
    assert request.sources[0].text.startswith("The red pump was built in 1931.")


def test_the_reader_decides_whether_the_answer_is_markdown(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    assert not ask(engine, "red pump?")[0].writes_markdown
    engine.use_reader(ScriptedReader(["**Red** [1]."]), Message("a test asked for it"))
    assert ask(engine, "red pump?")[0].writes_markdown


def test_a_stopped_answer_says_so(make):
    class Slow(ScriptedReader):
        def answer(self, request, stop):
            yield "One. "
            assert stop.wait(5)

    engine = make(reader=Slow([]))
    add(engine, ("manual.pdf", FIRST))
    stop = threading.Event()
    events = engine.ask("", "red pump?", None, (), stop)
    assert next(event for event in events if isinstance(event, Piece)) == Piece("One. ")
    stop.set()
    *_, answer = events
    assert answer.stopped
    assert answer.state is AnswerState.ANSWER
    assert [sentence.text for sentence in answer.sentences] == ["One."]


@pytest.mark.parametrize("question", ["red pump?", "Summarise the manual."])
def test_what_came_of_an_answer_that_was_cut_is_kept_and_says_why(make, question):
    class Cut(ScriptedReader):
        def answer(self, request, stop):
            yield "The red pump was built in 1931 [1]. It "
            raise AnswerCut("The line was cut.")

    engine = make(reader=Cut())
    add(engine, ("manual.pdf", FIRST))
    *_, answer = ask(engine, question)
    assert answer.cut == Message("The line was cut.")
    assert not answer.stopped
    assert [sentence.text for sentence in answer.sentences] == ["The red pump was built in 1931.", "It"]


def test_the_engine_goes_on_after_a_reader_fails(make):
    class Broken(ScriptedReader):
        def answer(self, request, stop):
            raise ReaderError("The model has gone.")
            yield

    engine = make(reader=Broken())
    add(engine, ("manual.pdf", FIRST))
    with pytest.raises(ReaderError, match="gone"):
        ask(engine, "red pump?")
    engine.use_reader(QuoteReader(), Message("a test asked for it"))
    assert ask(engine, "When was the red pump built?")[2].sentences
    assert engine.choices()[0].why == Message("a test asked for it")


@pytest.mark.parametrize(
    ("question", "sentence"), [("  ", "empty"), ("x" * 5000, r"5,000 characters, the limit is 4,000")]
)
def test_questions_that_cannot_be_asked(make, question, sentence):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    with pytest.raises(QuestionRefused, match=sentence):
        ask(engine, question)


def test_an_empty_library_says_what_to_do(make):
    with pytest.raises(QuestionRefused, match="add a PDF first"):
        ask(make(), "Anything?")


def test_owners_do_not_see_each_others_documents(make):
    engine = make()
    add(engine, ("mine.pdf", FIRST), owner="ann")
    add(engine, ("shared.pdf", SECOND))
    assert [document.name for document in engine.documents("ben")] == ["shared.pdf"]
    found, _, answer = ask(engine, "When was the red pump built?", owner="ben")
    assert answer.state is AnswerState.NONE
    assert {source.document for source in found.sources} <= {"shared.pdf"}
    (document,) = [document for document in engine.documents("ann") if document.owner == "ann"]
    engine.remove("ben", document.id)
    assert len(engine.documents("ann")) == 2
    with pytest.raises(QuestionRefused):
        ask(engine, "When was the red pump built?", [document.id], owner="ben")
    mine, _, _ = ask(engine, "When was the red pump built?", owner="ann")
    with pytest.raises(FileRefused, match="no longer"):
        engine.view("ben", mine.sources[0])
    add(engine, ("also.pdf", FIRST), owner="ben")
    engine.remove("ben", document.id)
    assert engine.pages.picture("ann", mine.sources[0].document_id, 0, 100).png


def test_a_missing_embedder_is_reported_in_one_sentence(make):
    def missing():
        raise ModelMissing("No embedder on this machine: install it.")

    engine = make()
    engine.close()
    settings = engine.settings
    with Engine(settings, embedder=missing, reader=QuoteReader()) as broken:
        with pytest.raises(ModelMissing, match="install it"):
            broken.wait()
        assert any(str(choice.failed) == "No embedder on this machine: install it." for choice in broken.choices())
        broken.add("", "manual.pdf", FIRST)
        assert broken.jobs("")[0].state == JobState.WAITING
    again = make()
    until(lambda: again.documents(""))


def test_another_embedder_can_re_embed_the_library(make):
    engine = make()
    add(engine, ("manual.pdf", FIRST))
    engine.close()
    other = ExactEmbedder()
    other.name = "other"
    again = make(embedder=other, re_embed=True)
    assert ask(again, "When was the red pump built?")[2].sentences
    assert any(text.startswith("The red pump") for text in other.embedded)


def test_the_version_grows_with_every_change(make):
    engine = make()
    engine.wait()
    before = engine.version()
    add(engine, ("manual.pdf", FIRST))
    added = engine.version()
    assert added > before
    assert engine.version() == added
    engine.remove("", engine.documents("")[0].id)
    assert engine.version() > added


def test_a_document_that_another_owner_adds_meanwhile_is_no_source(make):
    """The question's vector is made after its scope is known; in between Ann's document becomes searchable."""

    class Slow(ExactEmbedder):
        def queries(self, texts):
            if texts == ["When was the red pump built?"] and not self.once:
                self.once = True
                add(engine, ("private.pdf", FIRST), owner="ann")
            return super().queries(texts)

        once = False

    engine = make(embedder=Slow())
    add(engine, ("shared.pdf", SECOND))
    found, _, _ = ask(engine, "When was the red pump built?", owner="ben")
    assert {source.document for source in found.sources} <= {"shared.pdf"}


def test_an_embedder_that_fails_is_reported_and_nobody_waits_for_ever(tmp_path):
    def broken():
        raise RuntimeError("out of luck")

    with Engine(Settings(data_dir=tmp_path / "data"), embedder=broken, reader=QuoteReader()) as engine:
        with pytest.raises(StoreError, match="error in the program"):
            engine.wait()
        assert engine.choices()[1].failed


def test_an_unusable_data_folder_is_reported_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match=r"cannot be used .*--data-dir"):
        Engine(Settings(data_dir=tmp_path / "file"), embedder=ExactEmbedder, reader=QuoteReader())


def test_names_and_questions_with_lone_surrogates_are_accepted(make):
    engine = make()
    add(engine, ("caf\udce9.pdf", FIRST))
    assert [document.name for document in engine.documents("")] == ["caf?.pdf"]
    assert ask(engine, "When was the red pump \ud800 built?")[2].sentences


def test_small_talk_is_answered_without_searching_and_without_documents(make):
    engine = make()
    found, text, answer = ask(engine, "Hello!")
    assert (found.sources, text, answer.sentences, answer.reader) == ((), "", (), "")
    assert "Add a PDF" in str(answer.reply)
    add(engine, ("manual.pdf", FIRST), ("合同.pdf", SECOND))
    chosen = [document.id for document in engine.documents("") if document.name == "合同.pdf"]
    names = "; ".join(document.name for document in engine.documents(""))  # in the order in which they were read
    assert str(ask(engine, "Which documents do you have?")[2].reply) == f"There are 2 documents: {names}"
    assert str(ask(engine, "你有哪些文件？", chosen)[2].reply) == "There is one document: 合同.pdf"
    assert ask(engine, "Hello, when was the red pump built?")[2].reply is None


def test_small_talk_is_answered_while_the_library_is_being_loaded(tmp_path):
    gate = threading.Event()

    def slow():
        gate.wait(20)
        return ExactEmbedder()

    with Engine(Settings(data_dir=tmp_path / "data"), embedder=slow, reader=QuoteReader()) as engine:
        assert ask(engine, "thanks")[2].reply
        gate.set()


def test_a_question_that_fills_the_reader_is_refused_and_not_answered_without_sources(make):
    reader = ScriptedReader(["never"])
    reader.context_tokens = 370
    engine = make(reader=reader)
    add(engine, ("manual.pdf", FIRST))
    with pytest.raises(QuestionRefused, match=r"370 tokens\) no room"):
        ask(engine, "pump " * 100)
    assert reader.history == []


def test_evidence_is_not_kept_waiting_by_files_being_added(make):
    embedder = ExactEmbedder()
    engine = make(embedder=embedder)
    add(engine, ("manual.pdf", FIRST))
    embedder.gate.clear()
    engine.add("", "other.pdf", SECOND)
    until(lambda: engine.jobs("")[0].state == JobState.EMBEDDING)
    assert ask(engine, "When was the red pump built?")[2].sentences
    embedder.gate.set()


def test_an_index_of_another_kind_gives_the_same_sources_to_every_owner(make):
    """Shared and own documents, all and a selection, two removed; FAISS against filtering passage by passage."""
    question, engine = "When was the red pump built?", make()
    for owner, names in (("", "abc"), ("ann", "de"), ("ben", "fg")):
        texts = {name: "The red pump was built." + f" Hall {name}{name} is near." * (ord(name) - 96) for name in names}
        add(engine, *((f"{name}.pdf", text_pdf([text])) for name, text in texts.items()), owner=owner)
    ids = {document.name: document.id for owner in ("ann", "ben") for document in engine.documents(owner)}
    engine.remove("", ids["b.pdf"])
    engine.remove("ann", ids["e.pdf"])
    selection = [ids["a.pdf"], ids["d.pdf"], ids["f.pdf"]]
    asked = [(owner, documents) for owner in ("", "ann", "ben", "eve") for documents in (None, selection)]

    def found(engine: Engine) -> list[list[str]]:
        return [[source.document[0] for source in engine.search(owner, question, some)] for owner, some in asked]

    sources = found(engine)
    assert ["".join(sorted(names)) for names in sources] == ["ac", "a", "acd", "ad", "acfg", "af", "ac", "a"]
    engine.close()
    plain = NumpyIndex()
    assert found(make(vector_index=lambda dimension, settings: plain)) == sources
    assert len(plain) == 5
