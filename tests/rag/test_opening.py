from __future__ import annotations

import gc

import pytest

from rag.opening import no_garbage_collection


def test_cycles_are_collected_again_afterwards_but_what_was_loaded_is_not_visited():
    try:
        with no_garbage_collection():
            assert not gc.isenabled()
            loaded = [[] for _ in range(1000)]
        assert gc.isenabled()
        assert not {id(one) for one in loaded} & {id(one) for one in gc.get_objects()}
        with pytest.raises(MemoryError), no_garbage_collection():
            raise MemoryError
        assert gc.isenabled()
    finally:
        gc.unfreeze()
