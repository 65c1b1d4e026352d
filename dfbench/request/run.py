"""What a user asks of one run, before anything is looked up: every option, declared once.

The command line, suite files and `dfbench.run` take names, bounds, defaults and help from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
)

from dfbench.datasets.split import HoldoutName
from dfbench.defaults import data_root_or_configured
from dfbench.errors import (
    LARGEST_IMAGE,
    LARGEST_SEED,
    MOST_THREADS,
    InvalidConfig,
    InvalidInput,
    unknown_name,
)
from dfbench.hookspecs import NO_IMAGES
from dfbench.modality import MODALITIES, Modality
from dfbench.plugins.sources import PluginSources
from dfbench.request.limits import Limits
from dfbench.request.option import Option, OptionModel, declared, refusals
from dfbench.request.places import AbsolutePath, Places
from dfbench.request.settings import Settings
from dfbench.request.values import (
    Label,
    Location,
    Names,
    SettingPairs,
    Switch,
    Text,
    Texts,
    Whole,
    Word,
)
from dfbench.scenarios.scenario import CLOSED, FORMS, canonical
from dfbench.system.files import absolute

Precision = Literal["fp32", "bf16"]
"""Precision of backbones and estimators in a fit; everything else is always float32."""
Device = Literal["auto", "cpu", "cuda"]
StrPath = str | os.PathLike[str]

_Model = TypeVar("_Model", bound=BaseModel)


class DataOptions(OptionModel):
    """Which images of a dataset are used, and how."""

    classes: Annotated[
        tuple[str, ...] | None,
        Option(
            Names(),
            "Benchmark classes, separated by commas (a name with a comma in double quotes), or "
            "all.",
        ),
    ] = None
    alternative_classes: Annotated[
        tuple[str, ...] | None,
        Option(Names(), "Spare classes of the dataset, separated by commas."),
    ] = None
    alternative: Annotated[
        str | None, Option(Text(), "Dataset that provides alternative classes.", metavar="D")
    ] = None
    image_size: Annotated[
        int | None,
        Option(
            Whole(16, LARGEST_IMAGE),
            "Height and width in pixels; default: what the dataset or the teachers' network uses.",
            metavar="PX",
        ),
    ] = None
    holdout: Annotated[
        HoldoutName | None,
        Option(
            Word(get_args(HoldoutName)),
            "Test images: a fifth of photos and sketches (fifth, the default), the published "
            "number of sketches per class and every photo (literature), or all images (all, the "
            "default of folder:PATH with external teachers).",
        ),
    ] = None
    duplicate_photos: Annotated[
        bool, Option(Switch(), "Count Sketchy's photos twice, as SAKE's lists do.")
    ] = False
    skip_unreadable: Annotated[
        bool, Option(Switch(), "Leave out images that cannot be decoded.")
    ] = False


class DataChoice(DataOptions):
    """A dataset with the user's options for it."""

    name: Annotated[
        str,
        Option(
            Text(),
            "NAME, or folder:PATH for your own images. With --photo-teacher and --sketch-teacher "
            "it is only a test set and may be left out: encoders are then fitted but not scored.",
            name="dataset",
            metavar="D",
        ),
    ]
    base: AbsolutePath = Field(default_factory=lambda: absolute(Path()))
    """The folder that a relative PATH starts from."""
    root: Annotated[
        AbsolutePath | None,
        Option(
            Location(),
            "Folder of published datasets, in any of the usual layouts; default: "
            'data-root = "PATH" in dfbench/config.toml of the user\'s configuration folder.',
            name="data_root",
            metavar="PATH",
            environment="DFBENCH_DATA",
        ),
    ] = None

    @property
    def kind(self) -> str:
        """The dataset's registered name: the part before the colon."""
        return self.name.partition(":")[0]


class ExternalOptions(OptionModel):
    """External teachers; without them the dataset provides both, or they are trained."""

    photo_teacher: Annotated[
        str | None,
        Option(
            Text(),
            "A pre-trained teacher: a file that `dfbench teachers import` wrote, or the beginning "
            "of an identity (dfbench teachers list).",
            metavar="T",
        ),
    ] = None
    sketch_teacher: Annotated[
        str | None, Option(Text(), "The same for sketches; give both or neither.", metavar="T")
    ] = None
    train_teachers: Annotated[
        bool, Option(Switch(), "Train teachers even if the dataset provides official ones.")
    ] = False


class FitOptions(OptionModel):
    """How a fit computes; passed unchanged to its process."""

    precision: Annotated[
        Precision,
        Option(
            Word(get_args(Precision)),
            "Precision of backbones and estimators in a fit; teacher training, losses, embeddings "
            "and scores are always float32.",
        ),
    ] = "fp32"
    compile: Annotated[
        bool,
        Option(
            Switch(),
            "Compile the networks of a fit with torch.compile: minutes of start-up, then faster "
            "steps.",
        ),
    ] = False


class RerankOptions(OptionModel):
    """Second rankings of the same embeddings."""

    rerank: Annotated[
        tuple[str, ...],
        Option(
            Texts(),
            "Also score a re-ranking of the gallery, which uses all its photos at once: NAME or "
            "NAME:KEY=VALUE,... (see: dfbench list rerankers). May be repeated; a finished run is "
            "not fitted again.",
            metavar="NAME",
        ),
    ] = ()


class MachineOptions(OptionModel):
    """The devices and threads that a run uses."""

    device: Annotated[Device, Option(Word(get_args(Device)), "Device on which networks run.")] = (
        "auto"
    )
    threads: Annotated[
        int | None,
        Option(Whole(1, MOST_THREADS), "CPU threads; default: all cores.", metavar="N"),
    ] = None
    devices: Annotated[
        int,
        Option(
            Whole(1, MOST_THREADS),
            "Number of GPUs of one machine that share a fit; with --device cpu, of processes.",
            metavar="N",
        ),
    ] = 1


class RunRequest(ExternalOptions, FitOptions, RerankOptions, MachineOptions):
    """One method on one dataset with one seed."""

    method: Annotated[
        str, Option(Label(), "A method or variant: NAME or NAME[VARIANT].", metavar="M")
    ] = ""
    """Empty where only teachers are asked for."""
    data: DataChoice
    settings: Annotated[
        Settings,
        Option(
            SettingPairs(),
            "A setting of the method, of the shared budget (budget.steps=300) or of the teachers "
            "(teachers.initialisation=random). See: dfbench describe M.",
            metavar="KEY=VALUE",
            flag="--set",
        ),
    ] = Field(default_factory=lambda: Settings({}))
    scenario: Annotated[
        str,
        AfterValidator(canonical),
        Option(
            Text(),
            "Which classes the teachers know: "
            + ", ".join(f"{form} ({known})" for form, known in FORMS.items())
            + ".",
            metavar="S",
        ),
    ] = CLOSED
    seed: Annotated[
        int,
        Option(
            Whole(0, LARGEST_SEED),
            "Seed of the teachers, the class split and the fit.",
            metavar="N",
        ),
    ] = 0
    plugins: PluginSources = Field(default_factory=PluginSources)
    places: Places

    @property
    def teachers(self) -> dict[Modality, str]:
        """The external teachers that were named, by modality."""
        named: dict[Modality, str | None] = {
            "photo": self.photo_teacher,
            "sketch": self.sketch_teacher,
        }
        return {modality: name for modality, name in named.items() if name is not None}

    @property
    def configured_method(self) -> str:
        """The method with the settings given for it, e.g. `crossx[bn] (alignment=0)`."""
        given = ", ".join(f"{key}={value}" for key, value in self.settings.method.items())
        return f"{self.method} ({given})" if given else self.method


class RunOptions(TypedDict, total=False):
    """The keywords of `dfbench.run`, for editors and type checkers; the models decide."""

    seed: int
    scenario: str
    settings: Mapping[str, Any]
    classes: Iterable[str] | None
    alternative_classes: Iterable[str] | None
    alternative: str | None
    image_size: int | None
    holdout: HoldoutName | None
    duplicate_photos: bool
    skip_unreadable: bool
    data_root: StrPath | None
    photo_teacher: StrPath | None
    sketch_teacher: StrPath | None
    train_teachers: bool
    device: Device
    threads: int | None
    devices: int
    precision: Precision
    compile: bool
    rerank: Iterable[str]
    timeout: float | str | None
    rerank_timeout: float | str
    memory_limit: float | None
    checkpoint_seconds: float
    results: StrPath
    runs: StrPath
    cache: StrPath | None
    log_dir: StrPath | None


def read_options(
    options: Mapping[str, Any], plugins: PluginSources, base: Path | None = None
) -> tuple[RunRequest, Limits]:
    """The request and the limits that options describe, by the names that users know.

    Relative paths of data, teachers and weights begin in `base`, by default the current folder.
    Raises `UnknownName` for an option that there is not, `InvalidInput` for a wrong value.
    """
    known = declared(DataChoice, RunRequest, Limits, Places)
    for key in options:
        if key not in known:
            raise unknown_name("option", key, known, "dfbench run --help")
    base = absolute(base or Path())
    dataset = options.get("dataset")
    external = any(options.get(f"{modality}_teacher") is not None for modality in MODALITIES)
    if "method" in options and options["method"] is None:
        raise InvalidConfig(f"no --method; allowed: {Label.allowed} (see: dfbench list methods)")
    if dataset is None and not external:
        raise InvalidConfig(
            "no --dataset; allowed: --dataset NAME, or without test images --photo-teacher T "
            "--sketch-teacher T (see: dfbench list datasets)"
        )
    named = {**options, "dataset": NO_IMAGES if dataset is None else dataset}
    data = _read(DataChoice, named, base=base)
    request = _read(
        RunRequest,
        named,
        data=data.model_copy(update={"root": data_root_or_configured(data.root)}),
        plugins=plugins,
        places=_read(Places, named),
    )
    files = {
        f"{modality}_teacher": str(base / Path(name).expanduser())
        for modality, name in request.teachers.items()
        if (base / Path(name).expanduser()).is_file()
    }
    settings = request.settings.from_folder(base)
    request = request.model_copy(update={**files, "settings": settings})
    return request, _read(Limits, named)


def _read(model: type[_Model], options: Mapping[str, Any], **more: Any) -> _Model:
    """A model with the options that it declares. Raises `InvalidInput` for a wrong value."""
    keys = {one.field: key for key, one in declared(model).items()}
    given = {field: options[key] for field, key in keys.items() if key in options}
    try:
        return model.model_validate({**more, **given})
    except ValidationError as fault:
        place, sentence = next(refusals(fault, model))
        field = str(place[0])
        raise InvalidInput(f"{keys.get(field, field)} is {sentence}") from fault
