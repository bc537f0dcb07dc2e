"""The columns of INT4 matrices whose inputs are largest keep their values."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GlmConfig

from model.assemble import assemble, dimensions_of, empty_model
from model.chatglm1 import ChatGLM1Config
from model.families import EXACT_COLUMNS, Precision
from model.load import load_reader
from model.load_settings import LoadSettings
from model.memory import model_bytes
from model.outliers import SAMPLE, keep_outliers, sample_ids, shares
from model.quantise import Int4Linear, dense_from_rows
from model.weight_layout import Weight
from tests.model.checkpoints import publish
from tests.model.test_load import native
from tests.model.tiny_tokenizers import write_tokenizer

LOUD = 11  # the input channel that one norm makes large
SETTINGS = LoadSettings(precision="int4", device="cpu")


def test_exact_columns_are_as_before_quantising():
    torch.manual_seed(0)
    dense, columns = torch.randn(128, 256), torch.tensor([200, 3])
    layer = Int4Linear.quantised(Weight(dense), torch.randn(128))
    before = layer.weight
    layer.keep_exact(columns, dense[:, columns])
    others = [column for column in range(256) if column not in columns]
    assert torch.equal(layer.weight[:, others], before[:, others])
    assert (layer.weight[:, columns] - dense[:, columns]).abs().max() < 0.01 < 0.1 < (before - dense).abs().max()
    few = torch.randn(5, 256).bfloat16()
    few[:, columns] *= 30
    many = few.repeat(dense_from_rows(Precision.INT4), 1)
    wanted = few.float() @ layer.weight.float().t() + layer.bias.float()
    for states in (few, many):
        assert (layer(states)[:5].float() - wanted).norm() < 0.01 * wanted.norm()


def loud(folder):
    """A tiny GLM in the second layer of which a channel is a hundred times as large as the others."""
    native(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.input_layernorm.weight"][LOUD] = 100
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return tensors


def test_a_model_keeps_the_columns_of_its_large_inputs(tmp_path):
    tensors = loud(tmp_path)
    model = load_reader(tmp_path, SETTINGS).model
    for name, is_loud in (("layers.1.self_attn.q_proj", True), ("layers.0.mlp.down_proj", False)):
        layer = model.model.get_submodule(name)
        exact = layer.exact.tolist()
        assert len(exact) == EXACT_COLUMNS
        assert (LOUD in exact) == is_loud or not is_loud
        wanted = tensors[f"model.{name}.weight"][:, exact].float()
        assert torch.allclose(layer.weight[:, exact].float(), wanted, rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("shared", [4, 1, None])
def test_the_memory_reckoned_has_the_columns(shared):
    """`shared`: query heads that share keys and values, which then have 8 bits; None: the first generation."""
    sizes = {"vocab_size": 64, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 2}
    if shared is None:
        config = ChatGLM1Config(**sizes, num_attention_heads=8, bos_token_id=2, gmask_token_id=3, mask_token_id=4)
    else:
        heads = {"num_attention_heads": 8, "num_key_value_heads": 8 // shared, "head_dim": 32}
        config = GlmConfig(**sizes, **heads, pad_token_id=0, eos_token_id=1)
    published = {name: Weight(torch.randn(one.shape)) for name, one in empty_model(config).state_dict().items()}
    cpu = torch.device("cpu")
    model = assemble(config, published.items(), Precision.INT4, cpu)
    keep_outliers(model, published.items(), [7, 3, 2])
    held = sum(one.nbytes for one in (*model.parameters(), *model.buffers()) if one.dim() > 1)
    assert held == model_bytes(dimensions_of(config), Precision.INT4, cpu)


def test_one_token_does_not_decide():
    states = torch.ones(1, 40, 8)
    states[0, 0, 5] = 1000
    states[0, 1:, 2] = 10
    assert shares(states).argmax() == 2


def test_published_integers_stay_as_they_are(tmp_path):
    folder = publish("chatglm1-int4", tmp_path)
    write_tokenizer("chatglm1", folder)
    layers = [module for module in load_reader(folder, SETTINGS).model.modules() if isinstance(module, Int4Linear)]
    assert layers
    assert all(layer.exact is None for layer in layers)


@pytest.mark.parametrize("name", ["chatglm1", "glm10b"])
def test_the_first_generations_keep_theirs(tmp_path, name):
    folder = publish(name, tmp_path)
    write_tokenizer(name, folder)
    layers = [module for module in load_reader(folder, SETTINGS).model.modules() if isinstance(module, Int4Linear)]
    assert layers
    assert all(len(layer.exact) == EXACT_COLUMNS for layer in layers)


def test_a_sample_fits_the_context():
    def prompt(text):
        return [1, *text.encode()]

    assert sample_ids(prompt, 10_000, 256) == prompt(SAMPLE)
    assert 10 < len(sample_ids(prompt, 60, 256)) < 60
    assert sample_ids(prompt, 1, 256) == []
    assert sample_ids(prompt, 10_000, 100) == []
