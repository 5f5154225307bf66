"""The intermediate representation (IR): types, ops, graph, verifier, text form, interpreter."""
