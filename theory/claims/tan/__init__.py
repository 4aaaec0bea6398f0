"""Claims of Tan et al., 2406.10203."""
