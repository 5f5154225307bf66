"""The intermediate representation: types, ops, graph, verifier, text form, interpreter."""
