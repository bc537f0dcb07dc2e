"""The table of known checkpoints, and which family a folder belongs to."""

import json

import pytest

from model.families import FAMILIES, Precision, find_family, guess_family
from tests.model.checkpoints import INTEGERS, NAMES
from tests.model.reference import DATA


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_table_is_plausible(family):
    weights = (family.dimensions.layer_weights + family.dimensions.vocabulary_weights) / 1e9
    assert weights == pytest.approx(family.parameters, rel=0.1)
    sizes = [
        family.dimensions.weight_bytes(precision) for precision in (Precision.INT4, Precision.INT8, Precision.BF16)
    ]
    assert sizes == sorted(sizes)
    assert find_family(family.hub_id) is family
    assert find_family(family.name.upper()) is family


@pytest.mark.parametrize("name", [*NAMES, *INTEGERS])
def test_a_config_tells_its_family(name):
    config = json.loads((DATA / name / "config.json").read_text())
    assert guess_family(config).prompt == name.split("-")[0]
    if name.startswith("chatglm1-int"):
        assert guess_family(config).published_bits == int(name[-1])


def test_a_name_takes_precedence_over_the_config():
    config = json.loads((DATA / "chatglm3" / "config.json").read_text())
    assert guess_family(config, "THUDM/chatglm2-6b-32k").divides_positions
    assert guess_family(config, "/models/chatglm3-6b-32k/").context == 32768
    assert guess_family(config, "", {"name_or_path": "THUDM/chatglm2-6b"}).name == "chatglm2-6b"
    assert guess_family(config, "chatglm-6b").prompt == "chatglm3"  # of another layout: not believed
    assert guess_family({"model_type": "glm5_next"}).prompt == "template"
    with pytest.raises(KeyError, match="llama"):
        guess_family({"model_type": "llama"})
