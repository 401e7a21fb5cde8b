"""Measure ways to remove haze side by side: quality against the truth, harm to clear pictures, trust, speed.

Whatever takes a picture and gives one can be measured. The numbers of different methods may be compared
because they come from one run over the same pictures.
"""

from clairvoy.evaluation.measure import evaluate
from clairvoy.evaluation.pairs import Pair, match_pairs
from clairvoy.evaluation.recognition import Recognition, area_under_roc, read_labels, recognise
from clairvoy.evaluation.reliability import expected_calibration_error
from clairvoy.evaluation.restorers import Restored, Restorer, standard_restorers, with_dehazer
from clairvoy.evaluation.scores import Estimate, Evaluation, MethodScores, rank_correlation

__all__ = [
    "Estimate",
    "Evaluation",
    "MethodScores",
    "Pair",
    "Recognition",
    "Restored",
    "Restorer",
    "area_under_roc",
    "evaluate",
    "expected_calibration_error",
    "match_pairs",
    "rank_correlation",
    "read_labels",
    "recognise",
    "standard_restorers",
    "with_dehazer",
]
