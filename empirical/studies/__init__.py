"""Studies: each a plain sequence prompts -> rows -> weights -> corpora -> tables."""
