"""Engines turn (prompt, schemes, samples) into drawn answers with their exact log-probabilities."""
