"""Is this run right before it burns a GPU hour? `python -m verl_ext.doctor OVERRIDE…` with the overrides of the run."""
