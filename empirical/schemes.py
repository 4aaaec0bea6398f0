"""The sampling schemes of the trade-off study: six adaptors at five temperatures, and ancestral sampling."""

from dataclasses import dataclass

from theory.adaptors import Adaptor, ancestral, compose, eta, locally_typical, nucleus, temperature, top_k

TEMPERATURES = (0.5, 0.75, 1.0, 1.25, 1.5)
ADAPTORS = {
    "top_k(30)": top_k(30),
    "top_k(50)": top_k(50),
    "nucleus(0.9)": nucleus(0.9),
    "nucleus(0.95)": nucleus(0.95),
    "locally_typical(0.9)": locally_typical(0.9),
    "eta(0.0009)": eta(0.0009),
}


@dataclass(frozen=True)
class Scheme:
    """A named sampling scheme: temperature first, then truncation, as the study's libraries do."""

    name: str
    family: str
    temperature: float
    adaptor: Adaptor


def study_schemes() -> list[Scheme]:
    """Tan et al.'s schemes as their released code runs them: 6 adaptors x 5 temperatures + ancestral = 31."""
    schemes = [Scheme("ancestral", "ancestral", 1.0, ancestral())]
    for family, adaptor in ADAPTORS.items():
        for T in TEMPERATURES:  # noqa: N806 (the field's symbol)
            step = adaptor if T == 1 else compose(temperature(T), adaptor)
            schemes.append(Scheme(f"{family}@T={T:g}", family, T, step))
    return schemes
