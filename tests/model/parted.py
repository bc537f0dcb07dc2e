"""A tiny GLM-130B in the model-parallel parts in which SwissArmyTransformer saves one, written from the reference."""

from pathlib import Path

import torch

from tests.model.checkpoints import published_tensors

COLUMNS = ("attention.dense.weight", "mlp.dense_4h_to_h.weight")
ROWS = ("attention.query_key_value.weight", "attention.query_key_value.bias", "word_embeddings.weight")
QUANTISED = ("dense.weight", "query_key_value.weight", "h.weight")
GATED = ("mlp.dense_h_to_4h.weight", "mlp.dense_h_to_4h.bias")


def part_of(name: str, tensor: torch.Tensor, at: int, count: int) -> torch.Tensor:
    """What part `at` of `count` holds of a tensor (RowParallelLinear, ColumnParallelLinear, VocabParallelEmbedding)."""
    if name.endswith(COLUMNS):
        width = tensor.shape[1] // count
        return tensor[:, at * width : (at + 1) * width].clone()
    if name.endswith(ROWS):
        height = len(tensor) // count
        return tensor[at * height : (at + 1) * height].clone()
    if name.endswith(GATED):
        half = len(tensor) // 2
        height = half // count
        rows = slice(at * height, (at + 1) * height)
        return torch.cat((tensor[:half][rows], tensor[half:][rows]))
    return tensor


def write_parts(folder: Path, count: int, *, quantised: int = 0, iteration: str = "") -> Path:
    """Write the reference checkpoint in `count` parts; `quantised`: 8 or 4 bits, each part by itself.

    `iteration`: name of the folder inside that `latest` names.
    """
    inner = folder / iteration if iteration else folder
    inner.mkdir(parents=True, exist_ok=True)
    if iteration:
        (folder / "latest").write_text(f"{iteration}\n")
    for at in range(count):
        module = {name: part_of(name, one, at, count) for name, one in published_tensors("glm130b").items()}
        if quantised:
            for name in filter(lambda name: name.endswith(QUANTISED), list(module)):
                module |= _integers(name, module[name], quantised)
        torch.save({"module": module}, inner / f"mp_rank_{at:02}_model_states.pt")
    return folder


def _integers(name: str, weight: torch.Tensor, bits: int) -> dict[str, torch.Tensor]:
    """One scale a row of the part, as `quantization/layers.py` has it."""
    scale = (weight.float().abs().amax(dim=-1) / (2 ** (bits - 1) - 1)).half()
    values = torch.round(weight.float() / scale[:, None].float()).to(torch.int8)
    if bits == 4:
        values = (values[:, ::2] << 4) | (values[:, 1::2] & 15)
    return {name: values, f"{name}_scale": scale}
