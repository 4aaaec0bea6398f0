"""How much of the guidance study is run, and under which rules."""

from collections.abc import Iterator
from dataclasses import dataclass

from empirical.guidance import Guidance

STRENGTH = 1.0
"""The registered strength of guidance."""
COOL = 0.5
"""The registered temperature."""


@dataclass(frozen=True)
class Size:
    """Counts of one run.

    each: items of each kind; answers to each under a rule; max_new: tokens of the longest; sweeps: static temperatures
    (0 is greedy), lambdas of classifier-free and of classifier guidance, sigmas; noise of the weaker prior in standard
    deviations of a weight; rows: of a step, two a text; resamples: of the bootstrap over items.
    """

    each: int
    answers: int = 4
    max_new: int = 24
    temperatures: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
    free: tuple[float, ...] = (-0.5, 0.5, 1.0, 2.0, 4.0)
    classifier: tuple[float, ...] = (1.0, 2.0, 4.0)
    sigmas: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0)
    noise: float = 0.1
    rows: int = 64
    resamples: int = 1000
    seed: int = 0

    def rules(self, classified: bool) -> Iterator[Guidance]:
        """Every rule on the intact prior; with classifier guidance only where there is a discriminator."""
        yield from (Guidance(T=T) for T in sorted({*self.temperatures, 0.0, COOL, 1.0}))
        yield from (Guidance("free", lam) for lam in sorted({*self.free, STRENGTH}))
        yield from (Guidance("kl", sigma) for sigma in self.sigmas)
        if classified:
            yield from (Guidance("classifier", lam) for lam in sorted({*self.classifier, STRENGTH}))


PLAIN, GREEDY, STATIC = Guidance(), Guidance(T=0.0), Guidance(T=COOL)
FREE, CLASSIFIER = Guidance("free", STRENGTH), Guidance("classifier", STRENGTH)

SMOKE = Size(each=1, answers=2, max_new=4, temperatures=(1.0,), free=(), classifier=(), sigmas=(1.0,), resamples=50)
DEFAULT = Size(each=12)
PAPER = Size(each=25, answers=16)
