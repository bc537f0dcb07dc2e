"""The vectors of the sentences of sources: kept in memory, else read from the store, else made when they are needed.

Those of all pages are made while nobody asks anything: an answer then embeds its question alone. A few pages after
another, and of those a few sentences at a time: a question never waits for more than those. What is made is stored, so
that it goes on after a restart where it was.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from rag.answer.sentences import distinct_sentences
from rag.embed.embedder import Embeds
from rag.errors import Stopped, StoreError
from rag.kept import Kept
from rag.records import DocumentKey, Vectors, text_digest
from rag.store.sentences import HALF, StoredSentences, UnmadePage

log = logging.getLogger(__name__)

QUIET_SECONDS: Final = 3.0  # without a question, before it starts or continues
PAGES: Final = 8  # of a document, made together
SENTENCES: Final = 8  # embedded together
KEPT_SENTENCES: Final = 50_000  # about 1 KB each


class SentencesAhead:
    """Stores the sentence vectors of every page that lacks them, in a thread."""

    def __init__(
        self,
        stored: StoredSentences,
        vectors: SentenceVectors,
        characters: int,
        *,
        quiet_since: Callable[[], int | None],
        version: Callable[[], int],
    ) -> None:
        """`characters`: the length at which sentences are cut; `version` changes whenever there may be new pages.

        `quiet_since` returns a number that changes with each question; None while one is being answered or waiting.
        """
        self._stored, self._vectors, self._characters = stored, vectors, characters
        self._quiet_since, self._version = quiet_since, version
        self._made: dict[str, Vectors] = {}  # of the pages it is at, by sentence
        self._complete = -1  # version at which no page was left
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sentences", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop soon."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._stop.wait(QUIET_SECONDS):
                while self._make_some():
                    pass
        except Stopped:
            pass
        except StoreError as exc:
            log.warning("Sentences are embedded when they are needed, until the next start: %s", exc)

    def _make_some(self) -> bool:
        """Make those of the next pages; returns whether there may be more and nobody asks.

        Raises Stopped and StoreError.
        """
        version, moment = self._version(), self._quiet_since()
        if moment is None or version == self._complete:
            return False
        pages = self._stored.unmade(PAGES)
        if not pages:
            self._complete = version
        return bool(pages) and self._make(pages, moment)

    def _make(self, pages: Sequence[UnmadePage], moment: int) -> bool:
        """Make and store the vectors for pages of one document; False if somebody asked before that was done."""
        document = (pages[0].owner, pages[0].document_id)
        sentences = [distinct_sentences(page.text, self._characters) for page in pages]
        # Sentences of similar length go together, to waste little on padding.
        different = dict.fromkeys(one for of_page in sentences for one in of_page)
        missing = sorted((one for one in different if one not in self._made), key=len)
        for start in range(0, len(missing), SENTENCES):
            if self._quiet_since() != moment:
                return False  # what has been made so far is there when it continues
            few = missing[start : start + SENTENCES]
            self._made.update(zip(few, self._vectors.make(document, few, self._stop), strict=True))
        made, self._made = self._made, {}
        for page, of_page in zip(pages, sentences, strict=True):
            vectors = np.array([made[one] for one in of_page], np.float32)
            self._stored.add(page, [text_digest(one) for one in of_page], vectors)
        return not self._stop.is_set()


class Place(NamedTuple):
    """Where a sentence is."""

    document: DocumentKey
    first_page: int
    last_page: int


class SentenceVectors:
    """Vectors of sentences, in half precision wherever they come from. Thread-safe.

    For a question, the vectors of all its pages are read in one query.
    """

    def __init__(self, embedder: Embeds, stored: StoredSentences | None = None) -> None:
        self._embedder, self._stored = embedder, stored
        self._kept: Kept[Vectors] = Kept(KEPT_SENTENCES)

    def of(self, places: Sequence[Place], sentences: Sequence[str], stop: threading.Event | None = None) -> Vectors:
        """Unit vectors (n, d) of sentences; row i of `places` is the place of sentence i. Raises Stopped."""
        moment, keys = self._kept.moment, [text_digest(sentence) for sentence in sentences]
        found = [self._kept.get(place.document, key) for place, key in zip(places, keys, strict=True)]
        self._read(places, keys, found, moment)
        missing = [row for row, vector in enumerate(found) if vector is None]
        made = self._embedder.passages([sentences[row] for row in missing], urgent=True, stop=stop)
        for row, vector in zip(missing, made, strict=True):
            found[row] = own = vector.astype(HALF)
            self._kept.keep(places[row].document, keys[row], own, moment)
        return np.array(found, np.float32)

    def make(self, document: DocumentKey, sentences: Sequence[str], stop: threading.Event) -> Vectors:
        """Vectors (n, d) of a document's sentences, to be stored; none is kept in memory. Raises Stopped."""
        found = [self._kept.get(document, text_digest(sentence)) for sentence in sentences]
        missing = [row for row, vector in enumerate(found) if vector is None]
        made = self._embedder.passages([sentences[row] for row in missing], stop=stop)
        for row, vector in zip(missing, made, strict=True):
            found[row] = vector
        return np.array(found, np.float32)

    def forget(self, document: DocumentKey) -> None:
        """Drop all that is in memory of a document."""
        self._kept.forget(document)

    def _read(self, places: Sequence[Place], keys: Sequence[bytes], found: list[Vectors | None], moment: int) -> None:
        """Fill the gaps of `found` with stored vectors, and keep all that were read."""
        gaps = [row for row, vector in enumerate(found) if vector is None]
        pages = {
            (places[row].document, page)
            for row in gaps
            for page in range(places[row].first_page, places[row].last_page + 1)
        }
        if self._stored is None or not pages:
            return
        stored = self._stored.of(pages)
        for (document, key), vector in stored.items():
            self._kept.keep(document, key, vector.copy(), moment)  # a view would keep the whole page in memory
        for row in gaps:
            found[row] = stored.get((places[row].document, keys[row]))
