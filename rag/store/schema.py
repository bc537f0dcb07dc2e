"""The database schema of a new database."""

from __future__ import annotations

from typing import Final

FORMAT: Final = 14
# A new database. `meta`: 'embedder' (JSON), 'created' (seconds since the epoch; not in databases of before format 11).
# `pages.start`: where it begins in the document's text (`rag.records.page_starts`). `digest`: of the
# text that was embedded.
# `notes`, `note` and `message` hold `rag.messages.Message` as JSON, '' if there is none. `conversations.deleted`:
# when it was deleted, in seconds since the epoch, while that can be undone; else NULL. `exchanges.bytes`: of `data`.
# `kept_questions.answer`: the one expected, '' for none.
# `pages.crc`, `vectors.crc`, `sentence_vectors.crc`: CRC-32 of the page's text and words, of the vector, and of digests
# and vectors, by which damage is noticed. `sentence_vectors`: of all sentences of a page, see `rag.store.sentences`.
# `removals`: documents whose removal has begun.
# `experiments.data`: variants, circumstances, questions; `experiment_results.data`: both results of a question.
# `jobs.replaces`: id of the document that the file is a new version of, '' for none. `jobs.added_by`: '' for the owner.
# `collections.made_by`: whose quota it counts for, '' for nobody's. `grants.person`: the owner id of a person.
SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL,
    title TEXT NOT NULL, author TEXT NOT NULL, created TEXT NOT NULL, bytes INTEGER NOT NULL,
    pages INTEGER NOT NULL, passages INTEGER NOT NULL, kinds TEXT NOT NULL, outline TEXT NOT NULL,
    notes TEXT NOT NULL, added REAL NOT NULL, UNIQUE (owner, id))""",
    """CREATE TABLE IF NOT EXISTS pages (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, number INTEGER NOT NULL, label TEXT NOT NULL,
    kind TEXT NOT NULL, start INTEGER NOT NULL, text TEXT NOT NULL, words BLOB NOT NULL, note TEXT NOT NULL,
    crc INTEGER NOT NULL, PRIMARY KEY (document, number)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    text TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, first_page INTEGER NOT NULL,
    last_page INTEGER NOT NULL, heading TEXT NOT NULL, digest BLOB NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS passages_of_document ON passages (document)",
    "CREATE INDEX IF NOT EXISTS passages_of_digest ON passages (digest)",
    """CREATE TABLE IF NOT EXISTS pages_awaiting_ocr (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, number INTEGER NOT NULL,
    PRIMARY KEY (document, number)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS vectors (
    digest BLOB PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS sentence_vectors (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, page INTEGER NOT NULL, digests BLOB NOT NULL,
    vectors BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (document, page))""",
    "CREATE TABLE IF NOT EXISTS orphaned_files (document_id TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS removals (
    owner TEXT NOT NULL, document_id TEXT NOT NULL, PRIMARY KEY (owner, document_id)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, document_id TEXT NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, message TEXT NOT NULL, replaces TEXT NOT NULL DEFAULT '',
    added_by TEXT NOT NULL DEFAULT '')""",
    """CREATE TABLE IF NOT EXISTS kept_questions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, text TEXT NOT NULL, answer TEXT NOT NULL DEFAULT '',
    UNIQUE (owner, text))""",
    """CREATE TABLE IF NOT EXISTS right_pages (
    question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, document_id TEXT NOT NULL,
    page INTEGER NOT NULL, PRIMARY KEY (question, document_id, page)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL, about TEXT NOT NULL,
    results TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS runs_of_owner ON runs (owner)",
    """CREATE TABLE IF NOT EXISTS given_answers (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, text TEXT NOT NULL,
    PRIMARY KEY (run, question)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS experiments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL, data TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS experiments_of_owner ON experiments (owner)",
    """CREATE TABLE IF NOT EXISTS experiment_results (
    experiment INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
    question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, data TEXT NOT NULL,
    PRIMARY KEY (experiment, question)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS conversations (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, title TEXT NOT NULL,
    created REAL NOT NULL, changed REAL NOT NULL, deleted REAL, data TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS conversations_of_owner ON conversations (owner, changed)",
    """CREATE TABLE IF NOT EXISTS exchanges (
    key INTEGER PRIMARY KEY, conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    number INTEGER NOT NULL, bytes INTEGER NOT NULL, question TEXT NOT NULL, data TEXT NOT NULL,
    UNIQUE (conversation, number))""",
    """CREATE TABLE IF NOT EXISTS ratings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL, question TEXT NOT NULL,
    reader TEXT NOT NULL, helpful INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE (owner, question, reader))""",
    """CREATE TABLE IF NOT EXISTS tags (
    owner TEXT NOT NULL, document_id TEXT NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (owner, document_id, tag)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS replacements (
    owner TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (owner, old)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS introductions (
    document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE, data TEXT NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS preferences (owner TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS collections (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, made_by TEXT NOT NULL, created REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS grants (
    person TEXT NOT NULL, collection INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    editor INTEGER NOT NULL, PRIMARY KEY (person, collection)) WITHOUT ROWID""",
)
