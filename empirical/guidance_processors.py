"""Guided decoding inside `model.generate`: the rules of `theory.guidance` as transformers logits processors.

Put them before an `AdaptorProcessor`, whose kept mass is then that of the guided law; take `sampling_arguments` from
there. Beam search is not supported: the second pass could not follow rows that change places.

Classifier-free guidance goes by several names; `lambda_of` translates their scales.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import DynamicCache, LogitsProcessor

from empirical.engines.steering import Scorer, steering
from empirical.logits_processors import Growing, end_tokens
from empirical.models import LanguageModel
from empirical.precision import at_least_float32
from theory.guidance import classifier_free_guidance, classifier_guidance, controlled, kl_guided_temperature

Rows = Callable[[torch.Tensor], torch.Tensor]
"""Token ids [n, length] so far, prompt and padding included, to a figure for each next token [n, V]."""


def lambda_of(guidance_scale: float | None = None, alpha: float | None = None, strength: float | None = None) -> float:
    """lambda of p^(1 + lambda) (p^-)^(-lambda) from the scale of one other method.

    guidance_scale = 1 + lambda (transformers), alpha = lambda (context-aware decoding), strength = 1 + lambda
    (PREADD). Raises ValueError unless exactly one is given.

    >>> lambda_of(guidance_scale=1.5), lambda_of(alpha=0.5), lambda_of(strength=1.5)
    (0.5, 0.5, 0.5)
    """
    given = [scale for scale in (guidance_scale, alpha, strength) if scale is not None]
    if len(given) != 1:
        raise ValueError("give exactly one of guidance_scale, alpha and strength.")
    return given[0] if alpha is not None else given[0] - 1.0


class SecondPass:
    """A model over prompts of its own, followed by the answers that `generate` draws, with a cache of its own.

    prompts: token ids, whole and of any lengths: one for all rows, or one for each prompt given to `generate`, whose
    num_return_sequences rows then share it. Raises ValueError on an empty prompt.
    """

    def __init__(self, network: Any, prompts: Sequence[Sequence[int]]) -> None:
        if not prompts or any(len(prompt) == 0 for prompt in prompts):
            raise ValueError("The second pass needs at least one prompt, each with at least one token.")
        self.network = network
        self.prompts = [torch.as_tensor(prompt) for prompt in prompts]
        self._growing = Growing()
        self._cache, self._mask = DynamicCache(config=network.config), torch.empty(0)

    @torch.no_grad()
    def log_p(self, input_ids: torch.Tensor) -> torch.Tensor:
        """log p(. | own prompt, answer so far), [n, V] float64, where the first call has no answer yet."""
        out = self.network(**self._inputs(input_ids), logits_to_keep=1)
        return out.logits[:, -1].double().log_softmax(-1)

    @torch.no_grad()
    def states(self, input_ids: torch.Tensor) -> torch.Tensor:
        """The final normalised states of the last tokens, [n, hidden]."""
        return self.network.get_decoder()(**self._inputs(input_ids)).last_hidden_state[:, -1]

    def _inputs(self, input_ids: torch.Tensor) -> dict[str, Any]:
        """What the network is fed: the prompts in the first call, then the token that was drawn last."""
        if self._growing.begins(input_ids):
            ids, self._mask = self._opening(len(input_ids), input_ids.device)
            self._cache = DynamicCache(config=self.network.config)
        else:
            ids = input_ids[:, -1:]
            self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        # From the mask, because padding on the left would shift positions counted from the first column.
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        return {
            "input_ids": ids,
            "attention_mask": self._mask,
            "position_ids": positions,
            "past_key_values": self._cache,
            "use_cache": True,
        }

    def _opening(self, rows: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """The prompts, one a row, padded on the left, and their mask."""
        copies, left = divmod(rows, len(self.prompts))
        if left or not copies:
            raise ValueError(f"{len(self.prompts)} prompts of the second pass cannot be shared by {rows} rows.")
        ids = _left_padded(self.prompts)
        mask = _left_padded([torch.ones_like(prompt) for prompt in self.prompts])
        return ids.repeat_interleave(copies, dim=0).to(device), mask.repeat_interleave(copies, dim=0).to(device)


class ClassifierFreeGuidance(LogitsProcessor):
    """pi ~ p^(1 + lambda) (p^-)^(-lambda), p^- from a second pass over the prompts without the evidence.

    Source: `theory.guidance.classifier_free_guidance` (Chang et al., Theorem 3.2); arguments as `SecondPass`.
    """

    def __init__(self, network: Any, prompts: Sequence[Sequence[int]], lam: float) -> None:
        self.without, self.lam = SecondPass(network, prompts), lam

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The guided log-probabilities [n, V] in the dtype of the scores."""
        return classifier_free_guidance(_log_p(scores), self.without.log_p(input_ids), self.lam).to(scores.dtype)


class KLGuidedTemperature(LogitsProcessor):
    """pi ~ p^(1 / T) with T = 2^(-KL(p || p^-) / sigma), p^- from a second pass over the prompts without the evidence.

    Source: `theory.guidance.kl_guided_temperature` (Chang et al., Theorem 3.3); arguments as `SecondPass`.
    """

    def __init__(self, network: Any, prompts: Sequence[Sequence[int]], sigma: float) -> None:
        self.without, self.sigma = SecondPass(network, prompts), sigma

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The guided log-probabilities [n, V] in the dtype of the scores."""
        return kl_guided_temperature(_log_p(scores), self.without.log_p(input_ids), self.sigma).to(scores.dtype)


class ClassifierGuidance(LogitsProcessor):
    """pi ~ p Q^lambda with log Q = log_success(input_ids) in [-inf, 0].

    Source: `theory.guidance.classifier_guidance` (Chang et al., Theorem 3.1). Rows that have drawn an `eos` token are
    left alone: what the callable says of them is not read.
    """

    def __init__(self, log_success: Rows, lam: float, eos: int | Sequence[int]) -> None:
        self.log_success, self.lam = _Running(log_success, eos), lam

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The guided log-probabilities [n, V] in the dtype of the scores."""
        return classifier_guidance(_log_p(scores), self.log_success(input_ids), self.lam).to(scores.dtype)


class ControlledDecoding(LogitsProcessor):
    """pi ~ p e^(lambda V) with V = values(input_ids), the value of each continuation under the base model.

    Source: `theory.guidance.controlled` (Mudgal et al., Theorem 2.1). Ended rows as in `ClassifierGuidance`.
    """

    def __init__(self, values: Rows, lam: float, eos: int | Sequence[int]) -> None:
        self.values, self.lam = _Running(values, eos), lam

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The guided log-probabilities [n, V] in the dtype of the scores."""
        return controlled(_log_p(scores), self.values(input_ids), self.lam).to(scores.dtype)


class ScorerValues:
    """`values` for `ControlledDecoding` from a prefix scorer: V of each next token, off a second pass of its base.

    base: the model whose states the scorer reads; prompts: those given to `generate`, as for `SecondPass`; weights: of
    the scorer's rewards. The second pass keeps right what a processor cannot see: padding, and states. In the engine,
    `empirical.control.tokenwise` needs it only where another model draws.
    Raises ValueError as `SecondPass` and `empirical.engines.steering.steering`.
    """

    def __init__(
        self, scorer: Scorer, base: LanguageModel, prompts: Sequence[Sequence[int]], weights: Sequence[float] = (1.0,)
    ) -> None:
        self.steered = steering(base, scorer)
        self.steered.check_weights(weights)
        self.base, self.weights = SecondPass(base.network, prompts), torch.tensor(weights, dtype=torch.float64)

    def __call__(self, input_ids: torch.Tensor) -> torch.Tensor:
        """The values [n, V] behind the token ids so far."""
        states = at_least_float32(self.base.states(input_ids))
        return self.steered.values(states, self.weights.to(states.device).expand(len(states), -1))


class _Running:
    """A user's figures for the rows that go on, zero for those that have ended: nobody scores tokens after EOS."""

    def __init__(self, figures: Rows, eos: int | Sequence[int]) -> None:
        self.figures, self.ends, self._growing = figures, end_tokens(eos), Growing()

    @torch.no_grad()
    def __call__(self, input_ids: torch.Tensor) -> torch.Tensor:
        self._growing.begins(input_ids)
        figures = self.figures(input_ids).double()
        return torch.where(self._growing.ended(self.ends)[:, None], torch.zeros_like(figures), figures)


def _log_p(scores: torch.Tensor) -> torch.Tensor:
    return scores.double().log_softmax(-1)


def _left_padded(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_side="left")
