"""The plugin that offers the built-in datasets, without importing them."""

from __future__ import annotations

from dfbench.hookspecs import DatasetSpec, hookimpl

_PUBLISHED = (
    ("sketchy", "Sketchy, 125 classes, its own 12,500 photos", "open_sketchy"),
    ("sketchy-ext", "Sketchy Extended, 125 classes, 73,002 photos", "open_sketchy_ext"),
    ("tuberlin", "TU-Berlin Extended, 250 classes, 204,489 photos", "open_tuberlin"),
    ("tuberlin-ext", "alias of tuberlin, which has no other photos", "open_tuberlin"),
    ("quickdraw", "QuickDraw Extended, 110 classes, 204,000 photos", "open_quickdraw"),
    ("quickdraw-ext", "alias of quickdraw, which has no other photos", "open_quickdraw"),
    ("pacs", "PACS, domains photo and sketch, 7 classes", "open_pacs"),
)


@hookimpl
def dfbench_datasets() -> tuple[DatasetSpec, ...]:
    """Return the drawn dataset, the image-folder dataset and the published datasets."""
    return (
        DatasetSpec(
            "shapes",
            "drawn figures, 20 + 10 classes, 32 px or any other size, no download",
            "dfbench.datasets.shapes:open_shapes",
            teachers="dfbench.datasets.shapes:teachers",
        ),
        DatasetSpec(
            "folder",
            "your own images in PATH/photo/<class>/* and PATH/sketch/<class>/*",
            "dfbench.datasets.folder.opening:open_folder",
            argument="PATH",
        ),
        DatasetSpec(
            "cifar-quickdraw",
            "CIFAR-10 and Quick, Draw!, 9 classes, 32 px; needs dfbench data fetch cifar-quickdraw",
            "dfbench.datasets.cifar_quickdraw:open_cifar_quickdraw",
        ),
        *(
            DatasetSpec(name, f"{title}; needs --data-root", f"dfbench.datasets.known:{target}")
            for name, title, target in _PUBLISHED
        ),
    )
