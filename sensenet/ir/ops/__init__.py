"""The ops of the IR, a family in each file; `table` lists them all."""
