"""Ray on two processors: actors answer as one process does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from support.scale import image_model, make_table, require, scored, write_images

import sensenet.ray
from sensenet.errors import InputTypeError

pytestmark = pytest.mark.slow

IMAGES = 14
KEEP = {"keep": ["path"]}


@pytest.fixture(scope="module")
def ray():
    ray = require("ray")
    require("ray.data")

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=200 << 20,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, IMAGES)
    return folder


def read(ray, folder):
    """The images of a folder, as the field `photo` of the model and their paths."""
    return ray.data.read_binary_files(str(folder), include_paths=True).rename_columns({"bytes": "photo"})


def map_pool(ray, dataset, *arguments, scorer=sensenet.ray.Scorer, **options):
    """Score with two actors, which leave processors for the tasks that read, as those of a failed job do."""
    return dataset.map_batches(
        scorer,
        fn_constructor_args=arguments,
        fn_constructor_kwargs=options,
        batch_format="pyarrow",
        batch_size=3,
        num_cpus=0.1,
        compute=ray.data.ActorPoolStrategy(size=2),
    )


def in_order(dataset):
    rows = sorted(dataset.take_all(), key=lambda row: row["path"])
    return [{name: as_list(value) for name, value in row.items()} for row in rows]


def as_list(value):
    """Ray returns lists as arrays."""
    if isinstance(value, np.ndarray | list):
        return [as_list(item) for item in value]
    if isinstance(value, dict):
        return {name: as_list(item) for name, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def wanted(folder, **options):
    import pyarrow as pa

    paths = sorted(str(path) for path in folder.iterdir())
    table = pa.table({"path": paths, "photo": [Path(path).read_bytes() for path in paths]})
    return scored(table, image_model(), keep=["path"], **options)


def test_a_folder_of_images(ray, folder):
    found = in_order(map_pool(ray, read(ray, folder), image_model(), **KEEP))
    assert len(found) == IMAGES
    assert found == as_list(wanted(folder))
    assert any(row["detections"] for row in found)


def test_tables_and_an_empty_one(ray):
    model, table = make_table("trees", 40)
    dataset = map_pool(ray, ray.data.from_arrow(table), model, keep=["id"])
    found = sorted(dataset.take_all(), key=lambda row: row["id"])
    assert found == scored(table, model, keep=["id"])
    scorer = sensenet.ray.Scorer(model, keep=["id"])
    assert scorer(table.slice(0, 0)).num_rows == 0
    assert scorer(table.slice(0, 0)).schema == scorer(table).schema


def test_an_actor_has_one_thread(ray, folder):
    class Probe(sensenet.ray.Scorer):
        def __call__(self, table):
            import pyarrow as pa
            from threadpoolctl import threadpool_info

            from sensenet.processors import usable_processors

            super().__call__(table)
            blas = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
            return pa.table({"threads": [max(blas)], "processors": [usable_processors()]})

    rows = map_pool(ray, read(ray, folder), image_model(), scorer=Probe, **KEEP).take_all()
    assert {(row["threads"], row["processors"]) for row in rows} == {(1, 1)}


@pytest.fixture
def damaged(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "3.png").write_bytes(b"not an image")
    return tmp_path


def test_a_bad_image_fails_and_is_named(ray, damaged):
    with pytest.raises(Exception, match=r"row \d of a batch \(path='.*/3\.png'\)"):
        map_pool(ray, read(ray, damaged), image_model(), **KEEP).take_all()


def test_a_bad_image_is_null_as_asked(ray, damaged):
    found = in_order(map_pool(ray, read(ray, damaged), image_model(), on_error="null", **KEEP))
    assert found == as_list(wanted(damaged, on_error="null"))
    assert [Path(row["path"]).name for row in found if row["error"]] == ["3.png"]


def test_an_actor_that_is_killed_loses_and_doubles_nothing(ray, folder, tmp_path):
    class Dying(sensenet.ray.Scorer):
        def __call__(self, table):
            try:
                (tmp_path / "died").touch(exist_ok=False)
            except FileExistsError:
                return super().__call__(table)
            return os.kill(os.getpid(), signal.SIGKILL)

    found = in_order(map_pool(ray, read(ray, folder), image_model(), scorer=Dying, **KEEP))
    assert (tmp_path / "died").exists()
    assert found == as_list(wanted(folder))


def test_another_batch_format_is_an_error():
    model, table = make_table("rows", 2)
    with pytest.raises(InputTypeError, match='expected batch_format="pyarrow"'):
        sensenet.ray.Scorer(model)(table.to_pydict())
