from __future__ import annotations

import pytest

from rag.embed.cached import CachedEmbedder
from tests.fakes import ExactEmbedder


def test_a_text_is_embedded_once_and_its_vector_found_again(tmp_path):
    first, second = ExactEmbedder(), ExactEmbedder()
    made = CachedEmbedder(first, tmp_path).passages(["one", "two"])
    again = CachedEmbedder(second, tmp_path).passages(["two", "three", "one"])
    assert second.embedded == ["three"]
    assert again[[2, 0]] == pytest.approx(made)
