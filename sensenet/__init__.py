"""sensenet: a compiler for BigML deepnets."""
