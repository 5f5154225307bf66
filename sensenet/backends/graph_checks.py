"""Checks a file's whole TensorFlow graph before TensorFlow loads any of it."""

from __future__ import annotations

from typing import Any

from sensenet.backends.graph_loops import bound_loops
from sensenet.backends.graph_ops import require_constants, require_ops
from sensenet.backends.graph_sizes import require_counts, require_single_arguments, require_sizes


def make_safe(tf: Any, nodes: Any, functions: Any, size: int, where: str) -> None:
    """Require allowed ops, counts, constants and shapes of NodeDefs and FunctionDefs, and bound their loops.

    `functions` gets those that the bounds need. `size` is that of the file in bytes. Raises ArtifactError for
    an op that is not allowed, for more inputs than there are, and for a loop that cannot be bounded;
    LimitError for what takes too much memory.
    """
    scopes = [nodes, *(function.node_def for function in functions)]
    every = [node for scope in scopes for node in scope]
    require_ops(every, where)
    require_counts(every, where)
    require_single_arguments(functions, where)
    require_constants(tf, every, size, where)
    for scope in scopes:
        require_sizes(tf, scope, where)
    functions.extend(bound_loops(tf, nodes, functions, where))
