"""Checks that the tensors of a file match its own signature."""

from __future__ import annotations

from sensenet.errors import ArtifactError, VerifyError
from sensenet.ir.interface import Types, check_interface
from sensenet.signature import Signature


def require_fitting(signature: Signature, inputs: Types, outputs: Types, where: str) -> None:
    """Raise ArtifactError unless a file reads and answers what its own signature says.

    A graph that no document is behind has a signature without columns, which says nothing.
    """
    if not signature.columns:
        return
    try:
        check_interface(signature, inputs, outputs)
    except VerifyError as error:
        raise ArtifactError(f"{where}: its tensors do not fit its signature: {error}") from error
