"""Every number the pipeline can be tuned by, with its unit. Frozen; reads no environment and touches no disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """How much of a stranger's file, or question, is dealt with."""

    file_bytes: int = 200 * MB
    pages: int = 10_000  # a document
    page_characters: int = 1_000_000
    document_characters: int = 30_000_000
    read_cpu_seconds: int = 20  # of the worker process, a document
    read_wall_seconds: int = 90  # the same, waiting included
    read_memory_bytes: int = 256 * 1024 * 1024  # address space of the worker that reads text
    draw_cpu_seconds: int = 15  # of the worker that draws one page
    draw_memory_bytes: int = 1024 * 1024 * 1024
    second_look_pages: int = 50  # pages a document that the second PDF reader may look at too
    question_characters: int = 4_000
    waiting_files: int = 5_000  # files that one owner sees on their way in, failed ones included


@dataclass(frozen=True)
class ChunkSettings:
    """How pages become passages."""

    passage_tokens: int = 256  # longest passage, in the embedder's tokens
    smallest_tokens: int = 24  # a shorter rest joins the passage before it where that fits


@dataclass(frozen=True)
class RetrievalSettings:
    """How a question becomes sources."""

    candidates: int = 100  # passages each index may bring
    sources: int = 8  # passages a question is answered from
    favoured: int = 3  # documents, those that fit the question best, that are searched once more by themselves
    looked_at_twice: int = 100  # passages that get a second look
    exact_up_to: int = 200_000  # passages whose vectors are kept as they are; above, in half precision
    reranked: int = 50  # passages that a cross-encoder looks at, where there is one
    vector_weight: float = 0.6  # of the fused score; the rest is words
    usual_share: float = 0.25  # of what all questions share that is taken out of a question's vector
    document_weight: float = 0.2  # of how well a document fits, 0 to about 6, beside the fused score
    terms_weight: float = 0.2  # of the share of the question's terms that a passage holds
    pairs_weight: float = 0.2  # the same for neighbouring terms
    line_items: bool = True  # whether figures are looked for by the lines they are worked out from
    pages: bool = True  # whether the best passage of each page comes first, joined with its neighbours
    source_characters: int = 4_000  # longest source that neighbours, or the rest of its page, are joined to
    whole_pages: int = 3  # sources, the first ones, that are offered with all of their page
    parts: bool = True  # whether the parts of a question are searched apart
    apart: bool = True  # whether documents that a question names side by side are


@dataclass(frozen=True)
class AnswerSettings:
    """What counts as an answer among the sentences of the sources. `benchmarks/calibrate.py` measures the gates."""

    sources: int = 5  # sources whose sentences are looked at
    sentences: int = 64  # sentences looked at in all
    sentence_characters: int = 500  # a longer one is cut there
    gate_words: float = 1.2  # closeness that counts as an answer: question and sentence written in letters
    gate_han: float = 0.95  # both in Chinese
    gate_words_to_han: float = 0.63  # question in letters, sentence in Chinese
    gate_han_to_words: float = 1.16  # the other way round
    keep_support: float = 0.35  # least share of a sentence in its source for the reader's own mark to stand
    add_support: float = 0.6  # the same for a mark that the reader did not set


@dataclass(frozen=True)
class RenderSettings:
    """Pages drawn for the viewer."""

    pixels_wide: int = 1_100
    cache_bytes: int = 200 * MB


@dataclass(frozen=True)
class Settings:
    """All of the above, and where the data lies."""

    data_dir: Path = Path("data")
    parallel_reads: int = 2  # documents
    limits: Limits = field(default_factory=Limits)
    chunking: ChunkSettings = field(default_factory=ChunkSettings)
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    answering: AnswerSettings = field(default_factory=AnswerSettings)
    rendering: RenderSettings = field(default_factory=RenderSettings)

    @property
    def files_dir(self) -> Path:
        """The PDFs themselves, each under its SHA-256."""
        return self.data_dir / "files"

    @property
    def pictures_dir(self) -> Path:
        """Pages drawn, a folder a document; may be deleted at any time."""
        return self.data_dir / "pictures"

    @property
    def database(self) -> Path:
        """SQLite: the only truth."""
        return self.data_dir / "library.sqlite"
