"""What `clairvoy evaluate` measured, as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from clairvoy import __version__
from clairvoy.apps.html_page import figures, html_page, table

if TYPE_CHECKING:
    from clairvoy.evaluation import Evaluation
    from clairvoy.evaluation.recognition import Recognition
    from clairvoy.evaluation.trust import Trust

MEASURES = {
    "psnr_db": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "lpips": ("LPIPS", 3),
    "niqe": ("NIQE", 2),
}
"""Of `scores.MEASURES`: the name for people, and digits."""
RECOGNISED = {
    "auroc": "area under the ROC curve",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "hazy photographs restored",
    "specificity": "clear photographs left alone",
}
_INTERVALS = "<p>In brackets: 95 % bootstrap intervals.</p>"


def haze_page(found: Evaluation, settings: Mapping[str, Any]) -> str:
    """Methods beside one another: quality, harm, trust and speed."""
    told = found.to_dict()
    methods = told["methods"]
    quality = [
        [escape(name), *(_interval(one[measure], digits) for measure, (_, digits) in MEASURES.items())]
        for name, one in methods.items()
    ]
    harm = [
        [
            escape(name),
            _number(one["harm"]["median_db"], 1),
            _number(one["harm"]["p5_db"], 1),
            f"{one['harm']['unchanged']} of {one['harm']['n']}",
            _number(one["seconds_per_mpx"], 3),
        ]
        for name, one in methods.items()
    ]
    trust = [
        [escape(name), _number(one["trust"]["rank_correlation"], 3), _number(one["trust"]["mae_db"], 2)]
        for name, one in methods.items()
        if one["trust"]
    ]
    parts = []
    if told["pairs"]:
        parts += [
            f"<p>{told['pairs']} pairs of {told['scenes']} scenes. PSNR and SSIM: more is better. "
            "LPIPS and NIQE: less is.</p>",
            table("Quality", ["method", *(label for label, _ in MEASURES.values())], quality),
            _INTERVALS,
        ]
    parts += [
        "<h2>Harm to clear photographs, and speed</h2>",
        f"<p>{told['clear_photos']} photographs without haze: PSNR of what was made of each against itself.</p>",
        table(
            "Harm and speed",
            ["method", "median, dB", "5 %, dB", "no pixel changed", "seconds per megapixel"],
            harm,
        ),
    ]
    if trust:
        parts += [
            "<h2>Can the confidence be trusted?</h2>",
            table(
                "Trust", ["method", "rank correlation with the PSNR", "error of the expected PSNR, dB"], trust
            ),
        ]
    return html_page("Removal of haze", [*parts, _settings(settings)], told)


def recognition_page(found: Recognition, settings: Mapping[str, Any]) -> str:
    """How well hazy and clear photographs were told apart, and which were treated wrongly."""
    told = found.to_dict()
    rows = [
        [label, f"{told[name]['value']:.3f}", "[{:.3f}, {:.3f}]".format(*told[name]["interval"])]
        for name, label in RECOGNISED.items()
    ]
    wrong = [[escape(str(path)), label.strip(), f"{p:.3f}"] for p, path, label in found.misjudged()]
    parts = [
        f"<p>{len(found.hazy)} hazy and {len(found.clear)} clear photographs, by their labels.</p>",
        table("Recognition", ["measure", "value", "interval"], rows),
        _INTERVALS,
        "<h2>Treated against their label</h2>",
        table("Misjudged", ["photograph", "label", "probability of haze"], wrong, left=[1])
        if wrong
        else "<p>None.</p>",
    ]
    return html_page("Recognition of haze", [*parts, _settings(settings)], told)


def trust_page(found: Trust, settings: Mapping[str, Any]) -> str:
    """How far the confidence agreed with the truth."""
    whole = found.predicted
    rows = [
        ["rank correlation of the confidence with the true PSNR", _number(whole.rank_correlation, 3)],
        ["mean absolute error of the expected PSNR", f"{whole.mae_db:.2f} dB"],
        ["expected calibration error", _number(found.calibration_error, 3)],
        ["map: rank correlation within a hazy picture", _number(found.map_rank_correlation, 3)],
        ["map: rank correlation over all cells", _number(found.pooled_map_rank_correlation, 3)],
    ]
    without = [
        [escape(name), _number(one.rank_correlation, 3), f"{one.mae_db:.2f}"]
        for name, one in found.ablations.items()
    ]
    parts = [
        f"<p>{whole.n} pictures, true PSNR {found.mean_db:.2f} dB on average.</p>",
        table("Confidence", ["measure", "value"], rows),
        "<h2>Without a sign</h2><p>Fitted anew on half of the pictures, measured on the others.</p>",
        table("Ablations", ["without", "rank correlation", "error, dB"], without),
    ]
    return html_page("Trust in the confidence", [*parts, _settings(settings)], found.to_dict())


def _interval(told: Mapping[str, Any], digits: int) -> str:
    if not told["n"]:
        return "none"
    low, high = _number(told["low"], digits), _number(told["high"], digits)
    return f"{_number(told['mean'], digits)} [{low}, {high}]"


def _number(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def _settings(settings: Mapping[str, Any]) -> str:
    told: dict[str, Any] = {"version": __version__}
    for name, value in settings.items():
        told[name] = (
            ", ".join(map(str, value))
            if isinstance(value, Sequence) and not isinstance(value, str)
            else value
        )
    return f"<section><h2>Settings</h2>{figures(told)}</section>"
