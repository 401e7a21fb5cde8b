"""Measure ways to remove haze side by side: quality against the truth, harm to clear pictures, trust, speed.

Whatever takes a picture and gives one can be measured. The numbers of different methods may be compared
because they come from one run over the same pictures.
"""

from clairvoy.evaluation.measure import evaluate
from clairvoy.evaluation.pairs import Pair, match_pairs
from clairvoy.evaluation.restorers import Restored, Restorer, standard_restorers, with_dehazer
from clairvoy.evaluation.scores import Estimate, Evaluation, MethodScores, rank_correlation

__all__ = [
    "Estimate",
    "Evaluation",
    "MethodScores",
    "Pair",
    "Restored",
    "Restorer",
    "evaluate",
    "match_pairs",
    "rank_correlation",
    "standard_restorers",
    "with_dehazer",
]
