"""What the tests of drawings share: a graph of two nodes, and a name that would do harm on a page."""

from __future__ import annotations

from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops import core, dense
from sensenet.ir.types import Tensor, f32
from sensenet.signature import Signature
from support.op_cases import floats

HOSTILE = (
    "</script></title></svg><script>window.hacked=1</script>"
    "<img src=x onerror='window.hacked=1'>\" onclick=\"window.hacked=1"
)


def small_graph(name: str = "Iris", output: str = "predictions", layer: str = "layer_0") -> Graph:
    x = apply(core.Input(type=f32(None, 20)), name="numeric_inputs")
    y = apply(dense.Dense(kernel=Tensor(floats(20, 3)), bias=Tensor.float32([1, 2, 3])), x.value, name=layer)
    return Graph.create([x], {output: y.value}, Signature(name=name))
