"""`README.md` of an export: the card as a page, in the format of the Hugging Face hub.

The front matter is YAML; its values are written as JSON, which YAML contains.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from dfbench.modality import MODALITIES
from dfbench.retrieval.card import Card, Measured

MODEL_CARD_FILE = "README.md"


def model_card(card: Card) -> str:
    """The page of exported encoders: use, scores, classes and licence."""
    encoders = card.encoders
    title = card.measured.title if card.measured else encoders.method
    if encoders.representation:
        title = f"{title}, {encoders.representation}"
    parts = [
        _front_matter(card),
        f"# {title}: photo and sketch encoder",
        "Two encoders that map photos and sketches into one embedding space, so that a sketch "
        "retrieves photos. Written by dfbench, a benchmark "
        "of data-free sketch-based image retrieval.",
        _use(card),
    ]
    if card.measured is not None:
        parts.append(_scores(card.measured))
    parts.append(_facts(card))
    return "\n\n".join(parts) + "\n"


def _front_matter(card: Card) -> str:
    content: dict[str, Any] = {
        "library_name": "dfbench",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["sketch-based-image-retrieval", "data-free-learning", card.encoders.method],
    }
    if card.encoders.representation:
        content["representation"] = card.encoders.representation
    if card.data_licence is not None:
        content |= {"license": "other", "license_name": card.data_licence}
    if card.measured is not None:
        content["model-index"] = [_index(card.encoders.label, card.measured)]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items()]
    return "\n".join(["---", *lines, "---"])


def _index(label: str, measured: Measured) -> dict[str, Any]:
    """The scores as the hub reads them."""
    return {
        "name": label,
        "results": [
            {
                "task": {"type": "image-retrieval", "name": "sketch-based image retrieval"},
                "dataset": {
                    "type": measured.dataset,
                    "name": f"{measured.dataset} ({measured.scenario})",
                },
                "metrics": [
                    {"type": name, "name": name, "value": score.value}
                    for name, score in measured.metrics.items()
                ],
            }
        ],
    }


def _use(card: Card) -> str:
    size, similarity = card.encoders.image_size, card.encoders.similarity
    return f"""## Use

```python
import dfbench
from PIL import Image

model = dfbench.load("FOLDER")
photos = model.encode_photos([Image.open("photo.jpg")])
sketches = model.encode_sketches([Image.open("sketch.png")])
nearest = model.rank(sketches, photos, k=1)
```

Images are resized to {size} x {size} pixels; sketches are dark strokes on white. Embeddings are \
compared by `{similarity}` similarity."""


def _scores(measured: Measured) -> str:
    lines = [
        "## Scores",
        "",
        f"On `{measured.dataset}`, scenario `{measured.scenario}`, {measured.queries} sketches "
        f"against {measured.gallery} photos of {len(measured.classes)} classes; a random order has "
        f"map@all {measured.chance:.3f}.",
        "",
        "| metric | value | 95 % interval | definition |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {score.value:.3f} | {score.low:.3f} to {score.high:.3f} | "
            f"{measured.definitions[name].formula} |"
            for name, score in measured.metrics.items()
        ),
    ]
    return "\n".join(lines)


def _facts(card: Card) -> str:
    return "\n".join(["## Origin", "", *(f"- {fact}" for fact in _origins(card))])


def _origins(card: Card) -> Iterator[str]:
    encoders, measured = card.encoders, card.measured
    yield f"method: `{encoders.method}`, seed {encoders.seed}, run `{encoders.fit_id}`"
    if encoders.representation:
        yield f"representation: `{encoders.representation}`, not the method's main embeddings"
    if measured is not None:
        accuracies = (f"{m} {share:.3f}" for m, share in measured.teachers.items())
        yield f"plugin: {measured.plugin}; numerics: {measured.numerics}"
        yield f"accuracy of the teachers: {', '.join(accuracies)}"
        yield f"inputs besides two teachers: {', '.join(measured.needs) or 'none'}"
    known = [encoders.classes[modality] for modality in MODALITIES]
    if known[0] == known[1]:
        yield f"classes known to both teachers: {', '.join(known[0])}"
    else:
        for modality, classes in zip(MODALITIES, known, strict=True):
            yield f"classes known to the {modality} teacher: {', '.join(classes)}"
    yield f"licence of the images: {card.data_licence or 'not stated'}"
