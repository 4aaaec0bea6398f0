"""A task with evidence: short passages with questions, of our own, and what to measure of an answer without a model."""
