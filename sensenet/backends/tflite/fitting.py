"""Checks that the tensors of a file match its own signature."""

from __future__ import annotations

from sensenet.backends.tflite.metadata import SIGNATURE_FILE
from sensenet.backends.tflite.verify import Interface
from sensenet.errors import ArtifactError, VerifyError
from sensenet.ir.interface import check_interface
from sensenet.signature import Signature


def require_fitting(signature: Signature, interface: Interface, where: str) -> None:
    """Raise ArtifactError unless a file's tensors match its own signature.

    A graph that no document is behind has a signature without columns, which says nothing.
    """
    if not signature.columns:
        return
    try:
        check_interface(signature, interface.inputs, interface.outputs)
    except VerifyError as error:
        raise ArtifactError(f"{where}: its tensors do not fit its {SIGNATURE_FILE}: {error}") from error
