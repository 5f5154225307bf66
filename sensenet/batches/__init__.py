"""Scores Arrow's record batches in constant memory: an iterator of batches becomes one of answers.

That form is the one that Parquet files, Spark's `mapInArrow`, Polars, DuckDB and Ray share: docs/scale.md.
"""

from __future__ import annotations

from sensenet.batches.outputs import output_schema, spark_schema
from sensenet.batches.scoring import Scores, score

__all__ = ["Scores", "output_schema", "score", "spark_schema"]
