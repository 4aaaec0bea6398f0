"""The fused decoder against the network itself, slot by slot."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.linear import packed, relative_error
from empirical.engines.llama import Llama, check_strict, prepared, supports
from empirical.engines.slots import Slots

SIZES = {"vocab_size": 61, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
NETWORKS = {
    "llama": LlamaConfig(**SIZES, num_key_value_heads=2),
    "all heads": LlamaConfig(**SIZES, num_key_value_heads=4, tie_word_embeddings=True),
    "one key head": LlamaConfig(
        **SIZES, num_key_value_heads=1, rope_parameters={"rope_type": "default", "rope_theta": 5e5}
    ),
    "wide heads": LlamaConfig(**SIZES, num_key_value_heads=2, head_dim=16),
    "mistral": MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=None),
}


def network_of(config, dtype=torch.float32):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(copy.deepcopy(config)).eval().requires_grad_(False).to(dtype)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
@pytest.mark.parametrize("accelerator", [False, True])
def test_slots_of_different_lengths_give_the_networks_logits(name, dtype, error, accelerator):
    """float64 agrees to the float32 tables of the rotary embedding, float32 to a few roundings a layer."""
    network = network_of(NETWORKS[name], dtype)
    assert supports(network)
    decoder = LlamaDecoder(Llama(network, dtype), slots=3, length=24)
    if accelerator:  # the cache that other devices use runs here too
        shape = (len(decoder.llama.blocks), decoder.llama.key_heads, decoder.llama.width)
        decoder.kept = Slots(shape, 3, 24, dtype, torch.device("cpu"))
    texts = [[5], [1, 2, 3, 4, 5, 6, 7], [9, 8, 7]]
    with torch.inference_mode():
        prefixes = [decoder.read(text) for text in texts]
        for slot, prefix in enumerate(prefixes):
            decoder.place(prefix, [slot])
        states = torch.stack([prefix.state for prefix in prefixes])
        for step in range(6):
            expected = torch.stack([network(torch.tensor([text])).logits[0, -1] for text in texts])
            torch.testing.assert_close(decoder.logits(states), expected, atol=error, rtol=0)
            tokens = torch.tensor([(7 * step + slot) % 61 for slot in range(3)])
            states = decoder.step(tokens, torch.tensor([len(text) for text in texts]))
            for text, token in zip(texts, tokens.tolist(), strict=True):
                text.append(token)


def test_a_moved_text_goes_on_and_an_old_one_leaves_no_trace():
    network = network_of(NETWORKS["llama"], torch.float64)
    decoder = LlamaDecoder(Llama(network, torch.float64), slots=2, length=12)
    with torch.inference_mode():
        decoder.place(decoder.read([1, 2, 3, 4, 5, 6, 7, 8]), [0])
        decoder.place(decoder.read([3, 1]), [1])
        decoder.step(torch.tensor([4]), torch.tensor([2]), [1])
        decoder.move(1, 0, 3)
        states = decoder.step(torch.tensor([9]), torch.tensor([3]))
        expected = network(torch.tensor([[3, 1, 4, 9]])).logits[0, -1]
        torch.testing.assert_close(decoder.logits(states)[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**SIZES, attention_bias=True),
        LlamaConfig(**SIZES, mlp_bias=True),
        LlamaConfig(**SIZES, hidden_act="gelu"),
        MistralConfig(**SIZES, sliding_window=8),
        LlamaConfig(**SIZES, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}),
        GPT2Config(vocab_size=61, n_embd=32, n_layer=1, n_head=2),
    ],
)
def test_what_it_does_not_compute_it_does_not_claim(config):
    assert not supports(network_of(config))


def test_adapters_that_are_not_merged_are_seen():
    """A LoRA layer shows the base's weight under the usual name: taken for a plain one, the adapter would vanish."""
    network = network_of(NETWORKS["llama"])
    adapted = get_peft_model(network, LoraConfig(r=2, target_modules=["q_proj"]))
    assert not supports(network)
    assert supports(adapted.merge_and_unload())


def test_strict_is_refused_off_the_processor_and_without_the_decoder():
    network = network_of(NETWORKS["llama"])
    check_strict(network, "mine")
    with pytest.raises(ValueError, match=r"^strict mode runs on the processor, and mine is on meta:"):
        check_strict(network.to("meta"), "mine")
    with pytest.raises(ValueError, match=r"^strict mode needs a Llama or Mistral network without biases; mine is not"):
        check_strict(network_of(GPT2Config(vocab_size=61, n_embd=32, n_layer=1, n_head=2)), "mine")


def test_a_processor_without_the_instructions_keeps_torchs_product(monkeypatch):
    """oneDNN lays bfloat16 weights out for AVX-512 alone, and says so by a RuntimeError."""

    def refuse(*_):
        raise RuntimeError("needs the cpu support")

    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse)
    weight, x = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.bfloat16).unbind()
    assert torch.equal(packed(weight)(x), torch.nn.functional.linear(x, weight))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_packed_products(dtype):
    weight = torch.randn(96, 64, generator=torch.Generator().manual_seed(1)).to(dtype)
    product = packed(weight)
    for rows in (1, 5, 64, 130):
        x = torch.randn(rows, 64, generator=torch.Generator().manual_seed(rows)).to(dtype)
        torch.testing.assert_close(product(x), torch.nn.functional.linear(x, weight), atol=1e-4, rtol=1e-2)
    assert relative_error(lambda x: product(x) * 1.1, weight) > 0.05


def test_another_type_gives_the_bits_of_the_network_in_that_type():
    network, tokens = network_of(NETWORKS["llama"]), [5, 17, 3, 42]
    with torch.inference_mode():
        states = [
            LlamaDecoder(Llama(one, torch.bfloat16), 1, 8).read(tokens).state
            for one in (network, copy.deepcopy(network).bfloat16())
        ]
    assert torch.equal(*states)


def test_weights_that_change_are_laid_out_anew():
    network = network_of(NETWORKS["llama"])
    before = prepared(network)
    assert prepared(network) is before
    with torch.no_grad():
        network.model.norm.weight.mul_(2)
    assert prepared(network) is not before
