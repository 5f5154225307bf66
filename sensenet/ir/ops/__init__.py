"""The ops of the IR, one family per file; `table` lists all of them."""
