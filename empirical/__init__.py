"""Real models: sampling, scoring, rewards, alignment, and the studies that use them."""
