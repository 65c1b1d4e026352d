"""The plugin of the built-in datasets; imports none of them."""

from __future__ import annotations

from dfbench.hookspecs import DatasetSpec, hookimpl


@hookimpl
def dfbench_datasets() -> tuple[DatasetSpec, ...]:
    """Return the drawn dataset and that of anybody's folder."""
    return (
        DatasetSpec(
            "shapes",
            "drawn figures, 20 + 10 classes, 32 px, nothing to download",
            "dfbench.datasets.shapes:open_shapes",
        ),
        DatasetSpec(
            "folder",
            "your own images in PATH/photo/<class>/* and PATH/sketch/<class>/*",
            "dfbench.datasets.folder:open_folder",
            argument="PATH",
        ),
    )
