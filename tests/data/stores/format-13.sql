BEGIN TRANSACTION;
CREATE TABLE collections (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, made_by TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, title TEXT NOT NULL,
    created REAL NOT NULL, changed REAL NOT NULL, deleted REAL, data TEXT NOT NULL);
CREATE TABLE documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL,
    title TEXT NOT NULL, author TEXT NOT NULL, created TEXT NOT NULL, bytes INTEGER NOT NULL,
    pages INTEGER NOT NULL, passages INTEGER NOT NULL, kinds TEXT NOT NULL, outline TEXT NOT NULL,
    notes TEXT NOT NULL, added REAL NOT NULL, UNIQUE (owner, id));
INSERT INTO "documents" VALUES(1,'16481bfaee6a585b0f9801305643904ae9fd14de4847d935bde9da7255f9518a','','manual.pdf','Manual of pumps','ACME','2000-01-01',9386,4,3,'{"text": 3, "scanned": 1}','[["Pumps", 1, 0, 0.0], ["Valves", 1, 1, 0.0]]','[{"template": "{count:,} of {pages:,} pages is {problem}: {labels}.", "values": {"count": 1, "pages": 4, "problem": {"template": "scanned without text and cannot be searched before OCR", "values": {}}, "labels": "4"}}]',1.79568012038525342934e+09);
INSERT INTO "documents" VALUES(2,'cd149b0f9e79d1cf4ae65426111d393ef9a47f53f5e3f138e11d7b65aa6034ea','ann','herons.pdf','','','2000-01-01',2403,1,1,'{"text": 1}','[]','[]',1.79568012052047228815e+09);
CREATE TABLE exchanges (
    key INTEGER PRIMARY KEY, conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    number INTEGER NOT NULL, bytes INTEGER NOT NULL, question TEXT NOT NULL, data TEXT NOT NULL,
    UNIQUE (conversation, number));
CREATE TABLE experiment_results (
    experiment INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
    question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, data TEXT NOT NULL,
    PRIMARY KEY (experiment, question)) WITHOUT ROWID;
CREATE TABLE experiments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL, data TEXT NOT NULL);
CREATE TABLE given_answers (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, text TEXT NOT NULL,
    PRIMARY KEY (run, question)) WITHOUT ROWID;
INSERT INTO "given_answers" VALUES(1,1,'Nothing.');
CREATE TABLE grants (
    person TEXT NOT NULL, collection INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    editor INTEGER NOT NULL, PRIMARY KEY (person, collection)) WITHOUT ROWID;
CREATE TABLE introductions (
    document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE, data TEXT NOT NULL);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, document_id TEXT NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, message TEXT NOT NULL, replaces TEXT NOT NULL DEFAULT '',
    added_by TEXT NOT NULL DEFAULT '');
INSERT INTO "jobs" VALUES(3,'ann','84782faa533fdf065955df769ccce565eef06929e548696980564eb16fa33beb','scan.pdf','failed','{"template": "{name}: {reason}", "values": {"name": "scan.pdf", "reason": {"template": "It has no text that can be searched (pages: {kinds}): start without --no-ocr, or run OCR over it first, for example `ocrmypdf --force-ocr in.pdf out.pdf`, and add the result.", "values": {"kinds": {"template": "{count:,} scanned", "values": {"count": 1}}}}}}','','ann');
INSERT INTO "jobs" VALUES(4,'','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','waiting.pdf','waiting','','','');
CREATE TABLE kept_questions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, text TEXT NOT NULL, answer TEXT NOT NULL DEFAULT '',
    UNIQUE (owner, text));
INSERT INTO "kept_questions" VALUES(1,'ann','Where do herons nest?','');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('created','1795680120.1178308');
INSERT INTO "meta" VALUES('embedder','{"name": "words", "revision": "1", "dimension": 16, "option": "words-option"}');
CREATE TABLE orphaned_files (document_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE pages (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, number INTEGER NOT NULL, label TEXT NOT NULL,
    kind TEXT NOT NULL, start INTEGER NOT NULL, text TEXT NOT NULL, words BLOB NOT NULL, note TEXT NOT NULL,
    crc INTEGER NOT NULL, PRIMARY KEY (document, number)) WITHOUT ROWID;
INSERT INTO "pages" VALUES(1,0,'1','text',0,'Pumps
The red pump was built in 1931. It stands in Gdansk, next to the old
',X'000000000500000006000000090000000A0000000D0000000E000000120000001300000016000000170000001C0000001D0000001F00000020000000250000002600000028000000290000002F0000003000000032000000330000003A0000003B0000003F00000040000000420000004300000046000000470000004A000000F71EF512D82BBA16F71E511A5226161E8027511A8B2D161EBA2E511A8039161EAF3A511A0A42161E3943511AE74B161E154D511AC350161EF251511A965C161EC55D511AAA60161ED861511AAB6D161EDA6E511A8872161EB773511A5983161E8884511AAF8C161EDC8D511A8A91161EB992511A8198161EB099511ABB9F161E','',3992366083);
INSERT INTO "pages" VALUES(1,1,'2','text',75,'harbour crane of the yard.
Valves
The blue valve weighs 12 kg.
',X'0000000007000000080000000D0000000E000000100000001100000014000000150000001A0000001B000000210000002200000025000000260000002A0000002B000000300000003100000037000000380000003A0000003B0000003E000000F71EF512AF2DBA16DC2EF5121939BA16483AF512753EBA16683FF5123045BA165E46F512F54FBA16F71E511A1A2C161EF71EAD21522672258027AD21A62F7225D530AD21143B7225423CAD21A9497225D84AAD21934F7225C250AD21AB567225','',3729905723);
INSERT INTO "pages" VALUES(1,2,'3','text',138,'They were painted by hand in 1962.
',X'000000000400000005000000090000000A00000011000000120000001400000015000000190000001A0000001C0000001D00000022000000F71EF512AF28BA16DE29F5120F33BA163E34F5122B42BA165A43F5121548BA164349F5127652BA16A453F5125357BA168158F5122663BA16','',4030314934);
INSERT INTO "pages" VALUES(1,3,'4','scanned',173,'',X'','{"template": "This page is a scan without text; run OCR to make it searchable.", "values": {}}',0);
INSERT INTO "pages" VALUES(2,0,'1','text',0,'Herons nest by the lake. 苍鹭在湖边筑巢。
',X'0000000006000000070000000B0000000C0000000E0000000F0000001200000013000000180000001900000021000000F71E6113452DBE16D12D61138B35BE1627362913253BCC16A63B6113CB41BE165A422913D54ABE16D04B0713A871BE16','',3651685055);
CREATE TABLE pages_awaiting_ocr (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, number INTEGER NOT NULL,
    PRIMARY KEY (document, number)) WITHOUT ROWID;
INSERT INTO "pages_awaiting_ocr" VALUES(1,3);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    text TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL, first_page INTEGER NOT NULL,
    last_page INTEGER NOT NULL, heading TEXT NOT NULL, digest BLOB NOT NULL);
INSERT INTO "passages" VALUES(1,1,'Pumps
The red pump was built in 1931. It stands in Gdansk, next to the old
harbour crane of the yard.
',0,102,0,1,'["Pumps"]',X'BFDD882F7AF15B64C75648243131B802');
INSERT INTO "passages" VALUES(2,1,'Valves
The blue valve weighs 12 kg.
',102,138,1,1,'["Valves"]',X'BCA323A97B85502FCEB72D884E8B095C');
INSERT INTO "passages" VALUES(3,1,'They were painted by hand in 1962.
',138,173,2,2,'["Valves"]',X'1BB0BD44800BCCF4A4B9BC559C6891AA');
INSERT INTO "passages" VALUES(4,2,'Herons nest by the lake. 苍鹭在湖边筑巢。
',0,34,0,0,'[]',X'15F9CBCAAC7344F9D1AB87236D8A08F2');
CREATE TABLE preferences (owner TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ratings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL, question TEXT NOT NULL,
    reader TEXT NOT NULL, helpful INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE (owner, question, reader));
CREATE TABLE removals (
    owner TEXT NOT NULL, document_id TEXT NOT NULL, PRIMARY KEY (owner, document_id)) WITHOUT ROWID;
CREATE TABLE replacements (
    owner TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (owner, old)) WITHOUT ROWID;
CREATE TABLE right_pages (
    question INTEGER NOT NULL REFERENCES kept_questions ON DELETE CASCADE, document_id TEXT NOT NULL,
    page INTEGER NOT NULL, PRIMARY KEY (question, document_id, page)) WITHOUT ROWID;
INSERT INTO "right_pages" VALUES(1,'cd149b0f9e79d1cf4ae65426111d393ef9a47f53f5e3f138e11d7b65aa6034ea',0);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, at REAL NOT NULL, about TEXT NOT NULL,
    results TEXT NOT NULL);
INSERT INTO "runs" VALUES(1,'ann',1.79568012088917946817e+09,'{"depth": 8, "embedder": "words", "reranker": "", "reader": "none", "documents": 2, "passages": 4, "library": "16a0f85437ab702e", "settings": {"retrieval.sources": 8, "retrieval.candidates": 100, "retrieval.vector_weight": 0.6, "retrieval.overlap_candidates": 100, "retrieval.term_overlap_weight": 0.2, "retrieval.bigram_overlap_weight": 0.2, "retrieval.rerank_candidates": 50, "retrieval.reranker_weight": 0.7, "retrieval.merge_pages": true, "retrieval.source_characters": 4000, "retrieval.full_page_sources": 3, "retrieval.exact_index_size": 200000, "retrieval.query.line_items": true, "retrieval.query.split_questions": true, "retrieval.query.max_parts": 3, "retrieval.query.min_part_terms": 2, "retrieval.query.max_dependent_han_terms": 6, "retrieval.query.instruction_term_weight": 0.3, "retrieval.query.mean_query_share": 0.25, "retrieval.routing.routed_documents": 3, "retrieval.routing.routing_weight": 0.2, "retrieval.routing.min_term_weight": 0.7, "retrieval.routing.coverage_weight": 0.5, "retrieval.routing.coverage_smoothing": 0.02, "retrieval.routing.coverage_saturation": 5.0, "retrieval.routing.min_part_share": 0.25, "retrieval.routing.compare_documents": true, "retrieval.routing.max_compared_documents": 4, "retrieval.routing.min_name_strength": 0.4, "retrieval.routing.name_rarity_ratio": 1.2, "retrieval.routing.min_joined_characters": 5, "retrieval.routing.max_name_elsewhere": 0.02, "retrieval.routing.min_name_ratio": 3.0, "retrieval.pages.pages": 30, "retrieval.pages.statement_weight": 0.4, "retrieval.pages.item_weight": 0.3, "retrieval.pages.row_weight": 0.8, "retrieval.pages.heading_weight": 0.3, "retrieval.pages.boilerplate_penalty": 0.3, "retrieval.pages.reason_penalty": 0.3, "retrieval.pages.kept_pages": 3000, "retrieval.bm25.k1": 1.5, "retrieval.bm25.b": 0.75, "ocr.enabled": false}}','{"1": [1, 0.017381015000864863, "0ae476bcf4f2cacb", [null, null, "", 0, 1, 0.05597237098845653]]}');
CREATE TABLE tags (
    owner TEXT NOT NULL, document_id TEXT NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (owner, document_id, tag)) WITHOUT ROWID;
CREATE TABLE vectors (
    digest BLOB PRIMARY KEY, vector BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "vectors" VALUES(X'15F9CBCAAC7344F9D1AB87236D8A08F2',X'C7E1053DC7E1053DC7E1053DC7E1053DC7E1053DC7E1053DC7E1053D7216B83E7216B83E7216B83E7216B83EC7E1053DC7E1053DC7E1053DC7E1053D55B82F3F',2706602716);
INSERT INTO "vectors" VALUES(X'1BB0BD44800BCCF4A4B9BC559C6891AA',X'32E2EE3C32E2EE3C32E2EE3C833BA43E32E2EE3C833BA43E32E2EE3C833BA43E32E2EE3C833BA43E32E2EE3C70C41C3F32E2EE3C32E2EE3C833BA43E833BA43E',2224951297);
INSERT INTO "vectors" VALUES(X'BCA323A97B85502FCEB72D884E8B095C',X'6517FC3C6517FC3C1650AD3E6517FC3C6517FC3C6517FC3C1650AD3E6517FC3C1650AD3E6517FC3C6517FC3C5A6F253F6517FC3C6517FC3C1650AD3E1650AD3E',103757548);
INSERT INTO "vectors" VALUES(X'BFDD882F7AF15B64C75648243131B802',X'53F78D3E53F78D3E4E54583C53F78D3EF6B9143EF6B9143E4E54583C53F78D3E53F78D3E4E54583CF6B9143EF6B9143E4E54583C53F78D3E4E54583C2E632C3F',4092861647);
CREATE INDEX passages_of_document ON passages (document);
CREATE INDEX passages_of_digest ON passages (digest);
CREATE INDEX runs_of_owner ON runs (owner);
CREATE INDEX experiments_of_owner ON experiments (owner);
CREATE INDEX conversations_of_owner ON conversations (owner, changed);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',4);
INSERT INTO "sqlite_sequence" VALUES('documents',2);
INSERT INTO "sqlite_sequence" VALUES('passages',4);
INSERT INTO "sqlite_sequence" VALUES('kept_questions',1);
INSERT INTO "sqlite_sequence" VALUES('runs',1);
COMMIT;
PRAGMA user_version=13;
