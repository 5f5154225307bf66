"""A model whose process dies once, as that of a lost machine does. Workers import this module."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sensenet.models.deepnet import Deepnet

opened = 0
"""How many models this process has made."""


class DyingDeepnet(Deepnet):
    """Answers once; the second time kills its process, if it has a folder, and that no file `died` yet."""

    folder = None
    answered = False

    def __reduce__(self):
        return revive, (super().__reduce__(), self.folder)

    def answer_table(self, table):
        if self.folder and self.answered and die_once(self.folder):
            os.kill(os.getpid(), signal.SIGKILL)
        self.answered = True
        return super().answer_table(table)


def revive(parts, folder):
    global opened  # noqa: PLW0603 - a process has one count
    opened += 1
    _, arguments = parts
    model = DyingDeepnet(*arguments)
    model.folder = folder
    return model


def make_dying(model, folder):
    """Return a model as one whose process dies once; or never, without a folder."""
    return revive(model.__reduce__(), folder and str(folder))


def die_once(folder):
    """Whether this is the first call for a folder, in any process."""
    try:
        Path(folder, "died").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
