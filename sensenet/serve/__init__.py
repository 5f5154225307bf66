"""Serves models over HTTP by the Open Inference Protocol: `python -m sensenet.serve MODEL…`.

    body ─ requests ─▶ tensors ─ interface ─▶ rows
    rows ─ batching ─▶ answers ─ answers ─▶ tensors ─ responses ─▶ body

Everything but `application`, `metrics` and `server` works without a server, and without the extra `serve`.
"""
