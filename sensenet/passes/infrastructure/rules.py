"""The pattern driver: applies a pass's rules to a graph until none fires.

Nodes that a rewrite leaves unused need no clean-up: a graph consists of what its outputs reach, so
`Graph.nodes` no longer has them. There is no dead-code pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps

from sensenet.errors import PassError, SensenetError, UnsupportedOpError
from sensenet.forks import cached_property
from sensenet.ir.graph import Graph, Node, Value, rebuild
from sensenet.ir.region import map_regions
from sensenet.passes.analysis.magnitudes import amplifies
from sensenet.records import frozen

REWRITES_PER_NODE = 50
"""A rule that fires more often than this for each node of the graph is looping."""

SWEEPS = 1000
"""A sweep goes bottom-up, so a few sweeps suffice for any chain of rewrites; rules that need this many
loop."""

FAULTS = (SensenetError, ArithmeticError, LookupError, TypeError, ValueError, AssertionError)
"""Exceptions that mean a faulty pass, unlike running out of memory or an interrupt."""


class Uses:
    """The readers of each value, while a graph is being rewritten.

    A value that replaces another inherits its readers. A value created inside a replacement is not known
    until the next sweep, and counts as shared until then. These answers decide whether a rewrite pays, never
    whether it is correct: an immutable value stays alive as long as it has a reader.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @cached_property
    def _count(self) -> Counter[Value]:
        return Counter(self._graph.uses)

    @cached_property
    def _outputs(self) -> set[Value]:
        return set(self._graph.outputs.values())

    @cached_property
    def _readers(self) -> dict[Value, list[Node]]:
        readers: dict[Value, list[Node]] = {value: [] for node in self._graph.nodes for value in node.values}
        for node in self._graph.nodes:
            for value in node.inputs:
                readers[value].append(node)
        return readers

    def only(self, value: Value, times: int = 1) -> bool:
        """Return whether the value is read exactly once, or `times` times, by nodes or graph outputs."""
        return self._count.get(value) == times

    def only_by(self, value: Value, accept: Callable[[Node], bool]) -> bool:
        """Return whether no graph output is this value, and `accept` holds for every node that reads it.

        The readers are the nodes from the beginning of the sweep.
        """
        readers = self._readers.get(value)
        return readers is not None and value not in self._outputs and all(map(accept, readers))

    @cached_property
    def amplifies_rounding(self) -> bool:
        """Whether some op of the graph multiplies by numbers so large that all rounding shows."""
        return any(amplifies(node.op) for node in self._graph.nodes)

    def replaced(self, old: Value, new: Value) -> None:
        """Record that `new` replaces `old`."""
        self._count[new] += self._count[old]
        self._readers.setdefault(new, []).extend(self._readers.get(old, ()))
        if old in self._outputs:
            self._outputs.add(new)


@frozen
class Declined:
    """A rule's answer for a node that it recognizes and leaves as it is: `reason` says why.

    It completes the sentence "… because {reason}". `--explain` prints it; nothing else depends on it.
    """

    reason: str


def also_read(value: Value) -> Declined:
    """Return `Declined` because the rewrite would compute a value twice: something else reads it too."""
    return Declined(f"{value.node.name!r} has another reader")


Rule = Callable[[Node, Uses], Value | Sequence[Value] | Declined | None]
"""`rule(node, uses)` returns what replaces the node's results, or `Declined` or None to leave the node.

None means that the rule does not apply to the node. The node's inputs are already rewritten. All legality
conditions are in the rule itself.
"""


@frozen(kw_only=True)
class Rewrite:
    """A rule that fired: its number in the run, from 1, the name of the rule, and that of the node."""

    number: int
    rule: str
    node: str


@frozen(kw_only=True)
class Pass:
    """A named rewrite of a graph: `run` returns the same object if there was nothing to do.

    `rules` are those of a pass that only applies rules.
    """

    name: str
    run: Callable[[Graph], Graph]
    rules: tuple[Rule, ...] = ()


def rewriting_pass(name: str, *rules: Rule) -> Pass:
    """Return a pass that applies rules bottom-up to a fixed point."""
    return Pass(name=name, run=lambda graph: apply_rules(graph, rules), rules=rules)


AMPLIFIED = Declined("a weight of the graph is so large that different rounding would show")


def rounding_pass(name: str, *rules: Rule) -> Pass:
    """Return a pass like `rewriting_pass`, of rules that keep answers up to rounding: see `rounds`."""
    return rewriting_pass(name, *map(rounds, rules))


def rounds(rule: Rule) -> Rule:
    """Return a rule that keeps answers only up to rounding, and declines if the graph would amplify that."""

    @wraps(rule)
    def guarded(node: Node, uses: Uses) -> Value | Sequence[Value] | Declined | None:
        found = rule(node, uses)
        fires = found is not None and not isinstance(found, Declined)
        return AMPLIFIED if fires and uses.amplifies_rounding else found

    return guarded


def apply_rules(
    graph: Graph,
    rules: Sequence[Rule],
    *,
    limit: int | None = None,
    observe: Callable[[Rewrite], None] = lambda _: None,
) -> Graph:
    """Return the graph after sweeping until no rule fires, or after `limit` rewrites.

    Regions are rewritten first, those that a rule makes too, whatever the limit. `observe` is called with
    every rewrite of the graph itself. Raises PassError, naming rule and node, if a rule fails, and naming the
    rule that fired last if the rules do not terminate.
    """
    most = REWRITES_PER_NODE * (len(graph.nodes) + 1)
    count = 0
    last = ""
    for _ in range(SWEEPS):
        graph = map_regions(graph, lambda inner: apply_rules(inner, rules))
        uses = Uses(graph)

        def replace(node: Node, uses: Uses = uses) -> Sequence[Value]:
            nonlocal count, last
            for rule in rules if count != limit else ():
                found = _try_rule(rule, node, uses)
                if found is None or isinstance(found, Declined):
                    continue
                count += 1
                last = f"the rule {_name(rule)} does not terminate (last at node {node.name!r})"
                if count > most:
                    raise PassError(last)
                observe(Rewrite(number=count, rule=_name(rule), node=node.name))
                return (found,) if isinstance(found, Value) else tuple(found)
            return node.values

        changed = rebuild(graph, replace, uses.replaced)
        if changed is graph:
            return graph
        graph = changed
    raise PassError(last)


@frozen(kw_only=True)
class Explanation:
    """Why a rule left a node as it is: the names of the rule and the node, and the reason."""

    rule: str
    node: str
    reason: str


def explain(graph: Graph, rules: Sequence[Rule]) -> tuple[Explanation, ...]:
    """Return what the rules decline, node by node, on a graph on which none of them fires.

    Raises PassError, naming rule and node, if a rule fails.
    """
    uses = Uses(graph)
    answers = ((rule, node, _try_rule(rule, node, uses)) for node in graph.nodes for rule in rules)
    return tuple(
        Explanation(rule=_name(rule), node=node.name, reason=answer.reason)
        for rule, node, answer in answers
        if isinstance(answer, Declined)
    )


def _try_rule(rule: Rule, node: Node, uses: Uses) -> Value | Sequence[Value] | Declined | None:
    """Apply a rule; raise PassError, naming rule and node, if it fails, other than by UnsupportedOpError."""
    try:
        return rule(node, uses)
    except UnsupportedOpError:
        raise
    except FAULTS as error:
        raise PassError(f"the rule {_name(rule)} failed at node {node.name!r}: {error}") from error


def _name(rule: Rule) -> str:
    return getattr(rule, "__name__", "rule")
