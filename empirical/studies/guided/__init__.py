"""Guidance by evidence on a real model: what Chang et al. say of sensibleness, diversity and attribution."""
