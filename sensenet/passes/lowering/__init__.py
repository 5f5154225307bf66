"""Rules that make ops of others, for targets that lack them; `legalize` is the pass that applies them."""
