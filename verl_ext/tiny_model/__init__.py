"""A Qwen3-VL small enough to train on two cores: built, given a tokenizer, and warm-started on a prepared data set."""
