"""Builds the graph of a document: the kind of model, and the nodes from inputs to outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from sensenet.errors import VerifyError
from sensenet.frontend.columns import match_fields, read_columns
from sensenet.frontend.document import Document, errors_naming, read_document
from sensenet.frontend.emit import emit
from sensenet.frontend.exposition import Exposition, read_exposition
from sensenet.frontend.features import ColumnEncoder
from sensenet.frontend.json.cursor import Cursor
from sensenet.frontend.layers.table import build_network
from sensenet.frontend.weight_sources import ImportedGraph, SourceRecord
from sensenet.ir.graph import Graph, Value
from sensenet.ir.interface import check_graph
from sensenet.ir.ops.arithmetic import Average
from sensenet.records import frozen
from sensenet.settings import Settings, ensure_settings
from sensenet.signature import PREDICTIONS, ImageColumn, ModelKind, Signature

if TYPE_CHECKING:
    from sensenet.frontend.images import ImageNetwork

EXTRACTOR_ENDS = ("global_average_pool_2d", "global_max_pool_2d", "convolution_2d")
"""The layer types with which an extractor may end: it ends with the last such layer of the image network."""


def import_graph(source: Any, settings: Settings | Mapping[str, Any] | None = None) -> Graph:
    """Return the graph of a document with these settings; `source` is anything that `read_source` accepts.

    Raises DocumentError or SettingsError.
    """
    return build_graph(read_document(source), ensure_settings(settings)).graph


def build_graph(document: Document, settings: Settings) -> ImportedGraph:
    """Return the graph of a document, with the sources of its weights in the document.

    Raises DocumentError with the JSON path of the fault, or SettingsError.
    """
    document = attrs.evolve(document, network=document.network.as_root())  # counts memory per graph
    sources: SourceRecord = {}
    with errors_naming(document.file):
        graph = _build(document, settings, sources)
        try:
            check_graph(graph)
        except VerifyError as error:
            raise document.network.error(str(error)) from error
    used = {node.name: sources[node.name] for node in graph.nodes if node.name in sources}
    return ImportedGraph(graph=graph, weight_sources=used)


def _build(document: Document, settings: Settings, sources: SourceRecord) -> Graph:
    if settings.extract_image_features:
        return _build_extractor(document, _image_network(document, settings, sources))
    if document.network["image_network"].present:
        images = _image_network(document, settings, sources)
        if images.is_detector:
            return _build_detector(document, images)
    return _build_deepnet(document, settings, sources)


def _image_network(document: Document, settings: Settings, sources: SourceRecord) -> ImageNetwork:
    from sensenet.frontend.images import ImageNetwork  # which rows of numbers do not need

    return ImageNetwork(cursor=document.network["image_network"], settings=settings, sources=sources)


def _build_deepnet(document: Document, settings: Settings, sources: SourceRecord) -> Graph:
    network = document.network
    encoder = _read_encoder(network)
    exposition = read_exposition(network)
    numbers = encoder.numeric_input()
    inputs = [numbers] if numbers else []
    image, image_features = None, []
    image_count = len(encoder.positions_of(ImageColumn))
    if image_count:
        images = _image_network(document, settings, sources)
        image = images.describe_input()
        pixels = images.pixel_input(image_count)
        image_features = images.build_features(pixels, image_count)
        inputs.append(pixels)
    features = encoder.encode(numbers, image_features)
    scaled = None if settings.regression_normalize else exposition
    parts = _find_parts(network, features)
    predictions = _combine(network, [_build_part(part, scaled, sources) for part in parts])
    signature = _describe(
        document,
        settings,
        columns=tuple(encoding.column for encoding in encoder.encodings),
        **_describe_fields(document, encoder),
        classes=exposition.classes,
        categories=_order_classes(document, exposition),
        image=image,
    )
    return Graph.create(inputs, {PREDICTIONS: predictions}, signature)


def _build_detector(document: Document, images: ImageNetwork) -> Graph:
    encoder = _read_encoder(document.network)
    if encoder.positions_of(ImageColumn) != (0,) or len(encoder.encodings) != 1:
        raise encoder.preprocess.error("expected one column, an image, for a detector")
    from sensenet.frontend.detector import build_detector_outputs

    classes = read_exposition(document.network).classes
    image = images.describe_input()
    pixels = images.pixel_input(1)
    outputs = build_detector_outputs(images, pixels.value, len(classes))
    signature = _describe(
        document,
        images.settings,
        kind=ModelKind.DETECTOR,
        columns=(encoder.encodings[0].column,),
        **_describe_fields(document, encoder),
        classes=classes,
        image=image,
    )
    return Graph.create([pixels], outputs, signature)


def _build_extractor(document: Document, images: ImageNetwork) -> Graph:
    """Return the graph of the image network up to its last pooling or convolution, for one image per row."""
    if not images.cursor.present:
        raise document.network.error("image_network is missing, which would extract the features")
    layers = images.cursor.require("layers")
    ends = [i for i, layer in enumerate(layers.items()) if layer["type"].value in EXTRACTOR_ENDS]
    if not ends:
        raise layers.error(f"features end at one of {', '.join(EXTRACTOR_ENDS)}, but there is none")
    image = images.describe_input()
    pixels = images.pixel_input(1)
    features = images.build_outputs(pixels.value)[ends[-1]]
    signature = _describe(
        document,
        images.settings,
        kind=ModelKind.EXTRACTOR,
        columns=(ImageColumn(index=0),),
        image=image,
    )
    return Graph.create([pixels], {PREDICTIONS: features}, signature)


def _read_encoder(network: Cursor) -> ColumnEncoder:
    preprocess = network.require("preprocess")
    return ColumnEncoder(preprocess=preprocess, encodings=read_columns(preprocess))


def _describe_fields(document: Document, encoder: ColumnEncoder) -> dict[str, Any]:
    fields = match_fields(encoder.encodings, document.input_fields)
    return {"fields": fields, "missing_tokens": document.missing_tokens if fields else ()}


def _order_classes(document: Document, exposition: Exposition) -> tuple[str, ...]:
    """Return the classes in the order of the objective's categories, if that has them all and no others."""
    same = sorted(document.categories) == sorted(exposition.classes)
    return document.categories if same else ()


def _describe(document: Document, settings: Settings, **parts: Any) -> Signature:
    return Signature(
        objective=document.objective,
        name=document.name,
        description=document.description,
        settings=settings.given(),
        **parts,
    )


@frozen(kw_only=True, eq=False, repr=False)
class Part:
    """One network of an ensemble, or the only network: its layers and their input."""

    layers: Cursor
    source: Value
    prefix: str
    """The beginning of its nodes' names."""


def _find_parts(network: Cursor, features: Value) -> Iterator[Part]:
    """Yield the networks with their inputs: the features, or the trees' outputs too, if a network reads them.

    A single network reads the trees if the model has any.
    """
    trees = _build_trees(network["trees"], features)
    if not network["networks"].present:
        source = features if trees is None else trees
        yield Part(layers=network.require("layers"), source=source, prefix="")
        return
    for index, part in enumerate(network["networks"].items()):
        wants_trees = part["trees"].boolean()
        if wants_trees and trees is None:
            raise part["trees"].error("this network reads trees, but the model has none")
        source = trees if wants_trees and trees is not None else features
        yield Part(layers=part.require("layers"), source=source, prefix=f"network_{index}_")


def _build_trees(trees: Cursor, features: Value) -> Value | None:
    """Return the outputs of the trees, then the features; None without trees."""
    if not trees.present or trees.value is False or trees.value == []:
        return None
    from sensenet.frontend.trees import build_tree_features

    return build_tree_features(trees, features)


def _build_part(part: Part, exposition: Exposition | None, sources: SourceRecord) -> Value:
    """Return a network's result, in the objective's units if an exposition is given."""
    value = build_network(part.layers, part.source, f"{part.prefix}layer_", sources)
    return exposition.destandardize(value, f"{part.prefix}destandardize") if exposition else value


def _combine(network: Cursor, answers: list[Value]) -> Value:
    if not answers:
        raise network["networks"].error("an ensemble needs at least one network")
    return answers[0] if len(answers) == 1 else emit(network["networks"], Average(), *answers, name="average")
