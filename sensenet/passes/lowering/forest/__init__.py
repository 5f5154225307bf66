"""Lowering of forests to basic ops: the strategies, and the choice of the fastest one."""
