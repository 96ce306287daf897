"""Small models as real files: a GGUF of the architecture llama and a safetensors file, valid by the specifications of both
formats, with every key and tensor that a reader of such a model asks for. The weights are numbers without a meaning."""

import array
import hashlib
import json
import struct

U32, I32, F32, STRING, ARRAY = 4, 5, 6, 8, 9
WIDTH, TOKENS = 64, 64
ALIGNMENT = 32


def numbers(count, seed):
    """`count` 32 bit floats between -0.1 and 0.1, other ones for another seed."""
    block = hashlib.shake_128(str(seed).encode()).digest(16384)
    floats = array.array("f", [(value - 32768) / 327680 for (value,) in struct.iter_unpack("<H", block)])
    return (floats.tobytes() * (count // len(floats) + 1))[:4 * count]


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def value_of(kind, value):
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(value_of(inner, item) for item in items)
    return text(value) if kind == STRING else struct.pack("<f" if kind == F32 else "<I", value)


def gguf(size=2 << 20, seed=0):
    """A language model of one layer in a GGUF file (version 3) of about `size` bytes, 200 kB at least: the width of its
    feed-forward part makes up for what the rest lacks."""
    feed = (size // 4 - 2 * WIDTH * TOKENS - 4 * WIDTH * WIDTH) // (3 * WIDTH)
    tokens = ["<unk>", "<s>", "</s>", *(f"\u2581w{index}" for index in range(TOKENS - 3))]
    pairs = [
        ("general.architecture", STRING, "llama"), ("general.name", STRING, f"Tiny {seed}"),
        ("general.license", STRING, "mit"), ("general.file_type", U32, 0), ("general.alignment", U32, ALIGNMENT),
        ("llama.context_length", U32, 2048), ("llama.embedding_length", U32, WIDTH), ("llama.block_count", U32, 1),
        ("llama.feed_forward_length", U32, feed), ("llama.rope.dimension_count", U32, WIDTH // 4),
        ("llama.attention.head_count", U32, 4), ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("tokenizer.ggml.model", STRING, "llama"), ("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
        ("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * TOKENS)),
        ("tokenizer.ggml.token_type", ARRAY, (I32, [2, 3, 3] + [1] * (TOKENS - 3))),
        ("tokenizer.ggml.bos_token_id", U32, 1), ("tokenizer.ggml.eos_token_id", U32, 2)]
    tensors = [("token_embd.weight", (WIDTH, TOKENS)), ("blk.0.attn_norm.weight", (WIDTH,))]
    tensors += [(f"blk.0.attn_{part}.weight", (WIDTH, WIDTH)) for part in ("q", "k", "v", "output")]
    tensors += [("blk.0.ffn_norm.weight", (WIDTH,)), ("blk.0.ffn_gate.weight", (WIDTH, feed)),
                ("blk.0.ffn_up.weight", (WIDTH, feed)), ("blk.0.ffn_down.weight", (feed, WIDTH)),
                ("output_norm.weight", (WIDTH,)), ("output.weight", (WIDTH, TOKENS))]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, kind, value in pairs:
        header += text(key) + struct.pack("<I", kind) + value_of(kind, value)
    data = b""
    for name, shape in tensors:
        header += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        data += numbers(count, f"{name} {seed}")
        data += b"\0" * (-len(data) % ALIGNMENT)
    return header + b"\0" * (-len(header) % ALIGNMENT) + data


def safetensors(size=1 << 20, seed=0):
    """Two F32 tensors in a safetensors file of about `size` bytes."""
    rows = size // 4 // WIDTH
    tensors = {"embedding.weight": [rows, WIDTH], "norm.weight": [WIDTH]}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, shape in tensors.items():
        begin = len(data)
        data += numbers(shape[0] * (shape[1] if len(shape) == 2 else 1), f"{name} {seed}")
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data
