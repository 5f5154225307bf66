"""Rules that express ops by others, for targets that lack them; the pass `legalize` applies them."""
