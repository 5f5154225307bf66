"""tools/class_names.py, on small wheels that are made here."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "class_names.py"


def write_wheel(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_lists_are_in_the_order_of_the_ids_with_their_origin(tmp_path):
    timm = write_wheel(
        tmp_path / "timm-9.8-py3-none-any.whl",
        {
            "timm/data/_info/imagenet_synsets.txt": "n01\nn02\n",
            "timm/data/_info/imagenet_synset_to_lemma.txt": "n00\tthing\nn02\tmouse, rodent\nn01\tcat\n",
        },
    )
    torchvision = write_wheel(
        tmp_path / "torchvision-7.6+cpu-cp311-none-any.whl",
        {
            "torchvision/models/_meta.py": "import absent\n"
            '_OTHER = ["x"]\n_COCO_CATEGORIES = ["__background__", "person", "N/A", "bicycle"]\n'
        },
    )
    subprocess.run([sys.executable, TOOL, timm, torchvision, tmp_path], check=True)
    imagenet = (tmp_path / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    coco = (tmp_path / "coco_classes.txt").read_text(encoding="utf-8").splitlines()
    assert imagenet[-2:] == ["cat", "mouse, rodent"]
    assert coco[-2:] == ["person", "bicycle"]
    assert all(line.startswith("#") for line in imagenet[:-2] + coco[:-2])
    assert "timm 9.8." in imagenet[-3]
    assert "torchvision 7.6." in coco[-3]
