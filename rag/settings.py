"""Every number that tunes ranking and answering, with its unit. Frozen; reads no environment and touches no disk.

Three kinds of numbers stay as named constants in the modules that use them, because they are not meant to be tuned:
bounds on hostile input beyond `Limits` (characters of a heading), heuristics about how pages are laid out and questions
are worded (`rag/pdf`, stop lists), and sizes that change speed or memory but no result (batches, blocks, caches).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

MB = 1_000_000
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds on untrusted files and questions."""

    file_bytes: int = 200 * MB  # per file
    pages: int = 10_000  # per document
    page_characters: int = 1_000_000  # per page
    document_characters: int = 30_000_000  # per document
    read_cpu_seconds: int = 20  # CPU time to read one document
    read_wall_seconds: int = 90  # elapsed time to read one document, waiting included
    read_memory_bytes: int = 256 * MIB  # address space of the process that reads a document
    render_cpu_seconds: int = 15  # CPU time to draw one page
    render_memory_bytes: int = 1024 * MIB  # address space of the process that draws a page
    ocr_pages: int = 2_000  # scanned pages per document that are read
    ocr_page_cpu_seconds: int = 120  # CPU time to draw and recognise one page
    ocr_page_pixels: int = 8_000_000  # of the picture that is recognised; A4 at 200 dots per inch has 3,900,000
    ocr_memory_bytes: int = 2_048 * MIB  # address space of the process that recognises pages, models included
    fallback_reader_pages: int = 50  # pages per document that the second PDF reader may try as well
    question_characters: int = 4_000  # per question
    answers_at_once: int = 0  # questions answered at the same time; 0: one per processor (2 to 8), with a model 16
    waiting_questions: int = 200  # of all people together
    own_waiting_questions: int = 32  # of one person
    queued_files: int = 5_000  # files one owner may have in the queue, failed ones included
    owner_bytes: int = 0  # of the PDFs of one owner, those in the queue included; 0 for no limit


@dataclass(frozen=True)
class ChunkSettings:
    """How pages are cut into passages."""

    max_passage_tokens: int = 256  # longest passage, in the embedder's tokens
    min_passage_tokens: int = 24  # a shorter piece is merged into its neighbour if both are short enough


@dataclass(frozen=True)
class QuerySettings:
    """How a question is split, completed and expanded."""

    line_items: bool = True  # expand financial figures into the line items they are computed from
    split_questions: bool = True  # search the parts of a compound question separately
    max_parts: int = 3  # a question with more parts is searched whole
    min_part_terms: int = 2  # a clause with fewer terms belongs to the clause before; after "?" one term is enough
    max_dependent_han_terms: int = 6  # a Chinese clause of at most this many terms continues the clause before
    instruction_term_weight: float = 0.3  # of words that say how to answer ("round", "decimals"); other words weigh 1
    mean_query_share: float = 0.25  # share of the language's mean query embedding subtracted from a query embedding


@dataclass(frozen=True)
class RoutingSettings:
    """How well a document matches a question (`rag/retrieve/routing.py`)."""

    routed_documents: int = 3  # best-matching documents that are searched once more on their own
    routing_weight: float = 0.2  # of a document's score (0 to about 6) in the score of its passages
    min_term_weight: float = 0.7  # IDF below which a term is too common to tell documents apart (half of the passages)
    coverage_weight: float = 0.5  # of the log ratio between a term's coverage of a document and its mean coverage
    coverage_smoothing: float = 0.02  # added to the mean coverage, so that a term of a few passages counts little
    coverage_saturation: float = 5.0  # times the best coverage, capped at 1: a term that covers 20% counts in full
    min_part_share: float = 0.25  # of a document's score for the whole question, its least score for each part
    compare_documents: bool = True  # search documents that a question compares separately
    max_compared_documents: int = 4  # documents, or groups of documents, that are compared
    min_name_strength: float = 0.4  # IDF of a further compared name, as a share of the first name's
    name_rarity_ratio: float = 1.2  # IDF among passages over IDF among names from which a term counts as a name
    min_joined_characters: int = 5  # of a name written as one word ("northwind") and asked in two
    max_name_elsewhere: float = 0.02  # share of other documents' passages with a word up to which it may be a name
    min_own_voice: float = 0.1  # least share of passages with "our" or "company" in a company's document; 2: none is
    min_name_ratio: float = 3.0  # coverage of the documents it names over that of the others, of a more frequent name


@dataclass(frozen=True)
class Bm25Settings:
    """Okapi BM25 (Robertson & Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009)."""

    k1: float = 1.5  # term-frequency saturation
    b: float = 0.75  # length normalisation, 0 (none) to 1 (full)


@dataclass(frozen=True)
class PageSettings:
    """How pages are rescored by what they are and by the rows of their tables (`rag/retrieve/page_scores.py`).

    What is added to a score of 0 to about 3; a weight of 0 leaves the step out.
    """

    pages: int = 30  # best pages that are rescored
    statement_weight: float = 0.4  # for a primary statement that the question, or a figure it asks for, stands in
    item_weight: float = 0.3  # of the mean match of the line items searched with the question, 0..1
    row_weight: float = 0.8  # of the match of the question's own words with the best row, 0..1
    heading_weight: float = 0.3  # of the match of a heading with that of a section about the subject asked for, 0..1
    boilerplate_penalty: float = 0.3  # for an auditor's report, a list of exhibits or contents, and the like
    reason_penalty: float = 0.3  # for a primary statement where the question asks for reasons
    kept_pages: int = 3_000  # pages whose rows are kept in memory, about 8 KB each


@dataclass(frozen=True)
class RetrievalSettings:
    """How a question is turned into sources."""

    sources: int = 8  # per question
    candidates: int = 100  # passages taken from each index
    vector_weight: float = 0.6  # of the vector index in the fused score, 0..1; BM25 has the rest
    overlap_candidates: int = 100  # passages rescored by term overlap
    term_overlap_weight: float = 0.2  # of the share of the question's terms that a passage holds
    bigram_overlap_weight: float = 0.2  # of the share of the question's pairs of neighbouring terms
    rerank_candidates: int = 50  # passages rescored by the cross-encoder, if there is one
    reranker_weight: float = 0.7  # of the cross-encoder in their score, 0..1 (not measured yet)
    merge_pages: bool = True  # one source per page first, merged with its neighbours
    source_characters: int = 4_000  # longest source that neighbours, or the rest of its page, are added to
    full_page_sources: int = 3  # sources, from the first, that are extended to their whole page
    exact_index_size: int = 200_000  # passages up to which vectors are kept in float32; above, in float16
    query: QuerySettings = field(default_factory=QuerySettings)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    pages: PageSettings = field(default_factory=PageSettings)
    bm25: Bm25Settings = field(default_factory=Bm25Settings)


@dataclass(frozen=True)
class ContextSettings:
    """How sources and history are packed into the prompt."""

    source_tokens: int = 12  # reserved per source for its number and markers
    tokens_per_source: int = 320  # of a model's context, for each source that is retrieved
    max_sources: int = 100  # retrieved, whatever the context
    max_source_share: float = 0.25  # of the room for sources that one source may take
    max_history_share: float = 0.25  # of the room that earlier turns may take
    max_evidence_share: float = 0.1  # of the room that sentences and figures found beforehand may take
    evidence_items: int = 5  # sentences, rows and figures found beforehand that a model is shown
    name_characters: int = 80  # of a document's name, and of its heading path, that the reader sees


@dataclass(frozen=True)
class FigureConfidence:
    """Weights of the signs that a figure is right (`figures/confidence.py`), fitted by `benchmarks.figures --fit`."""

    bias: float = -2.46
    coverage: float = 1.63  # share of the question's words that the cell with the fewest has, 0..1
    full_coverage: float = 1.14  # its fourth power
    around: float = 1.54  # what the words of the section and the caption would add to it, counting in full, 0..1
    extra: float = -2.61  # share of a label that the question lacks, 0..1
    odd: float = 0.05  # whether a cell is of a quarter, a percentage, a change or pro forma, unasked
    right_period: float = 1.1  # share of the cells that are of a period asked for
    unknown_period: float = 0.7  # share of the cells whose period is unknown, where one is asked for
    no_period_asked: float = -0.33  # whether the question names none
    change: float = 0.79  # whether a change is computed
    computed: float = 0.66  # whether a share, ratio, sum or average is computed
    names: float = 2.28  # whether the answer is a name, a period or a count
    series: float = 0.66  # whether it is a list of values
    no_header: float = -1.58  # whether the first cell has none
    no_label: float = -0.16  # whether it has none
    no_scale: float = -0.89  # whether neither the table nor the cell says a scale, unless things are counted
    crossed: float = 1.5  # whether the question names row and column of an undated table; not fitted, TAT-QA has none


@dataclass(frozen=True)
class FigureSettings:
    """How cells of tables are matched with a question about a figure (`rag/answer/figures/lookup.py`)."""

    min_confidence: float = 0.7  # of a figure that is stated as the answer, 0..1; below, its rows are shown
    doubt_confidence: float = 0.45  # of a figure that makes another amount, found in a sentence, doubtful, 0..1
    hand_over_confidence: float = 0.2  # below this the question is left to the sentences, 0..1
    section_share: float = 0.7  # of a term found in the section above a row, beside one in the row's label
    caption_share: float = 0.4  # of a term found in the table's caption
    soft_share: float = 0.15  # of terms that say little, such as "amount", found in a label or header
    unasked_penalty: float = 0.25  # for a label of terms that the question does not name
    unasked_column_penalty: float = 0.1  # the same for a column header
    unasked_section_penalty: float = 0.05  # the same for a section
    unasked_note_penalty: float = 0.05  # the same for what stands in parentheses in a label
    elsewhere_penalty: float = 0.5  # for words of the question that stand in other labels of the table only
    near_bonus: float = 0.15  # for the second cell of two in the table and column of the first
    right_period: float = 0.3  # for a cell of a period that the question names
    exact_period: float = 0.05  # if its header says just as much, or the same month
    no_period: float = -0.2  # for a cell without a period, where the question names one
    wrong_period: float = -1.0  # for a cell of another period
    part_penalty: float = 0.3  # for a quarter, a segment, a change or a percentage that is not asked for
    confidence: FigureConfidence = field(default_factory=FigureConfidence)
    agreement_margin: float = 0.1  # cells within this score of the best one vote for their value


@dataclass(frozen=True)
class DoubtWeights:
    """Weights of the signs of an answer (`Signs` in `rag/answer/doubt.py`), fitted by `benchmarks/calibrate.py`."""

    constant: float
    closeness: float
    lead: float
    source_lead: float
    share: float
    years: float
    names: float
    source_gap: float
    odds: float


@dataclass(frozen=True)
class DoubtGates:
    """Least probabilities, 0..1, that evidence answers for two states; below both, the question is refused."""

    answer: float
    closest: float


@dataclass(frozen=True)
class DoubtSettings:
    """When an answer is doubted (`rag/answer/doubt.py`)."""

    subject_coverage: float = 0.05  # share of a document's passages with a name from which the document is about it
    min_presence: float = 0.15  # of a year or name below which it is missing, 0..1
    near_meaning: float = 0.4  # centred cosine of two words from which one may stand for the other, -1..1
    near_meaning_han: float = 0.25  # the same of Chinese words
    same_script: DoubtWeights = DoubtWeights(-11.17, 2.821, 1.18, 0.632, 1.577, 3.323, 1.098, 2.57, 0.241)
    across_scripts: DoubtWeights = DoubtWeights(
        -11.351, 1.499, 1.77, 2.015, 2.026, 3.224, 4.794, 0.0, 0.0
    )  # one is in Chinese
    alphabetic: DoubtGates = DoubtGates(answer=0.45, closest=0.06)  # question and evidence in an alphabetic script
    han: DoubtGates = DoubtGates(answer=0.19, closest=0.06)  # both in Chinese
    alphabetic_to_han: DoubtGates = DoubtGates(answer=0.24, closest=0.1)  # question alphabetic, evidence in Chinese
    han_to_alphabetic: DoubtGates = DoubtGates(answer=0.43, closest=0.12)  # the other way round

    # Least probability of an answer with a figure about a name that cannot be compared, or from another script.
    unverified_answer: float = 0.7
    strictness_step: float = 1.0  # by which the gates move for a person who wants it stricter or laxer, in log-odds

    def of_scripts(self, *, asked_in_chinese: bool, across: bool) -> tuple[DoubtWeights, DoubtGates]:
        """Weights and gates, by the script of the question and whether the evidence is in the other one."""
        if across:
            return self.across_scripts, self.han_to_alphabetic if asked_in_chinese else self.alphabetic_to_han
        return self.same_script, self.han if asked_in_chinese else self.alphabetic


@dataclass(frozen=True)
class PhraseSettings:
    """When running text gives a short answer (`rag/answer/phrases`)."""

    span_sentences: int = 4  # best sentences that are searched for a span
    min_confidence: float = 0.12  # of a span that is shown as a possible short answer, 0..1
    min_number_confidence: float = 0.3  # the same for a number
    sure_confidence: float = 0.4  # of a span that is stated, 0..1
    sure_span: float = -2.0  # least log probability of such a span; below it, one in two is wrong
    # Confidence is the logistic function of a sum, fitted to whether held-out spans are right:
    confidence_bias: float = -2.67
    confidence_span: float = 0.90  # of the log probability that the answer is the span
    confidence_none: float = -0.12  # of the log probability that no sentence answers
    confidence_answerability: float = 2.02  # of the best sentence's answerability, at most 2
    deciding_sentences: int = 3  # best sentences that may decide a yes/no question
    decided_share: float = 0.6  # of the question's terms that such a sentence must hold, weighted by IDF
    list_sources: int = 5  # sources, from the first, that are searched for lists
    list_share: float = 0.45  # of the question's terms that must introduce a list, weighted by IDF
    list_margin: float = 0.1  # by which a list must be better introduced than one of a better source


@dataclass(frozen=True)
class SummarySettings:
    """How whole documents are summarised (`rag/answer/summary/`)."""

    sentences: int = 6  # of one document
    documents: int = 8  # of several that are summarised
    sentences_of_several: int = 2  # of each of several documents
    passages_of_several: int = 150  # of each of several documents that are looked at, from the first
    sections: int = 10  # headings that are listed
    title_passages: int = 4  # passages, from the first, in which the title is looked for
    first_passages: int = 500  # of a document that are looked at; later ones only under headings such as "Overview"
    candidates: int = 800  # passages that are compared with each other
    min_gain: float = 0.06  # share of what the first chosen passage stands for, below which no further one is chosen
    short_passages: int = 12  # of a document up to which sentences are chosen one by one, not by passages
    long_pages: int = 80  # pages from which a document counts as long
    reach_long: float = 0.3  # share of a long document after which a passage counts 1/e; of a short one it is 1
    cue_weight: float = 1.8  # for passages under headings such as "Overview" or "Abstract"
    cue_floor: float = 0.6  # of what their position counts, 0..1
    table_importance: float = 0.2  # of a passage without prose, in what the chosen passages have to stand for
    min_prose: float = 0.15  # share of statements in the characters of a passage that can be chosen


@dataclass(frozen=True)
class ClaimSettings:
    """How the sentences of an answer are compared with the sources (`rag/answer/claims`)."""

    min_share: float = 0.55  # of a claim's words that its evidence must hold, themselves or a synonym
    min_share_of_row: float = 0.4  # the same for the row of a table with the claim's values
    min_share_across: float = 0.2  # the same where claim and evidence are in different scripts
    verbatim_share: float = 0.8  # of a claim's words that stand in one sentence in order, which then decides alone
    share_margin: float = 0.1  # of words and quantities that supporting evidence may hold less than other evidence
    candidates: int = 4  # segments (sentences or rows) that a claim is compared with, one after another
    candidate_margin: float = 0.25  # closeness to the best segment from which another one is a candidate
    extending: int = 12  # closest segments that may add to a candidate
    evidence_segments: int = 3  # segments that one claim may rest on together
    min_gain: float = 0.1  # share of a claim's words that a further segment must add


@dataclass(frozen=True)
class ShortAnswerSettings:
    """Where short answers may come from."""

    accounts: bool = True  # figures of accounts by name, from the statements of a document (`rag/answer/metrics`)
    tables: bool = True  # other figures, from the tables on the sources' pages (`rag/answer/figures`)
    text: bool = True  # phrases, lists, yes and no, from sentences (`rag/answer/phrases`)


@dataclass(frozen=True)
class AnswerSettings:
    """Which sentences of the sources are quoted, and which sources count as citations.

    A gate is what a sentence's score is divided by, so that scores compare across scripts. Whether the best sentences
    are an answer is decided by `doubt`.
    """

    evidence_sources: int = 5  # sources, from the first, whose sentences are scored
    evidence_sentences: int = 64  # sentences scored per question
    sentence_characters: int = 500  # a longer sentence is cut
    sentences_ahead: bool = True  # whether the vectors of sentences are made while nobody asks anything
    gate_alphabetic: float = 1.2  # question and sentence in an alphabetic script
    gate_han: float = 0.95  # both in Chinese
    gate_alphabetic_to_han: float = 0.63  # question in an alphabetic script, sentence in Chinese
    gate_han_to_alphabetic: float = 1.16  # the other way round
    term_weight: float = 0.1  # of the share of the question's terms in a sentence, beside its cosine, in the order
    neighbour_term_weight: float = 0.1  # of the same share in the sentence and the one before it
    source_weight: float = 0.2  # of the score of the sentence's source
    kind_weight: float = 0.03  # of a sentence that has what the kind of question asks for: a date, a reason
    no_answer_penalty: float = 0.1  # of a heading, a reference, a signature, boilerplate
    quoted_sentences: int = 3  # sentences the quote reader quotes at most
    quote_threshold: float = 0.7  # further sentences are quoted from this share of their gate
    max_citations: int = 3  # per sentence of an answer
    summary: SummarySettings = field(default_factory=SummarySettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    short: ShortAnswerSettings = field(default_factory=ShortAnswerSettings)
    figures: FigureSettings = field(default_factory=FigureSettings)
    doubt: DoubtSettings = field(default_factory=DoubtSettings)
    phrases: PhraseSettings = field(default_factory=PhraseSettings)
    claims: ClaimSettings = field(default_factory=ClaimSettings)


@dataclass(frozen=True)
class OcrSettings:
    """How scanned and garbled pages are read."""

    enabled: bool = True  # whether they are read at all
    dots_per_inch: int = 200  # of the picture that is recognised
    batch_pages: int = 8  # pages of a document that are read, and then can be searched, together
    threads: int = 0  # of the process that recognises; 0: half of the processors, at most 4


@dataclass(frozen=True)
class RenderSettings:
    """How pages are drawn for the viewer."""

    max_pixels_wide: int = 3_200  # of a picture; wider ones are not drawn, however far somebody zooms in
    cache_bytes: int = 200 * MB


@dataclass(frozen=True)
class Settings:
    """All of the above, and where the data is."""

    data_dir: Path = Path("data")
    parallel_reads: int = 2  # documents read at the same time
    limits: Limits = field(default_factory=Limits)
    chunking: ChunkSettings = field(default_factory=ChunkSettings)
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    answering: AnswerSettings = field(default_factory=AnswerSettings)
    rendering: RenderSettings = field(default_factory=RenderSettings)
    ocr: OcrSettings = field(default_factory=OcrSettings)

    @property
    def files_dir(self) -> Path:
        """The PDFs themselves, each under its SHA-256."""
        return self.data_dir / "files"

    @property
    def pictures_dir(self) -> Path:
        """Drawn pages, one folder per document; may be deleted at any time."""
        return self.data_dir / "pictures"

    @property
    def database(self) -> Path:
        """The SQLite database: the only source of truth."""
        return self.data_dir / "library.sqlite"


def flatten(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Every field of a settings object by its dotted name: {"retrieval.bm25.k1": 1.5, ...}."""
    found: dict[str, Any] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        found |= flatten(value, f"{prefix}{one.name}.") if is_dataclass(value) else {prefix + one.name: value}
    return found
