"""Controlled decoding on real models: the eight experiments and Table 1 of Mudgal et al. (later version)."""
