"""The passes, and the pipelines that are made of them."""
