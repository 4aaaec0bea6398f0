"""Judging answers: judges that are not the reward that was trained on, win rates, rewards and divergences."""
