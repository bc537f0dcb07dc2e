import copy
import json
import math

import pytest
import tokenizers
import torch

from model.evaluate import Scorer, main, report, run, table
from model.learned_prefix import PrefixOnly
from model.load import load_reader
from model.load_settings import LoadSettings
from rag.errors import SettingRefused
from tests.model.checkpoints import publish
from tests.model.reciting import write_chain
from tests.model.reference import write_native_tokenizer
from tests.model.tiny_tokenizers import write_blank_tokenizer

pytest.importorskip("lm_eval", reason="lm_eval is not installed: pip install -r model/requirements-evaluate.txt")


def write_alphabet(folder):
    """A GLM that goes on from a letter with the next one."""
    write_native_tokenizer(folder / "tokenizer.json")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    chain = [tokenizer.token_to_id(letter) for letter in ("a", "b", "c", "d", "<|endoftext|>")]
    write_chain(folder, chain, chain[-1])
    return folder


@pytest.fixture(autouse=True)
def uncounted(monkeypatch):
    """The library of data sets tells its makers of each use, unless it is asked not to."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", False)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return load_reader(write_alphabet(tmp_path_factory.mktemp("base")), LoadSettings(precision="fp32", device="cpu"))


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """Two tasks of lm_eval on local data: a choice between two endings, and a text to go on with."""
    folder = tmp_path_factory.mktemp("tasks")
    rows = [{"said": "a", "right": 0}, {"said": "ab", "right": 1}]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = f"dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {folder / 'rows.jsonl'}\ntest_split: test\n"
    (folder / "choice.yaml").write_text(
        f"task: choice\n{data}output_type: multiple_choice\ndoc_to_text: '{{{{said}}}}'\ndoc_to_target: right\n"
        "target_delimiter: ''\ndoc_to_choice: ['b', 'c']\nmetric_list:\n  - metric: acc\n"
    )
    (folder / "goes_on.yaml").write_text(
        f"task: goes_on\n{data}output_type: generate_until\ndoc_to_text: '{{{{said}}}}'\n"
        "doc_to_target: '{{[\"bc\", \"c\"][right]}}'\ntarget_delimiter: ''\ngeneration_kwargs:\n  until: ['d']\n"
        "metric_list:\n  - metric: exact_match\n"
    )
    return folder


def test_the_probability_of_a_continuation_is_the_product_of_its_tokens(reader):
    scorer = Scorer(reader)
    context, wanted = scorer.encode("a"), scorer.encode("bc")
    likelihood, is_greedy = scorer.log_likelihood(context, wanted)
    assert is_greedy
    ids = torch.tensor([[*scorer.prompt(context, 2), *wanted]])
    with torch.no_grad():
        scores = reader.model(ids).logits[0].log_softmax(-1)
    expected = sum(float(scores[at - 1, ids[0, at]]) for at in range(ids.shape[1] - len(wanted), ids.shape[1]))
    assert likelihood == pytest.approx(expected, abs=1e-4)
    other, is_greedy = scorer.log_likelihood(context, scorer.encode("c"))
    assert not is_greedy
    assert other < likelihood


def test_a_learned_prefix_stands_before_what_is_scored(reader):
    shape = (1, reader.model.config.num_key_value_heads, 3, reader.model.config.head_dim)
    prefix = tuple((torch.ones(shape), torch.ones(shape)) for _ in range(reader.model.config.num_hidden_layers))
    with_prefix = copy.copy(reader)
    with_prefix.prefix = prefix
    context, wanted = Scorer(reader).encode("a"), Scorer(reader).encode("bc")
    ids = torch.tensor([[*Scorer(reader).prompt(context, 2), *wanted]])
    with torch.no_grad():
        scores = reader.model(ids, past_key_values=PrefixOnly(prefix)).logits[0].log_softmax(-1)
    expected = sum(float(scores[at - 1, ids[0, at]]) for at in range(ids.shape[1] - len(wanted), ids.shape[1]))
    assert Scorer(with_prefix).log_likelihood(context, wanted)[0] == pytest.approx(expected, abs=1e-4)


def test_glm_10b_continues_a_text_at_its_blank(tmp_path):
    publish("glm10b", tmp_path)
    write_blank_tokenizer("chinese", tmp_path)
    reader = load_reader(tmp_path, LoadSettings(precision="fp32", device="cpu"))
    scorer, tokens = Scorer(reader), reader.tokenizer.special_tokens
    ids = scorer.prompt([1, 2, 3], 1)
    assert ids[-3:] == [tokens["[gMASK]"], tokens["<|endoftext|>"], tokens["<|startofpiece|>"]]
    assert math.isfinite(scorer.log_likelihood([1, 2, 3], [4])[0])


def test_a_long_context_loses_its_beginning(reader):
    scorer = Scorer(reader)
    begin = [reader.tokenizer.special_tokens[name] for name in ("[gMASK]", "<sop>")]
    ids = scorer.prompt(list(range(reader.context_tokens)), 10)
    assert ids[:2] == begin
    assert len(ids) == reader.context_tokens - 10
    assert ids[-1] == reader.context_tokens - 1


def test_what_is_written_ends_before_the_first_stop(reader):
    assert Scorer(reader).write("a", ["d"], 20, 0) == "bc"
    assert Scorer(reader).write("a", ["nothing", "c", "d"], 20, 0) == "b"
    assert Scorer(reader).write("a", [], 1, 0) == "b"


@pytest.mark.filterwarnings("ignore")  # of lm_eval and its libraries
def test_tasks_of_lm_eval_are_measured(reader, tasks, tmp_path, capsys):
    measured = run(reader, ["choice", "goes_on"], folder=tasks)
    found = report("tiny", "chatglm2-6b", measured)
    assert {task: values["score"] for task, values in found["tasks"].items()} == {"choice": 100, "goes_on": 100}
    with pytest.raises(SettingRefused, match="no task 'nothing'"):
        run(reader, ["choice", "nothing"], folder=tasks)


@pytest.mark.filterwarnings("ignore")  # of lm_eval and its libraries
def test_the_command_writes_what_it_measured(tasks, tmp_path, capsys):
    out = tmp_path / "out.json"
    asked = [
        str(write_alphabet(tmp_path)),
        "--out",
        str(out),
        "--tasks-from",
        str(tasks),
        "--precision",
        "fp32",
        "--device",
        "cpu",
    ]
    assert main([*asked, "--tasks", "choice", "--limit", "1"]) == 0
    found = json.loads(out.read_text())
    assert math.isfinite(found["tasks"]["choice"]["score"])
    assert found["questions"]["choice"]["effective"] == 1
    assert "choice" in capsys.readouterr().out
    assert main([*asked, "--tasks", "nothing"]) == 1


def test_the_table_shows_what_was_published():
    measured = {"results": {"mmlu": {"acc,none": 0.5}, "gsm8k": {"exact_match,flexible-extract": 0.25}, "odd": {}}}
    text = table(report("mine", "chatglm2-6b", measured))
    assert [line.split()[:3] for line in text.splitlines()[2:]] == [
        ["mmlu", "50.00", "45.46"],
        ["gsm8k", "25.00", "28.05"],
    ]


def test_a_share_of_another_kind_is_shown_with_its_name_but_no_perplexity():
    values = {"alias": "own", "word_perplexity,none": 12.0, "f1_stderr,none": 0.1, "f1,none": 0.4}
    found = report("mine", "chatglm2-6b", {"results": {"own": values}, "n-samples": {"own": {"effective": 7}}})
    assert table(found).splitlines()[2].split() == ["own", "7", "40.00", "f1,none"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--tasks", "choice", "--out", "{folder}/none/out.json"), "none/out.json of --out cannot be written: No such"),
        (("--tasks", " , ", "--out", "{folder}/out.json"), "--tasks names no task."),
        (
            ("--tasks", "choice", "--out", "{folder}/out.json", "--tasks-from", "{folder}/none"),
            "none of --tasks-from is",
        ),
        (("--tasks", "lost", "--out", "{folder}/out.json", "--tasks-from", "{folder}"), "The data of a task cannot be"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of lm_eval and its libraries
def test_what_cannot_be_measured_is_one_sentence(given, said, tmp_path, capsys):
    data = (
        f"dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {tmp_path / 'none.jsonl'}\ntest_split: test\n"
    )
    (tmp_path / "lost.yaml").write_text(f"task: lost\n{data}output_type: generate_until\ndoc_to_text: said\n")
    options = [one.format(folder=tmp_path) for one in given]
    assert main([str(write_alphabet(tmp_path)), "--precision", "fp32", "--device", "cpu", *options]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
