"""Llama-like networks without gradients: their weights laid out for fast products, and the arithmetic of a layer.

Whoever reads or writes text with them decides what attends to what; all else is here, once.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import linear, rms_norm, silu

from empirical.engines.linear import Linear, packed
from empirical.precision import plain_float32

Attention = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(layer, heads, cos, sin) -> [tokens, query heads x width]; heads: [tokens, query + 2 key heads, width]."""

FIXED_ROTATIONS = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings in which a position turns by the same angle whatever the length of the text."""


def supports(network: Any) -> bool:
    """Whether `Llama` computes what the network does: no bias, sliding window, unmerged adapter, changing rotation."""
    config = network.config
    if config.model_type not in ("llama", "mistral") or config.hidden_act != "silu":
        return False
    if (
        getattr(config, "sliding_window", None) is not None
        or config.rope_parameters["rope_type"] not in FIXED_ROTATIONS
    ):
        return False
    products = [network.get_output_embeddings()]
    for layer in network.get_decoder().layers:
        attention, mlp = layer.self_attn, layer.mlp
        products += [attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj]
        products += [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    return all(type(product) is torch.nn.Linear and product.bias is None for product in products)


def check_strict(network: Any, name: str) -> None:
    """Raise ValueError where no row can be computed on its own: by transformers' network, or on a graphics card."""
    if not supports(network):
        raise ValueError(f"strict mode needs a Llama or Mistral network without biases; {name} is not one.")
    if (device := next(network.parameters()).device).type != "cpu":
        raise ValueError(f"strict mode runs on the processor, and {name} is on {device}: its sums depend on the batch.")


class Llama:
    """The network's weights in the given dtype, every product re-ordered once.

    compiled: let torch.compile fuse what lies between two attentions; on two CPU cores it takes a minute and gains
    nothing, so it is for accelerators.
    """

    def __init__(self, network: Any, dtype: torch.dtype = torch.float32, compiled: bool = False) -> None:
        config, body = network.config, network.get_decoder()
        self.dtype, self.device = dtype, body.embed_tokens.weight.device
        self.key_heads = config.num_key_value_heads
        self.width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.epsilon = config.rms_norm_eps
        self.embedding = body.embed_tokens.weight
        product = _plain if compiled else packed
        self.blocks = [_Block(layer, dtype, self.epsilon, product) for layer in body.layers]
        if compiled:
            for block in self.blocks:
                block.before = torch.compile(block.before, dynamic=True)  # type: ignore[method-assign]
                block.after = torch.compile(block.after, dynamic=True)  # type: ignore[method-assign]
        self.last_norm = body.norm.weight.to(dtype)
        # The head decides what is drawn: it stays in float32 at least, whatever the body runs in.
        self.head_dtype = torch.promote_types(dtype, torch.float32)
        self.head = packed(network.get_output_embeddings().weight.to(self.head_dtype))
        self._rotary = body.rotary_emb

    def rotations(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines [length, width] of the rotary embedding, in the body's dtype."""
        positions = torch.arange(length, device=self.device)[None]
        like = torch.zeros(1, dtype=torch.promote_types(self.dtype, torch.float32), device=self.device)
        cos, sin = self._rotary(like, positions)
        return cos[0].to(self.dtype), sin[0].to(self.dtype)

    @plain_float32()
    def states(
        self,
        tokens: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        attention: Attention,
        seen: Callable[[int, torch.Tensor], None] = lambda layer, states: None,
    ) -> torch.Tensor:
        """The last layer's states [n, hidden] of tokens [n] with the rotations [n, width] of their positions.

        seen(layer, states) is called after each layer, numbered from 1.
        """
        states = self.embedding[tokens].to(self.dtype)
        for number, block in enumerate(self.blocks):
            heads = block.before(states).unflatten(-1, (-1, self.width))
            states = block.after(states, attention(number, heads, cos, sin))
            seen(number + 1, states)
        return states

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The next token's logits, [n, V], at least in float32."""
        return self.head(self.normed(states))

    def normed(self, states: torch.Tensor) -> torch.Tensor:
        """What the head reads, [n, hidden]: transformers' `last_hidden_state`, at least in float32."""
        return rms_norm(states, states.shape[-1:], self.last_norm, self.epsilon).to(self.head_dtype)


class _Block:
    """One layer's products: q, k, v fused, gate and up fused."""

    def __init__(
        self, layer: Any, dtype: torch.dtype, epsilon: float, product: Callable[[torch.Tensor], Linear]
    ) -> None:
        attention, mlp, self.epsilon = layer.self_attn, layer.mlp, epsilon

        def fused(*parts: Any) -> Linear:
            return product(torch.cat([part.weight for part in parts]).to(dtype))

        self.qkv = fused(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out, self.down = fused(attention.o_proj), fused(mlp.down_proj)
        self.gate_up = fused(mlp.gate_proj, mlp.up_proj)
        self.first_norm, self.second_norm = (
            norm.weight.to(dtype) for norm in (layer.input_layernorm, layer.post_attention_layernorm)
        )

    def before(self, states: torch.Tensor) -> torch.Tensor:
        """Queries, keys and values of the states, side by side."""
        return self.qkv(rms_norm(states, states.shape[-1:], self.first_norm, self.epsilon))

    def after(self, states: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """The states after attention's output and the feed-forward net are added."""
        states = states + self.out(mixed)
        gate, up = self.gate_up(rms_norm(states, states.shape[-1:], self.second_norm, self.epsilon)).chunk(2, dim=-1)
        return states + self.down(silu(gate) * up)


def prepared(network: Any, dtype: torch.dtype = torch.float32, compiled: bool = False) -> Llama:
    """The network's `Llama`, made once for as long as its weights stay as they are."""
    # A version counts the writes into a weight; a tensor made in inference mode has none, and is not written to.
    versions = tuple(0 if weight.is_inference() else weight._version for weight in network.parameters())
    kept = _PREPARED.setdefault(network, {})
    if (dtype, compiled) not in kept or kept[dtype, compiled][0] != versions:
        kept[dtype, compiled] = versions, Llama(network, dtype, compiled)
    return kept[dtype, compiled][1]


_PREPARED: WeakKeyDictionary[Any, dict[tuple[torch.dtype, bool], tuple[tuple[int, ...], Llama]]] = WeakKeyDictionary()


def _plain(weight: torch.Tensor) -> Linear:
    return lambda x: linear(x, weight)
