"""Claims of Mudgal et al., 2310.17022."""
