"""A pass that reads all that changes from tensors, as a CUDA graph does, gives what the usual pass gives."""

import pytest
import torch

from model.families import KvPrecision
from model.generate import forward
from model.kv_cache import preallocated_cache
from model.passes import Piece, run_together
from model.recorded import REACH_STEP, FixedPass, Recorder, _Recording, can_record
from tests.model.checkpoints import load, publish
from tests.model.test_batch import STARTS, prompts

PEOPLE = 3
STEPS = 4


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    return {name: load(publish(name, root / name), name) for name in STARTS}


def answers_begun(model, name, kv=KvPrecision.FULL, capacity=200, prefix=()):
    """Prompts of different lengths that were read, each with the first token of its answer."""
    pieces = []
    for ids in prompts(name, PEOPLE):
        cache = preallocated_cache(model.config, capacity, prefix, kv)
        forward(model, ids, len(ids), cache)
        pieces.append(Piece([*ids, 7], 1, cache))
    return pieces


def spoiled(pieces):
    """The same, with large numbers in the places of tokens that are to come; on a CPU, they may hold NaN."""
    for piece in pieces:
        for layer in piece.cache.layers:
            for store in layer.taken(piece.cache.get_seq_length(), layer.capacity):
                store.fill_(99)
    return pieces


def fixed_logits(model, fixed, pieces):
    fixed.fill(pieces)
    states = fixed.states([piece.cache for piece in pieces])
    for piece in pieces:
        for layer in piece.cache.layers:
            layer.count(1)
    return list(model.get_output_embeddings()(states)[0])


def continued(pieces, token):
    return [Piece([*piece.ids, token], 1, piece.cache) for piece in pieces]


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("kv", list(KvPrecision))
@torch.inference_mode()
def test_logits_are_those_of_the_usual_pass_for_one_token_after_another(models, name, kv):
    model = models[name]
    usual, placed = answers_begun(model, name, kv), spoiled(answers_begun(model, name, kv))
    fixed = FixedPass(model, placed)
    for step in range(STEPS):
        wanted = run_together(model, usual, lambda: False)
        found = fixed_logits(model, fixed, placed)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        usual, placed = continued(usual, 11 + step), continued(placed, 11 + step)


@torch.inference_mode()
def test_a_learned_prefix_is_before_every_token(models):
    model = models["glm4"]
    shape = (1, model.config.num_key_value_heads, 5, model.config.head_dim)
    prefix = tuple((torch.randn(shape), torch.randn(shape)) for _ in range(model.config.num_hidden_layers))
    usual, placed = answers_begun(model, "glm4", prefix=prefix), spoiled(answers_begun(model, "glm4", prefix=prefix))
    found = fixed_logits(model, FixedPass(model, placed), placed)
    for one, other in zip(found, run_together(model, usual, lambda: False), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_reach_ends_at_a_step_or_at_the_capacity(models):
    model = models["glm4"]
    ids = [225, 227, *range(10, 20)]
    for capacity, end in ((10 * REACH_STEP, REACH_STEP), (100, 100)):
        cache = preallocated_cache(model.config, capacity)
        forward(model, ids, len(ids), cache)
        fixed = FixedPass(model, [Piece([*ids, 7], 1, cache)])
        for length, reached in ((len(ids), True), (end - 1, True), (end, False)):
            for layer in cache.layers:
                layer.count(length - cache.get_seq_length(cache.layers.index(layer)))
            assert fixed.reaches([Piece([7] * (length + 1), 1, cache)]) is reached


class Replayed:
    """A graph that computes when it is replayed."""

    def __init__(self, fixed, caches, states):
        self.fixed, self.caches, self.states = fixed, caches, states

    def replay(self):
        self.states.copy_(self.fixed.states(self.caches))


@torch.inference_mode()
def test_a_recording_serves_those_whose_answers_go_on(models):
    """Those whose answers have ended are computed with them, for nothing, up to half of the sequences."""
    model = models["chatglm2"]
    usual, placed = answers_begun(model, "chatglm2"), spoiled(answers_begun(model, "chatglm2"))
    fixed, caches = FixedPass(model, placed), [piece.cache for piece in placed]
    states = torch.zeros(1, PEOPLE, model.config.hidden_size)
    recording = _Recording(fixed, list(placed), Replayed(fixed, caches, states), states)
    for goes_on in ((0, 1, 2), (0, 2), (2, 0)):
        pieces = [placed[at] for at in goes_on]
        assert recording.covers([piece.cache for piece in pieces])
        found = model.get_output_embeddings()(recording.replayed(pieces))[0]
        wanted = run_together(model, [usual[at] for at in goes_on], lambda: False)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        for piece in pieces:
            for layer in piece.cache.layers:
                layer.count(1)
        usual, placed = continued(usual, 11), continued(placed, 11)
    assert not recording.covers([caches[0]])
    assert not recording.covers([caches[0], usual[0].cache])


def test_nothing_is_recorded_on_a_cpu(models):
    for name, model in models.items():
        assert not can_record(model)
        assert Recorder(model).logits(answers_begun(model, name), settled=True) is None
