"""Which model "auto" takes, of those on this machine; `needs` decides what a photo needs."""

from dataclasses import replace
from pathlib import Path

from enhance.i18n import say
from enhance.models.catalogue import Kind, ModelSpec, models, weight_files
from enhance.models.files import WeightFile
from enhance.models.inventory import is_present
from enhance.options import Options


def required_weights(options: Options) -> dict[str, WeightFile]:
    """The downloadable weight files that these options need, by model name.

    For the restorer "auto", those of the best model.
    """
    restorer = models("restorer")[0].name if options.restorer == "auto" else options.restorer
    return weight_files([restorer, options.background, options.detector, options.masker])


def resolve(
    options: Options, device: str, explicit: Path | None = None
) -> tuple[Options, dict[str, str]]:
    """The options without "auto", and the reason for each choice that was not the best."""
    chosen: dict[str, str] = {}
    reasons: dict[str, str] = {}
    if options.restorer == "auto":
        best = _best("restorer", device, explicit)
        chosen["restorer"] = best.name
        if not isinstance(best.weights, WeightFile):
            reasons["restorer"] = say(
                "Faces were restored by the bundled model, because {name} has not been downloaded.",
                name=models("restorer")[0].label,
            )
    if options.fill == "auto":  # one of the models folder, if there is any
        chosen["fill"] = models("fill")[-1].name
    if options.background_weight == 0:  # nothing of the model would be seen
        chosen["background"] = "lanczos"
    elif options.background == "auto":
        chosen["background"] = _best("background", device, explicit).name
    return replace(options, **chosen), reasons  # type: ignore[arg-type]


def _best(kind: Kind, device: str, explicit: Path | None) -> ModelSpec:
    """The first model in the table that is present and that "auto" may choose on this device."""
    able = (model for model in models(kind) if device in model.auto)
    return next(model for model in able if is_present(model, explicit))
