"""The rule for shares of random worlds, fixed before any run.

`reproduced` where the lower 95 % limit of the share is at least .95, `not-reproduced` where the upper one is below .95.
"""

from collections.abc import Iterable

import numpy as np

from theory.ledger import Check, at_most

RULE = 0.95


def below(name: str, limits: Iterable[float]) -> Check:
    """The check that every upper limit is below the rule's .95."""
    return at_most(name, oracle="exact binomial limits", residuals=limits, tolerance=float(np.nextafter(RULE, 0)))
