"""Fine-tuning: trains a small adapter on pairs of question and answer, for a GLM whose own weights stay unchanged.

`python -m model.finetune NAME PAIRS.jsonl --out FOLDER`. Needs peft.
"""
