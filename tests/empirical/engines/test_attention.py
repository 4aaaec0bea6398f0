"""The fused step of attention against torch's, text by text; what is shared must not leak."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical.engines.attention import SharedPrompts
from empirical.engines.slots import Prefix, Slots, rotated


def random(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@settings(max_examples=40)
@given(
    prompts=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    key_heads=st.integers(1, 3),
    groups=st.integers(1, 4),
    half=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_same_as_torchs_attention_over_copied_prompts(prompts, key_heads, groups, half, seed):
    """Slots take the prompts in turn, step, move and begin anew; float64 differs by the roundings of some 20 sums."""
    generator = torch.Generator().manual_seed(seed)
    shape, slots, length = (2, key_heads, 2 * half), 4, 16
    ours = SharedPrompts(shape, slots, length, torch.float64)
    theirs = Slots(shape, slots, length, torch.float64, torch.device("cpu"))
    read = [Prefix(random(generator, 2, 2, key_heads, size, 2 * half), random(generator, 3)) for size in [*prompts, 2]]
    positions = torch.empty(slots, dtype=torch.int64)
    for slot in range(slots):
        prefix = read[slot % len(prompts)]
        positions[slot] = prefix.length
        for kept in (ours, theirs):
            kept.place(prefix, [slot])
    for time in range(4):
        for layer in range(2):
            heads = random(generator, slots, (groups + 2) * key_heads, 2 * half)
            cos, sin = random(generator, 2, slots, 2 * half).unbind()
            arguments = (layer, heads, cos, sin, positions)
            torch.testing.assert_close(ours.attend(*arguments), theirs.attend(*arguments), atol=1e-10, rtol=1e-10)
            one = slice(1, 2)  # a slot on its own
            alone = ours.attend(layer, heads[one], cos[one], sin[one], positions[one], [1])
            assert torch.equal(alone, ours.attend(*arguments)[one]), "bits must not depend on the other rows"
        positions += 1
        if time == 1:
            for kept in (ours, theirs):
                kept.move(3, 0, int(positions[3]))
                kept.place(read[-1], [3])
            positions[0], positions[3] = positions[3].item(), read[-1].length


@pytest.mark.parametrize("make", [SharedPrompts, lambda *sizes: Slots(*sizes, torch.device("cpu"))])
def test_slots_in_any_order_and_copies_of_a_span(make):
    """Three slots begin alike; two of them write on in another order; the span of one is copied to the others."""
    generator = torch.Generator().manual_seed(0)
    ours, alone = (make((1, 1, 4), 4, 16, torch.float64) for _ in range(2))
    prefix = Prefix(random(generator, 1, 2, 1, 3, 4), torch.zeros(1))
    cos, sin = random(generator, 2, 1, 4).unbind()
    for kept in (ours, alone):
        kept.place(prefix, [0, 1, 3])
    lines = random(generator, 5, 2, 3, 4)  # what slots 3 and 1 write at positions 3 and 4, then at 5
    for time in range(2):
        at = torch.tensor([3 + time] * 2)
        both = ours.attend(0, lines[time], cos.expand(2, -1), sin.expand(2, -1), at, [3, 1])
        each = [alone.attend(0, lines[time, i : i + 1], cos, sin, at[:1], [slot]) for i, slot in ((0, 3), (1, 1))]
        torch.testing.assert_close(both, torch.cat(each), atol=1e-12, rtol=0)  # float64 sums of a few terms
    ours.copy(3, [0, 1], 3, 5)
    line, at = lines[3, :1], torch.tensor([5] * 3)
    found = ours.attend(0, line.expand(3, -1, -1), cos.expand(3, -1), sin.expand(3, -1), at, [0, 1, 3])
    expected = alone.attend(0, line, cos, sin, at[:1], [3])
    torch.testing.assert_close(found, expected.expand(3, -1), atol=1e-12, rtol=0)
    other = alone.attend(0, line, cos, sin, at[:1], [1])
    assert not torch.allclose(expected, other), "without the copy another text would have been read"


def test_a_prompt_is_kept_once():
    kept = SharedPrompts((1, 1, 2), 64, 8, torch.float32)
    first, second = (Prefix(torch.ones(1, 2, 1, size, 2), torch.zeros(1)) for size in (5, 3))
    kept.place(first, range(40))
    kept.place(second, range(40, 64))
    assert kept.read.shape[3] == 5 + 3
    kept.place(second, range(40))
    assert kept.read.shape[3] == 3, "a prompt that no slot needs is dropped"


def test_only_its_own_text_counts():
    """A planted read of the neighbour's keys: were slots mixed up, changing one text would move another."""
    generator = torch.Generator().manual_seed(0)
    outputs = []
    for other in (0.0, 1e6):
        kept = SharedPrompts((1, 1, 4), 2, 8, torch.float64)
        kept.place(Prefix(random(torch.Generator().manual_seed(1), 1, 2, 1, 3, 4), torch.zeros(1)), [0])
        kept.place(Prefix(torch.full((1, 2, 1, 2, 4), other, dtype=torch.float64), torch.zeros(1)), [1])
        heads = random(generator.manual_seed(2), 2, 3, 4)
        heads[1] += other
        ones = torch.ones(2, 4, dtype=torch.float64)
        outputs.append(kept.attend(0, heads, ones, 0 * ones, torch.tensor([3, 2])))
    assert torch.equal(outputs[0][0], outputs[1][0])
    assert not torch.allclose(outputs[0][1], outputs[1][1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_output_has_the_inputs_dtype(dtype):
    kept = SharedPrompts((1, 1, 2), 1, 4, torch.float32)
    kept.place(Prefix(torch.ones(1, 2, 1, 1, 2), torch.zeros(1)), [0])
    ones = torch.ones(1, 2, dtype=dtype)
    assert kept.attend(0, torch.ones(1, 3, 2, dtype=dtype), ones, ones, torch.tensor([1])).dtype == dtype


def test_rotation_turns_pairs_and_leaves_values():
    heads = torch.arange(12.0).view(1, 3, 4)
    turn = torch.tensor([[0.3, 0.7, 0.3, 0.7]])
    q, k, v = rotated(heads, 1, turn.cos(), turn.sin())
    for turned, plain in ((q, heads[:, :1]), (k, heads[:, 1:2])):
        torch.testing.assert_close(turned.norm(), plain.norm())
        pairs = [torch.complex(*part.chunk(2, dim=-1)) for part in (turned, plain)]
        torch.testing.assert_close(pairs[0], pairs[1] * torch.polar(torch.ones(2), turn[0, :2]))
    assert torch.equal(v, heads[:, 2:])
