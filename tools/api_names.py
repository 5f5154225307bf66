"""The public names, in the order of docs/api.md, which `api_page.py` writes."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen


@frozen
class Section:
    """A heading, the text below it, the names of each module in reading order, and the name of a table."""

    title: str
    text: str
    names: Mapping[str, tuple[str, ...]] = {}
    table: str = ""


SECTIONS = (
    Section(
        "Models",
        "A model comes from a document, an artifact or a saved file. [fields.md](fields.md) describes rows "
        "by field name, [images.md](images.md) images, [answers.md](answers.md) predictions. Clients of the "
        "published package use the names that begin with an underscore.",
        {
            "sensenet.models.wrappers": (
                "create_model",
                "create_image_feature_extractor",
                "Source",
                "Deepnet",
                "Deepnet.__call__",
                "Deepnet.encode",
                "Deepnet.answer_inputs",
                "Deepnet.predict",
                "Deepnet.predict_proba",
                "Deepnet.score",
                "Deepnet.fit",
                "Deepnet.get_params",
                "Deepnet.classes_",
                "Deepnet.feature_names_in_",
                "Deepnet.n_features_in_",
                "Deepnet.predict_probability",
                "Deepnet.batch_predict",
                "Deepnet.answer_shape",
                "Deepnet.answer_table",
                "Deepnet.find_errors",
                "ObjectDetector",
                "ObjectDetector.__call__",
                "ObjectDetector.predict",
                "ObjectDetector.answers_arrays",
                "ObjectDetector.answer_table",
                "ObjectDetector.find_errors",
                "Model",
                "Model.classes",
                "Model.engine",
                "Model.settings",
                "Model.signature",
                "Model.load_weights",
                "Model.save_as",
                "Model.save_weights",
                "Model.save_bundle",
                "Model.save_tfjs",
                "Model._model",
                "Model._preprocessors",
                "Model._classes",
                "Model._ncolumns",
                "Model._nimages",
                "convert",
                "tflite_predict",
            ),
            "sensenet.models.engines": ("ENGINES",),
            "sensenet.models.drawing": ("draw_boxes",),
        },
    ),
    Section(
        "Settings",
        "`create_model`, `create_image_feature_extractor` and `compile` take settings as a dict or as "
        "`Settings`, commands as `--setting name=value`. None means the default, and a setting that does "
        "not concern a model has no effect. An artifact keeps its settings; only `image_path_prefix` may "
        "differ for each model that is made from it.",
        {
            "sensenet.settings": ("Settings", "Settings.given", "Settings.override"),
            "sensenet.models.settings": ("Settings", "ensure_settings"),
        },
        table="settings",
    ),
    Section(
        "Record batches",
        "[scale.md](scale.md) says what to do with them. They need the extra `arrow`.",
        {
            "sensenet.batches": ("score", "output_schema", "spark_schema", "Scores"),
        },
    ),
    Section(
        "Inspecting",
        "[inspection.md](inspection.md) has examples.",
        {
            "sensenet": ("inspect",),
            "sensenet.inspection": (
                "Inspection",
                "Inspection.to_json",
                "diff",
                "Difference",
                "Difference.same",
                "Difference.answers_differ",
                "Difference.to_json",
            ),
            "sensenet.inspection.resource": ("Resource",),
            "sensenet.inspection.targets": ("TargetFacts", "Latency"),
            "sensenet.inspection.graphs": ("NodeChange", "WeightChange"),
            "sensenet.inspection.records": ("Change",),
            "sensenet.inspection.answers": ("AnswerChange", "ClassChange"),
            "sensenet.facts.fields": ("FieldFacts",),
            "sensenet.ir.layer_costs": ("LayerFacts", "Costs"),
        },
    ),
    Section(
        "Evaluating",
        "[evaluation.md](evaluation.md) has examples, and the definitions. It needs the extra `arrow`.",
        {
            "sensenet.evaluation": (
                "evaluate",
                "EvaluationReport",
                "EvaluationReport.to_json",
                "EvaluationReport.to_text",
                "EvaluationReport.to_html",
                "Evaluation",
                "Classification",
                "Classification.average",
                "Measures",
                "Measures.average",
                "Measures.average_precision",
                "Measures.average_recall",
                "Measures.average_f_measure",
                "Measures.average_phi",
                "ClassStatistics",
                "ClassStatistics.present_in_test_data",
                "ClassStatistics.is_averaged",
                "Curves",
                "Curves.positives",
                "Curves.negatives",
                "Curves.roc",
                "Curves.precision_recall",
                "Curves.gain",
                "Curves.lift",
                "Curves.negative_cdf",
                "Calibration",
                "Calibration.expected_error",
                "Calibration.maximum_error",
                "Calibration.differences",
                "Regression",
                "Errors",
                "Errors.root_mean_squared_error",
                "Histogram",
                "Histogram.edges",
                "Histogram.merge",
                "Detection",
                "Detection.mean_average_precision",
                "Detection.at",
                "DetectedClass",
                "DetectedClass.average_precision",
                "DetectedClass.at",
                "ClassComparison",
                "NumberComparison",
                "DetectionComparison",
            ),
        },
    ),
    Section(
        "Explaining",
        "[explanation.md](explanation.md) has examples, and the definitions.",
        {
            "sensenet.explanation": (
                "contributions",
                "Contributions",
                "Contributions.predicted",
                "Contributions.find_output",
                "Contributions.ranked",
                "Contributions.to_json",
                "make_background",
                "Background",
                "Background.rows",
                "what_if",
                "Curve",
                "Curve.to_json",
                "permutation_importance",
                "mean_contributions",
                "Importance",
                "Importance.ranked",
                "Importance.to_json",
                "occlusion_map",
                "OcclusionMap",
                "OcclusionMap.heat",
                "OcclusionMap.to_json",
            ),
        },
    ),
    Section(
        "Spark and Ray",
        "[scale.md](scale.md#spark) has scripts. They need the extras `spark` and `ray`.",
        {
            "sensenet.spark": ("score", "udf"),
            "sensenet.ray": ("Scorer",),
        },
    ),
    Section(
        "Compiling",
        "[targets.md](targets.md) has the targets and their options, [ir.md](ir.md) the graph.",
        {
            "sensenet.compiler.driver": ("compile", "compile_targets"),
            "sensenet.compiler.request": ("Source",),
            "sensenet.artifact": (
                "Artifact",
                "Artifact.files",
                "Artifact.__bytes__",
                "Artifact.save",
                "Report",
                "Report.lines",
                "Report.layer_lines",
                "PassRecord",
                "LayerRecord",
                "Verification",
            ),
            "sensenet.backends": ("TARGETS",),
            "sensenet.signature": (
                "Signature",
                "Signature.image_columns",
                "Signature.cell_names",
                "Signature.field_keys",
                "Signature.row_width",
                "Signature.to_json",
                "Signature.from_json",
                "Summary",
                "Summary.to_json",
            ),
        },
    ),
    Section(
        "Decompiling",
        "[fine_tuning.md](fine_tuning.md) has an example.",
        {"sensenet.compiler.decompile": ("decompile",)},
    ),
    Section(
        "Serving",
        "[serving.md](serving.md) has an example. These need the extra `serve`.",
        {
            "sensenet.serve.application": ("make_application", "Limits"),
            "sensenet.serve.served": ("serve_model", "make_catalog"),
        },
    ),
    Section(
        "MLflow",
        "[mlflow.md](mlflow.md) has an example.",
        {"sensenet.mlflow": ("save_model", "log_model", "load_model", "make_signature", "list_requirements")},
    ),
    Section(
        "Errors",
        "In `sensenet.errors`; the first is also `sensenet.SensenetError`. Most are subclasses of the "
        "built-in exception that a caller would catch.",
        table="errors",
    ),
    Section(
        "Pretrained networks",
        "[pretrained.md](pretrained.md) describes the networks, and the cache of their files.",
        {
            "sensenet.pretrained": (
                "NETWORKS",
                "get_pretrained_network",
                "load_pretrained_weights",
                "get_extractor_bundle",
                "get_weights_path",
                "cache_directory",
                "cache_resource_path",
            )
        },
    ),
    Section(
        "Bundles as files",
        "`create_model` opens a bundle; these functions pack and unpack its files.",
        {"sensenet.models.bundle": ("write_bundle", "read_bundle")},
    ),
    Section(
        "Rows as tensors",
        "For programs that call a Keras model themselves. `Deepnet.encode` takes rows of any form.",
        {"sensenet.load": ("load_points", "count_types")},
    ),
    Section(
        "Reading a network",
        "A network is the part of a document that has `preprocess`. These functions raise DocumentError if "
        "it lacks the member.",
        {
            "sensenet.accessors": (
                "get_image_shape",
                "get_image_tensor_shape",
                "get_output_exposition",
                "number_of_classes",
                "is_yolo_model",
                "yolo_outputs",
            )
        },
    ),
    Section("Constants", "In `sensenet.constants`.", table="constants"),
    Section(
        "Passes",
        "[passes.md](passes.md) describes each.",
        {
            "sensenet.passes": ("PIPELINES", "ALL_PASSES"),
            "sensenet.passes.infrastructure.selection": ("select_passes",),
            "sensenet.passes.infrastructure.manager": ("run_passes",),
        },
    ),
    Section(
        "Finding a wrong pass",
        "What `sensenet bisect` does ([cli.md](cli.md#finding-the-pass-that-is-wrong)), for programs.",
        {
            "sensenet.compiler.bisect.trial": ("Trial", "Outcome"),
            "sensenet.compiler.bisect.search": ("find_culprit", "Culprit"),
            "sensenet.compiler.bisect.smallest": ("find_smallest", "Smallest"),
            "sensenet.compiler.bisect.reduction": ("reduce_graph",),
        },
    ),
)
