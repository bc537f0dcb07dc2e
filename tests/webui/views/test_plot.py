import re

import pytest

from tests.webui.safe import NASTY, look
from webui.views.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, plot, round_top

GROUND, CEILING, END = HEIGHT - BOTTOM, TOP, WIDTH - RIGHT


def draw(*lines, moments=("a", "b", "c"), top=1.0, name="Quality", told="up", notes=()):
    return plot(name, lines, moments, key="k", told=told, top=top, written=lambda value: f"{value:g}", notes=notes)


def points(html):
    """Where the dots stand."""
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', html)]


def test_values_stand_where_they_belong():
    html = draw(Line("r", "l0", [0.0, 0.5, 1.0]))
    assert points(html) == [(LEFT, GROUND), ((LEFT + END) / 2, (GROUND + CEILING) / 2), (END, CEILING)]
    path = re.search(r'class="line l0"><path d="([^"]+)"', html)[1]
    assert path == f"M{LEFT}.0 {GROUND}.0 L{(LEFT + END) / 2} {(GROUND + CEILING) / 2} L{END}.0 {CEILING}.0"


def test_a_single_value_is_a_dot_in_the_middle():
    html = draw(Line("r", "l0", [1.0]), moments=("a",))
    assert points(html) == [((LEFT + END) / 2, CEILING)]


def test_a_line_is_broken_where_there_is_no_value():
    html = draw(Line("r", "l0", [0.0, None, 1.0, 1.0]), moments="abcd")
    assert len(points(html)) == 3
    assert re.sub(r"[^ML]", "", re.search(r'class="line l0"><path d="([^"]+)"', html)[1]) == "MML"


def test_what_is_above_the_top_stays_inside():
    assert points(draw(Line("r", "l0", [9.0, -9.0, 0.0])))[:2] == [(LEFT, CEILING), ((LEFT + END) / 2, GROUND)]


def test_it_says_what_it_shows():
    looked = look(draw(Line("recall@1", "l0", [0.5, None, 1.0])))
    assert looked.elements[0][1]["role"] == "img"
    assert looked.elements[0][1]["aria-labelledby"] == "k-name k-told"
    assert "Quality" in looked.text
    assert "recall@1 0.5 · a" in looked.text
    assert "0.75" in looked.text, "the grid has its numbers"


def test_a_note_stands_in_the_titles_of_its_moment_alone():
    html = draw(Line("r", "l0", [0.5, None, 1.0]), notes=("2 of 3", "1 of 3", ""))
    assert re.findall(r"<circle[^>]*><title>(.*?)</title>", html) == ["r 0.5 · a · 2 of 3", "r 1 · c"]


def test_nothing_to_draw_is_drawn():
    assert points(draw(moments=())) == []
    assert points(draw(Line("r", "l0", []), moments=(), top=0.0)) == []


@pytest.mark.parametrize("text", NASTY)
def test_hostile_names_stay_text(text):
    look(draw(Line(text, "l0", [1.0]), moments=(text,), name=text, told=text))


@pytest.mark.parametrize(
    ("highest", "top"), [(0.0, 0.2), (0.013, 0.02), (0.2, 0.2), (3, 4), (41, 80), (81, 100), (100, 100), (1200, 2000)]
)
def test_the_scale_ends_at_a_round_number(highest, top):
    assert round_top(highest) == pytest.approx(top)
