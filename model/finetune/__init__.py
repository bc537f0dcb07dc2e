"""Fine-tuning: trains a small adapter on pairs of question and answer, with a GLM whose weights stay as they are.

`python -m model.finetune NAME PAIRS.jsonl --out FOLDER`. Needs peft.
"""
