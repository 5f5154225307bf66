"""Write the lists of class names in sensenet/pretrained/ from the two packages that carry them.

    pip download --no-deps timm==1.0.31 torchvision==0.29.2
    python tools/class_names.py timm-*.whl torchvision-*.whl sensenet/pretrained

ImageNet-1k: the lemmas of its 1000 WordNet 3.0 synsets, in the order of their ids, as timm (Apache-2.0) lists
them. COCO: the names of the 80 categories that have objects in the data set, in the order of their ids, as
torchvision (BSD-3-Clause) lists them. The wheels are read as archives: nothing is installed or imported.
"""

from __future__ import annotations

import argparse
import ast
import re
import zipfile
from pathlib import Path

SYNSETS = "timm/data/_info/imagenet_synsets.txt"
LEMMAS = "timm/data/_info/imagenet_synset_to_lemma.txt"
CATEGORIES = "torchvision/models/_meta.py"
NOT_CATEGORIES = ("__background__", "N/A")

IMAGENET_HEADER = """\
# The 1000 classes of ImageNet-1k in the order of their WordNet ids: all lemmas of each synset.
# WordNet 3.0, copyright 2006 Princeton University, all rights reserved; see https://wordnet.princeton.edu/license-and-commercial-use
# Written by tools/class_names.py from timm {version}."""
COCO_HEADER = """\
# The 80 categories of COCO 2017 (https://cocodataset.org) in the order of their ids.
# Written by tools/class_names.py from torchvision {version}."""


def read_member(wheel: Path, member: str) -> str:
    """Return the text of one file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member).decode("utf-8")


def wheel_version(wheel: Path) -> str:
    """Return the version in a wheel's file name, without a local part."""
    return re.split(r"[-+]", wheel.name)[1]


def imagenet_names(wheel: Path) -> list[str]:
    """Return the lemmas of each synset of ImageNet-1k, from a wheel of timm."""
    synsets = read_member(wheel, SYNSETS).split()
    lemmas = dict(line.split("\t", 1) for line in read_member(wheel, LEMMAS).splitlines())
    return [lemmas[synset] for synset in synsets]


def coco_names(wheel: Path) -> list[str]:
    """Return the names of COCO's categories, from a wheel of torchvision."""
    for statement in ast.parse(read_member(wheel, CATEGORIES)).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="_COCO_CATEGORIES")], value=value):
                return [name for name in ast.literal_eval(value) if name not in NOT_CATEGORIES]
    raise SystemExit(f"{wheel}: {CATEGORIES} has no _COCO_CATEGORIES")


def main() -> None:
    """Write both lists."""
    parser = argparse.ArgumentParser(description="write the lists of class names")
    parser.add_argument("timm", type=Path, help="a wheel of timm")
    parser.add_argument("torchvision", type=Path, help="a wheel of torchvision")
    parser.add_argument("directory", type=Path, help="directory to write the lists to")
    arguments = parser.parse_args()
    lists = {
        "imagenet_classes.txt": (IMAGENET_HEADER, arguments.timm, imagenet_names(arguments.timm)),
        "coco_classes.txt": (COCO_HEADER, arguments.torchvision, coco_names(arguments.torchvision)),
    }
    for file_name, (header, wheel, names) in lists.items():
        lines = [header.format(version=wheel_version(wheel)), *names]
        (arguments.directory / file_name).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
