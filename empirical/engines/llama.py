"""Incremental decoding of Llama-like models: fused, re-ordered products and a static cache of slots.

A slot holds one text's keys and values. Texts of different lengths and prompts share a step: a slot attends to its own
positions only, so what it computes does not depend on its neighbours.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from empirical.engines.linear import packed
from empirical.precision import plain_float32


@dataclass(frozen=True)
class Prefix:
    """A prompt that was read: keys and values [layers, 2, kv heads, length, width], and its last state [hidden]."""

    cache: torch.Tensor
    state: torch.Tensor

    @property
    def length(self) -> int:
        """The number of tokens read."""
        return self.cache.shape[3]


def supports(network: Any) -> bool:
    """Whether this decoder computes what the network does: Llama or Mistral without biases or a sliding window."""
    config = network.config
    plain = not getattr(config, "attention_bias", False) and not getattr(config, "mlp_bias", False)
    whole = getattr(config, "sliding_window", None) is None
    return config.model_type in ("llama", "mistral") and plain and whole and config.hidden_act == "silu"


class LlamaDecoder:
    """The network's weights in the given dtype, with `slots` texts of at most `length` tokens."""

    def __init__(self, network: Any, slots: int, length: int, dtype: torch.dtype = torch.float32) -> None:
        config, body = network.config, network.get_decoder()
        self.embedding = body.embed_tokens.weight
        self.dtype, self.device = dtype, self.embedding.device
        self.kv_heads = config.num_key_value_heads
        self.width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.groups = config.num_attention_heads // self.kv_heads
        self.epsilon = config.rms_norm_eps
        self.layers = [_Layer(layer, dtype) for layer in body.layers]
        self.last_norm = body.norm.weight.to(dtype)
        # The head decides what is drawn: it stays in float32 at least, whatever the body runs in.
        self.head_dtype = torch.promote_types(dtype, torch.float32)
        self._head = packed(network.get_output_embeddings().weight.to(self.head_dtype))
        positions = torch.arange(length, device=self.device)[None]
        cos, sin = body.rotary_emb(torch.zeros(1, dtype=torch.promote_types(dtype, torch.float32)), positions)
        self.cos, self.sin = cos[0].to(dtype), sin[0].to(dtype)
        shape = (len(self.layers), 2, slots, self.kv_heads, length, self.width)
        self.cache = torch.zeros(shape, dtype=dtype, device=self.device)

    @plain_float32()
    def read(self, prompt: list[int]) -> Prefix:
        """Read a prompt once."""
        states = self.embedding[torch.tensor(prompt, device=self.device)].to(self.dtype)
        cos, sin = self.cos[: len(prompt)], self.sin[: len(prompt)]
        kept = []
        for layer in self.layers:
            q, k, v = self._heads(layer, states, cos, sin)
            kept.append(torch.stack([k, v]).transpose(1, 2))  # [2, kv heads, length, width]
            q, k, v = (part.transpose(0, 1)[None] for part in (q, *(_repeat(part, self.groups) for part in (k, v))))
            mixed = scaled_dot_product_attention(q, k, v, is_causal=True)[0].transpose(0, 1).flatten(1)
            states = layer.after(states, mixed, self.epsilon)
        return Prefix(torch.stack(kept), states[-1])

    def place(self, prefix: Prefix, slots: list[int]) -> None:
        """Begin a text after `prefix` in each of the slots."""
        self.cache[:, :, slots, :, : prefix.length] = prefix.cache[:, :, None]

    def move(self, source: int, target: int, length: int) -> None:
        """Move a text of `length` tokens to another slot."""
        self.cache[:, :, target, :, :length] = self.cache[:, :, source, :, :length]

    @plain_float32()
    def step(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Feed slot i its next token, tokens[i], at positions[i]; return the states [n, hidden] of slots 0 to n - 1."""
        rows = torch.arange(len(tokens), device=self.device)
        longest = int(positions.max()) + 1
        seen = torch.arange(longest, device=self.device) <= positions[:, None]
        cos, sin = self.cos[positions], self.sin[positions]
        states = self.embedding[tokens].to(self.dtype)
        for layer, cache in zip(self.layers, self.cache, strict=True):
            q, k, v = self._heads(layer, states, cos, sin)
            cache[0, rows, :, positions], cache[1, rows, :, positions] = k, v
            keys, values = cache[:, : len(tokens), :, :longest]
            # The queries that share a key head are folded into the query axis, so no key is copied.
            folded = q.unflatten(1, (self.kv_heads, self.groups))
            mixed = scaled_dot_product_attention(folded, keys, values, attn_mask=seen[:, None, None]).flatten(1)
            states = layer.after(states, mixed, self.epsilon)
        return states

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The next token's logits, [n, V]."""
        return self._head(rms_norm(states, states.shape[-1:], self.last_norm, self.epsilon).to(self.head_dtype))

    def _heads(self, layer: "_Layer", states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> list[torch.Tensor]:
        """Queries, keys and values [n, heads, width], the first two rotated to their positions."""
        normed = rms_norm(states, states.shape[-1:], layer.first_norm, self.epsilon)
        heads = layer.qkv(normed).unflatten(-1, (-1, self.width))
        q, k, v = heads.split([self.groups * self.kv_heads, self.kv_heads, self.kv_heads], dim=1)
        return [_rotate(q, cos[:, None], sin[:, None]), _rotate(k, cos[:, None], sin[:, None]), v]


class _Layer:
    """One block's products: q, k, v fused, gate and up fused."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        attention, mlp = layer.self_attn, layer.mlp

        def fused(*parts: Any) -> Any:
            return packed(torch.cat([part.weight for part in parts]).to(dtype))

        self.qkv = fused(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out, self.down = fused(attention.o_proj), fused(mlp.down_proj)
        self.gate_up = fused(mlp.gate_proj, mlp.up_proj)
        self.first_norm, self.second_norm = (
            norm.weight.to(dtype) for norm in (layer.input_layernorm, layer.post_attention_layernorm)
        )

    def after(self, states: torch.Tensor, mixed: torch.Tensor, epsilon: float) -> torch.Tensor:
        """The states after attention's output and the feed-forward net are added."""
        states = states + self.out(mixed)
        gate, up = self.gate_up(rms_norm(states, states.shape[-1:], self.second_norm, epsilon)).chunk(2, dim=-1)
        return states + self.down(silu(gate) * up)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def _repeat(x: torch.Tensor, times: int) -> torch.Tensor:
    return x.repeat_interleave(times, dim=1)
