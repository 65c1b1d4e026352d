"""The plugin that offers the built-in networks, metrics and re-rankers, without importing them."""

from __future__ import annotations

from dfbench.hookspecs import MetricSpec, NetworkSpec, RerankerSpec, Ties, hookimpl

_BACKBONES = "dfbench.networks.backbones"
_ENLARGED = 96
"""Size in pixels to which smaller images are enlarged for EfficientNet-Lite. Among teachers trained
at equal cost on 64 px images, those at 96 px were best: photos need the resolution, sketches the
steps."""
_RESNETS = ("resnet18", "resnet34", "resnet50", "wide_resnet50_2")
_FITTED = ("mobilenet_v3_large", "efficientnet_b0", "convnext_tiny")


@hookimpl
def dfbench_networks() -> tuple[NetworkSpec, ...]:
    """Return the networks that adapt to the image size."""
    resnets, lite = f"{_BACKBONES}.resnet", f"{_BACKBONES}.efficientnet_lite"
    fitted = f"{_BACKBONES}.library"
    return (
        NetworkSpec("resnet-tiny", "residual, 16 to 64 channels", f"{resnets}:resnet_tiny"),
        NetworkSpec("resnet-mini", "residual, 32 to 128 channels", f"{resnets}:resnet_mini"),
        *(
            NetworkSpec(name, "torchvision's, first strides adapted", f"{resnets}:{name}")
            for name in _RESNETS
        ),
        *(
            NetworkSpec(name, "torchvision's, first strides adapted", f"{fitted}:{name}")
            for name in _FITTED
        ),
        *(
            NetworkSpec(
                f"efficientnet-lite{size}",
                f"for phones, at {_ENLARGED} px or more; needs the extra imagenet",
                f"{lite}:lite{size}",
                enlarged_to=_ENLARGED,
            )
            for size in (0, 2)
        ),
    )


_METRICS = "dfbench.evaluation.metrics"


@hookimpl
def dfbench_metrics() -> tuple[MetricSpec, ...]:
    """Return the conventions in use, by published name."""
    return (
        _metric(
            "map@all",
            "mean over queries of (1/R) sum_i rel_i P@i over the whole gallery, not interpolated",
            "average_precision",
            "scikit-learn, SEM-PCYC, Doodle2Search, ZSIH, Sketch_LVM",
        ),
        _metric(
            "map@all:voc",
            "mean over queries of (1/R) sum_i rel_i max_{j>=i} P@j over the whole gallery",
            "average_precision_interpolated",
            "SAKE, DSN, TCN, ACNet, EGFF, ZSE-SBIR, MA-ZS-SBIR",
            ties="gallery",
        ),
        _metric(
            "map@{k}",
            "mean over queries of sum_{i<={k}} rel_i P@i / min(R, {k})",
            "average_precision_at",
            "dfbench; the strict interpretation of Tursun et al. 2022",
        ),
        _metric(
            "map@{k}:voc",
            "mean over queries of sum_{i<={k}} rel_i max_{i<=j<={k}} P@j / min(R, {k})",
            "average_precision_interpolated",
            "SAKE, TCN, ACNet, EGFF, ZSE-SBIR, MA-ZS-SBIR",
            ties="gallery",
        ),
        _metric(
            "map@{k}:hits",
            "mean over queries of sum_{i<={k}} rel_i P@i / (hits among the first {k}),"
            " 0 without hits",
            "average_precision_over_hits",
            "SEM-PCYC, PCMSN, AMLD, torchmetrics with top_k (ClipPrompt, KD-SBIR)",
            ties="gallery",
        ),
        _metric(
            "map@{k}:k",
            "mean over queries of sum_{i<={k}} rel_i P@i / {k}",
            "average_precision_over_k",
            "Yelamarthi et al. 2018, MLRM",
        ),
        _metric(
            "prec@{k}",
            "mean over queries of (hits among the first {k}) / {k}",
            "precision",
            "SAKE, SEM-PCYC, TCN, ACNet, EGFF, torchmetrics",
            bounded=True,
        ),
        _metric(
            "prec@{k}:min",
            "mean over queries of (hits among the first min(R, {k})) / min(R, {k})",
            "precision_cut_at_relevant",
            "ZSE-SBIR, MA-ZS-SBIR",
        ),
        _metric(
            "prec@{k}:min-divisor",
            "mean over queries of (hits among the first {k}) / min(R, {k})",
            "precision_over_relevant",
            "Doodle2Search",
        ),
        _metric(
            "prec@{k}:element",
            "mean over queries of rel at rank {k} + 1, the element at index {k}; not a precision",
            "relevance_after",
            "Doodle2Search (commented out), AMLD-2021",
        ),
        _metric(
            "acc@1",
            "share of queries whose first photo is of the query's class",
            "accuracy",
            "category-level SBIR; instance-level papers mean the same instance",
        ),
        _metric(
            "acc@{k}",
            "share of queries with a photo of the query's class among the first {k}",
            "success",
            "Recall@K of metric learning; acc@K of instance-level SBIR means the same instance",
        ),
        _metric(
            "recall@{k}",
            "mean over queries of (hits among the first {k}) / R",
            "recall",
            "TREC, torchmetrics; not Recall@K of metric learning, which is acc@K",
        ),
        _metric(
            "ndcg@{k}",
            "mean over queries of sum_{i<={k}} rel_i / log2(i + 1), over that of a perfect ranking",
            "discounted_gain",
            "TREC, scikit-learn, torchmetrics",
        ),
        *_first_hits(
            "df-sbir",
            "mean over queries of mean P@i over the first min({cap}, hits) hits, 0 without hits",
            "data-free-sbir, printed as mean average precision (cap 10)",
        ),
        *_first_hits(
            "df-sbir@{k}",
            "mean over queries of mean P@i over the first min({cap}, h) of the h hits among the"
            " first {k}, 0 without hits",
            "data-free-sbir, printed as precision (k = 100, cap 10)",
        ),
    )


def _metric(
    name: str,
    formula: str,
    function: str,
    used_by: str,
    *,
    ties: Ties = "expected",
    bounded: bool = False,
) -> MetricSpec:
    target = f"{_METRICS}:{function}"
    return MetricSpec(name, formula, target, ties, used_by, bounded=bounded)


def _first_hits(name: str, formula: str, used_by: str) -> tuple[MetricSpec, MetricSpec]:
    """The convention of the released DF-SBIR code, with its own cap and with any."""
    function = "average_precision_first_hits"
    return (
        _metric(name, formula.replace("{cap}", "10"), function, used_by, ties="gallery"),
        _metric(f"{name}:{{cap}}", formula, function, used_by, ties="gallery"),
    )


_RERANKING = "dfbench.evaluation.reranking"


@hookimpl
def dfbench_rerankers() -> tuple[RerankerSpec, ...]:
    """Return the built-in re-rankers."""
    return (
        RerankerSpec(
            "query-expansion",
            "Average query expansion (Chum et al. 2007)",
            f"{_RERANKING}.expansion:QueryExpansion",
        ),
        RerankerSpec(
            "alpha-query-expansion",
            "Alpha-weighted query expansion (Radenovic et al. 2018)",
            f"{_RERANKING}.expansion:AlphaQueryExpansion",
        ),
        RerankerSpec(
            "database-augmentation",
            "Database-side augmentation (Turcot & Lowe 2009)",
            f"{_RERANKING}.expansion:DatabaseAugmentation",
        ),
        RerankerSpec(
            "k-reciprocal",
            "k-reciprocal re-ranking (Zhong et al. 2017)",
            f"{_RERANKING}.reciprocal:KReciprocal",
        ),
        RerankerSpec(
            "diffusion",
            "Diffusion on the gallery's graph (Iscen et al. 2017)",
            f"{_RERANKING}.diffusion:Diffusion",
        ),
        RerankerSpec(
            "cluster-free",
            "Iterative cluster-free re-ranking (Hudson & Smith 2023)",
            f"{_RERANKING}.cluster_free:ClusterFree",
        ),
    )
