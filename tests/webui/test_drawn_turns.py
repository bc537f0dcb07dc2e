"""A page to which unchanged turns are not sent again shows the same as one that is sent everything."""

import re
from dataclasses import replace

import pytest

from rag.records import Answer, Citation, Found, Sentence
from tests.webui.fake_engine import document, source
from webui.conversation import Conversation, Exchange, Place
from webui.session import Session
from webui.views.answers import earlier_html

ARTICLE = re.compile(
    r'<article class="[^"]*" data-key="([^"]*)"(?: data-(drawn|same)="(\d+)")?>.*?</article>', re.DOTALL
)


class Page:
    """What the page makes of the drawings that it gets; `asked` for all turns where it lacks one of them."""

    def __init__(self, session):
        self.session, self.turns, self.sent, self.asked = session, {}, [], False

    def draw(self):
        turns, self.sent = {}, []
        for found in ARTICLE.finditer(earlier_html(self.session)):
            key, kind, number = found.groups()
            if kind == "same":
                known = self.turns.get(key, ("", ""))
                self.asked |= known[0] != number
                turns[key] = known
            else:
                turns[key] = (number, found[0])
                self.sent.append(key)
        self.turns = turns

    @property
    def text(self):
        return [re.sub(r' data-drawn="\d+"', "", html) for _, html in self.turns.values()]


@pytest.fixture
def session():
    session, reports = Session("", "en"), [document("a.pdf"), document("b.pdf")]
    exchanges = []
    for number in range(1, 6):
        sources = tuple(source(n, of, page=number) for n, of in enumerate(reports, 1))
        answer = Answer((Sentence(f"Answer {number}.", (Citation(1, 0, 5),)),), "GLM-4-9B", seconds=1.0)
        found = Found(sources, f"question {number}", writes_markdown=True)
        exchanges.append(Exchange(number, f"question {number}", "GLM-4-9B", found, answer=answer))
    exchanges[1].answer, exchanges[1].text, exchanges[1].stopped = None, "Half an", True
    session.conversation = Conversation(exchanges)
    return session


def rate(session):
    session.conversation.exchanges[0].helpful = True


def give_a_reason(session):
    session.conversation.exchanges[0].helpful, session.conversation.exchanges[0].reason = False, "wrong year"


def switch_language(session):
    session.language = "zh"


def open_a_source(session):
    session.open_source(3, 1, 0)


def close_the_source(session):
    session.opened = None


def show_titles(session):
    session.titles = {document("b.pdf").id: "Annual report"}


def end_a_stopped_answer(session):
    session.conversation.exchanges[1].answer = Answer((Sentence("Half an answer."),), "GLM-4-9B", stopped=True)


def show_the_prompt(session):
    session.prompts = {4}


def ask_again(session):
    session.conversation.add(Exchange(6, "question 4, edited", "GLM-4-9B", parent=3, text="So"))


def show_the_former_variant(session):
    session.conversation.show_variant(4)


def show_another_conversation(session):
    other = [replace(one, question=f"other {one.id}") for one in session.conversation.exchanges[:3]]
    session.show(Conversation(other))


def open_a_page_on_its_own(session):
    session._open(Place(2, 2))


CHANGES = (
    rate, give_a_reason, switch_language, open_a_source, open_a_page_on_its_own, close_the_source, show_titles,
    end_a_stopped_answer, show_the_prompt, ask_again, show_the_former_variant, show_another_conversation,
)  # fmt: skip


def test_after_every_change_the_page_shows_what_a_whole_drawing_shows(session):
    page = Page(session)
    page.draw()
    before = page.text
    for change in CHANGES:
        change(session)
        page.draw()
        assert not page.asked
        fresh = Page(session)
        numbers, session.drawn_turns = session.drawn_turns, type(session.drawn_turns)()
        fresh.draw()
        session.drawn_turns = numbers
        assert page.text == fresh.text, change.__name__
        assert page.text != before or change is show_the_prompt, change.__name__
        before = page.text


def test_a_new_question_sends_the_one_before_it_alone(session):
    page = Page(session)
    page.draw()
    assert page.sent == ["turn-1", "turn-2", "turn-3", "turn-4"]
    session.conversation.add(Exchange(6, "question 6", "GLM-4-9B", text="So"))
    page.draw()
    assert page.sent == ["turn-5"]
    assert len(page.text) == 5


def test_a_page_that_missed_a_drawing_asks_for_all_turns_and_gets_them(session):
    missed, page = Page(session), Page(session)
    rate(session)
    page.draw()
    give_a_reason(session)
    missed.draw()
    page.draw()
    assert page.asked
    session.drawn_turns.forget()
    page.draw()
    assert page.sent == ["turn-1", "turn-2", "turn-3", "turn-4"]
