"""Claims of Chang et al., 2311.10083."""
