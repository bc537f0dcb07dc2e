"""The terms of texts, counted: made where time is plentiful, so that adding them to an index takes none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.index.tokenize import terms


@dataclass(frozen=True, slots=True, eq=False)
class CountedTerms:
    """The terms of n texts, repeats included: m in all, of which t are distinct."""

    vocabulary: Sequence[str]  # t distinct terms
    places: npt.NDArray[np.uint32]  # (m,) the place of each term in the vocabulary, text after text
    lengths: npt.NDArray[np.uint32]  # (n,) number of terms of each text

    def __len__(self) -> int:
        return len(self.lengths)

    def places_of(self, texts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """The places in the vocabulary of the terms of these texts, text after text."""
        ends = np.cumsum(self.lengths, dtype=np.int64)
        spans = zip(ends[texts] - self.lengths[texts], ends[texts], strict=True)
        return np.concatenate([self.places[:0], *(self.places[start:end] for start, end in spans)])

    @classmethod
    def of(cls, texts: Iterable[str]) -> CountedTerms:
        """Count the terms of these texts."""
        known: dict[str, int] = {}
        places, lengths = list[int](), list[int]()
        for text in texts:
            found = terms(text)
            places.extend(known.setdefault(term, len(known)) for term in found)
            lengths.append(len(found))
        return cls(list(known), np.array(places, np.uint32), np.array(lengths, np.uint32))
