from __future__ import annotations

import json

import pytest

from rag.errors import SettingRefused
from rag.evaluate import parsed, run_claims
from rag.evaluation.claims import ClaimLine, check_line, report_claims
from rag.records import ClaimState
from rag.settings import AnswerSettings

GOOD = {"sentence": "The pump is red [1].", "sources": ["The pump is red."], "expected": "supported", "kind": "copy"}


def test_a_claim_file_is_scored_by_kind_and_the_last_line_printed_is_json(tmp_path):
    file = tmp_path / "claims.jsonl"
    rows = [GOOD, GOOD | {"expected": "altered"}, GOOD | {"sentence": "Cats drink milk.", "kind": "other"}]
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    printed: list[str] = []
    run_claims(parsed(["--claims", str(file), "--json"]), printed.append)
    assert json.loads("".join(printed).splitlines()[-1]) == {
        "kinds": {
            "copy": {"claims": 2, "expected": "mixed", "right": 0.5},
            "other": {"claims": 1, "expected": "supported", "right": 0.0},
        }
    }


@pytest.mark.parametrize(
    "line",
    [
        "not JSON",
        "[]",
        json.dumps({"sentence": "x"}),
        json.dumps(GOOD | {"sources": "The pump is red."}),
        json.dumps(GOOD | {"expected": "true"}),
        json.dumps(GOOD | {"kind": 3}),
    ],
)
def test_a_bad_line_is_named_in_one_sentence(tmp_path, line):
    file = tmp_path / "claims.jsonl"
    file.write_text(f"{json.dumps(GOOD)}\n{line}\n", "utf-8")
    with pytest.raises(SettingRefused, match=r"claims\.jsonl, line 2.+\.$"):
        run_claims(parsed(["--claims", str(file)]), lambda text: None)


def test_anything_but_supported_is_right_for_an_altered_claim():
    line = ClaimLine("x", (), "altered", "number")
    report = report_claims([(line, state) for state in ClaimState])
    assert report["kinds"]["number"]["right"] == pytest.approx(2 / 3, abs=1e-4)


def test_a_claim_of_two_sentences_is_no_better_than_its_worse_one():
    line = ClaimLine("The pump is red. Cats drink milk.", ("The pump is red.",), "supported", "x")
    assert check_line(line, AnswerSettings()) is ClaimState.NOT_FOUND
