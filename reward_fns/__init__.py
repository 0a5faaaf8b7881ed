"""Response to reward: extraction, verifiers, format, length envelope, composed by `score.compute_score`."""
