"""Yes and no, decided by sentences."""

from __future__ import annotations

import pytest

from rag.answer.phrases.yes_no import decide
from rag.reader import Evidence
from rag.settings import PhraseSettings


@pytest.mark.parametrize(
    ("question", "sentence", "decided"),
    [
        ("Was the merger approved?", "The merger was approved by 91% of the votes cast.", True),
        ("Was the merger approved?", "The merger was not approved.", False),
        ("加装电梯的议案通过了吗？", "5号楼加装电梯的议案，同意187户，反对142户，弃权23户。", None),
        ("Was the merger approved?", "The shareholders rejected the merger.", False),
        ("Was the merger approved?", "The merger agreement was signed in May.", None),
        ("Does the policy cover floods?", "This policy does not cover damage caused by floods.", False),
        ("Does the policy cover floods?", "The policy covers fire, storms and floods.", True),
        ("Does the policy cover floods?", "The policy covers floods only if an endorsement was bought.", None),
        ("Did sales increase in 2023?", "Sales decreased by 4% in 2023.", False),
        (
            "Is the defined benefit plan open to new members?",
            "The defined benefit plan is closed to new members.",
            False,
        ),
        ("Can tenants keep dogs?", "Tenants may keep dogs and cats.", True),
        ("Can the leader overrule the board?", "The leader may overrule the board.", True),
        ("Can the leader overrule the board?", "3. Overrule decisions of the board or the leader.", None),
        (
            "Can the project leader overrule a decision of a delegate?",
            "3. Make or override any decision authorised by the powers of the Project Leader or a Delegate.",
            None,
        ),
        ("Are dogs allowed?", "Dogs are prohibited.", False),
        ("Are pets allowed in the house?", "There must be no pets in the house.", False),
        ("Are pets allowed in the house?", "Pets must not leave the house.", None),
        ("Was the sale of the station approved?", "Sale of the old fire station 2 3 1", None),
        ("月卡可以暂停吗？", "月卡和季卡不能暂停。", False),
        ("福利年假可以结转吗？", "满两年的员工每年另享受福利年假3天，当年有效，不得结转。", False),
        ("May gift vouchers be returned?", "Gift vouchers are valid for a year, and they may not be returned.", False),
        ("Does Kraft Heinz have unions?", "Kraft Heinz Holding is the successor of Kraft.", None),
        (
            "Did the company repurchase shares in 2019?",
            "The company shall grant the right to receive restricted shares in 2019.",
            None,
        ),
        ("Did the company repurchase shares in 2019?", "The company repurchased 2 million shares in 2019.", True),
        ("Will the plant close in 2025?", "The plant may close in 2025.", None),
        ("合并是否获得批准？", "合并已获得股东大会批准。", True),
        ("合并是否获得批准？", "合并未获得股东大会批准。", False),
        ("本保险承保洪水吗？", "本保险不承保洪水造成的损失。", False),
        ("租户可以饲养宠物吗？", "租户不得饲养宠物。", False),
    ],
)
def test_a_sentence_decides_or_leaves_open(question: str, sentence: str, decided: bool | None) -> None:
    found = decide(question, [Evidence(1, sentence, 1.5)], lambda term: 1.0, PhraseSettings())
    assert (found.yes if found else None) is decided


def test_a_sentence_that_does_not_count_as_an_answer_decides_nothing() -> None:
    evidence = [Evidence(1, "The merger was approved.", 0.5)]
    assert decide("Was the merger approved?", evidence, lambda term: 1.0, PhraseSettings()) is None


def test_the_sentence_with_the_same_words_decides() -> None:
    evidence = [Evidence(n, f"There must be no files in {place}.", 1.5) for n, place in ((1, "/usr/bin"), (2, "/bin"))]
    found = decide("Are files allowed in /bin?", evidence, lambda term: 1.0, PhraseSettings())
    assert found is not None
    assert found.evidence.number == 2
