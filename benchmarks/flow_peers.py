"""Other makers' classifiers on the same encoded flows; scikit-learn and imbalanced-learn are needed for these alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

Floats = NDArray[np.float64]
Peer = Callable[[Floats, NDArray[np.int64], Floats, list[str], int, int], Floats]
"""From rows, classes, rows to judge, the field of each column, number of classes, seed: probabilities (n, C)."""


def whole(found: NDArray[np.int64], probability: Floats, number: int) -> Floats:
    """Probabilities of all classes, those that were not learnt at 0."""
    every = np.zeros((len(probability), number))
    every[:, found] = probability
    return every


def forest(
    x: Floats, y: NDArray[np.int64], asked: Floats, fields: list[str], number: int, seed: int
) -> Floats:
    model = RandomForestClassifier(100, random_state=seed).fit(x, y)
    return whole(model.classes_, model.predict_proba(asked), number)


def forest_and_smote(
    x: Floats, y: NDArray[np.int64], asked: Floats, fields: list[str], number: int, seed: int
) -> Floats:
    rarest = int(np.bincount(y)[np.unique(y)].min())
    more = SMOTE(random_state=seed, k_neighbors=max(1, min(5, rarest - 1))).fit_resample(x, y)
    return forest(*more, asked, fields, number, seed)


def boosting(
    x: Floats, y: NDArray[np.int64], asked: Floats, fields: list[str], number: int, seed: int
) -> Floats:
    model = HistGradientBoostingClassifier(random_state=seed).fit(x, y)
    return whole(model.classes_, model.predict_proba(asked), number)


def tree_of_five(
    x: Floats, y: NDArray[np.int64], asked: Floats, fields: list[str], number: int, seed: int
) -> Floats:
    """A tree on the five fields that a forest finds most important."""
    importance: dict[str, float] = {}
    for name, value in zip(
        fields, RandomForestClassifier(30, random_state=seed).fit(x, y).feature_importances_, strict=True
    ):
        importance[name] = importance.get(name, 0.0) + float(value)
    five = sorted(importance, key=lambda name: -importance[name])[:5]
    columns = [place for place, name in enumerate(fields) if name in five]
    model = DecisionTreeClassifier(random_state=seed).fit(x[:, columns], y)
    return whole(model.classes_, model.predict_proba(asked[:, columns]), number)


def balanced_perceptron(
    x: Floats, y: NDArray[np.int64], asked: Floats, fields: list[str], number: int, seed: int
) -> Floats:
    """Two hidden layers of 128, Adam, batches of 256 with the same number of each class, 2,000 updates."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(x.shape[1], 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, number)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    rng, rows = np.random.default_rng(seed), torch.tensor(x, dtype=torch.float32)
    places = [np.flatnonzero(y == c) for c in np.unique(y)]
    for _ in range(2000):
        drawn = np.concatenate([rng.choice(place, 256 // len(places)) for place in places])
        loss = F.cross_entropy(net(rows[drawn]), torch.tensor(y[drawn]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        told: Floats = net(torch.tensor(asked, dtype=torch.float32)).softmax(1).double().numpy()
    return told


PEERS: dict[str, Peer] = {
    "random forest": forest,
    "random forest, SMOTE": forest_and_smote,
    "HistGradientBoosting": boosting,
    "MLP, balanced batches": balanced_perceptron,
    "tree on five fields": tree_of_five,
}
