from __future__ import annotations

from rag.kept import Kept

OWN, OTHER = ("ann", "report"), ("ben", "report")


def keep(kept: Kept[str], *keys: tuple[tuple[str, str], int]) -> None:
    for document, key in keys:
        kept.keep(document, key, f"{document[0]} {key}", kept.moment)


def test_the_same_document_of_another_owner_shares_nothing():
    kept: Kept[str] = Kept(9)
    keep(kept, (OWN, 1))
    assert kept.get(OWN, 1) == "ann 1"
    assert kept.get(OTHER, 1) is None


def test_what_was_used_longest_ago_goes_first():
    kept: Kept[str] = Kept(2)
    keep(kept, (OWN, 1), (OWN, 2))
    assert kept.get(OWN, 1)
    keep(kept, (OWN, 3))
    assert [kept.get(OWN, key) for key in (1, 2, 3)] == ["ann 1", None, "ann 3"]
    assert len(kept) == 2


def test_a_document_is_forgotten_and_no_other():
    kept: Kept[str] = Kept(9)
    keep(kept, (OWN, 1), (OTHER, 1))
    kept.forget(OWN)
    assert kept.get(OWN, 1) is None
    assert kept.get(OTHER, 1) == "ben 1"


def test_what_was_worked_out_before_a_document_changed_is_not_kept():
    kept: Kept[str] = Kept(9)
    moment = kept.moment
    kept.forget(OWN)
    kept.keep(OWN, 1, "of the text before", moment)
    assert kept.get(OWN, 1) is None
