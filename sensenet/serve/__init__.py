"""Serves models over HTTP by the Open Inference Protocol: `sensenet serve MODEL…`.

    body ─ requests ─▶ tensors ─ interface ─▶ rows
    rows ─ batching ─▶ answers ─ answers ─▶ tensors ─ responses ─▶ body

`application`, `metrics`, `server`, `requests` and `responses` need the extra `serve`.
"""
