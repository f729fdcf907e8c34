"""Reads cases as JSON lines, writes for each what scipy and statsmodels find, as a list of numbers or nulls."""

import json
import sys
import warnings

import numpy as np
from scipy import optimize, stats
from statsmodels.stats import contingency_tables, inter_rater, multitest, proportion

warnings.filterwarnings("ignore")


def interval(method):
    return lambda case: list(proportion.proportion_confint(case["k"], case["n"], method=method))


def mcnemar(case):
    table = [[0, case["a"]], [case["b"], 0]]
    return [contingency_tables.mcnemar(table, exact=True).pvalue]


def kappa(case):
    found = inter_rater.cohens_kappa(np.array(case["table"]))
    return [found.kappa, found.kappa_low, min(found.kappa_upp, 1.0)]


def fleiss(case):
    table, _ = inter_rater.aggregate_raters(np.array(case["units"]))
    return [inter_rater.fleiss_kappa(table)]


def alpha(case):
    """Krippendorff's alpha from the coincidence matrix, as in his 2011 paper."""
    units = [[r for r in unit if r is not None] for unit in case["units"]]
    units = [unit for unit in units if len(unit) > 1]
    classes = sorted({r for unit in units for r in unit})
    matrix = np.zeros((len(classes), len(classes)))
    for unit in units:
        for i, a in enumerate(unit):
            for j, b in enumerate(unit):
                if i != j:
                    matrix[classes.index(a), classes.index(b)] += 1 / (len(unit) - 1)
    total = matrix.sum()
    margins = matrix.sum(axis=0)
    observed = total - np.trace(matrix)
    expected = (total**2 - (margins**2).sum()) / (total - 1)
    return [1 - observed / expected]


def adjusted(method):
    return lambda case: list(multitest.multipletests(case["p"], method=method)[1])


def bca(case):
    found = stats.bootstrap((np.array(case["values"]),), np.mean, n_resamples=20000, method="BCa",
                            rng=np.random.default_rng(1))
    return [found.confidence_interval.low, found.confidence_interval.high]


def bradley_terry(case):
    """Each player also ties once with one of average strength, as ours do."""
    players = case["players"]

    def loss(strength):
        sum_ = 0.0
        for a, b, score in case["games"]:
            gap = strength[a] - strength[b]
            sum_ += score * np.log1p(np.exp(-gap)) + (1 - score) * np.log1p(np.exp(gap))
        for one in strength:
            sum_ += 0.5 * np.log1p(np.exp(-one)) + 0.5 * np.log1p(np.exp(one))
        return sum_

    found = optimize.minimize(loss, np.zeros(players), method="BFGS", options={"gtol": 1e-9}).x
    return list(1000 + 400 / np.log(10) * (found - found.mean()))


KINDS = {
    "wilson": interval("wilson"),
    "clopper_pearson": interval("beta"),
    "mcnemar": mcnemar,
    "kappa": kappa,
    "fleiss": fleiss,
    "alpha": alpha,
    "holm": adjusted("holm"),
    "bh": adjusted("fdr_bh"),
    "tau": lambda case: [stats.kendalltau(case["x"], case["y"]).statistic],
    "percentile": lambda case: [float(np.quantile(case["x"], case["share"]))],
    "t": lambda case: list(stats.t.interval(0.95, len(case["x"]) - 1, np.mean(case["x"]), stats.sem(case["x"]))),
    "bca": bca,
    "bradley_terry": bradley_terry,
}

for line in sys.stdin:
    case = json.loads(line)
    found = [float(value) for value in KINDS[case["kind"]](case)]
    print(json.dumps([None if np.isnan(value) else value for value in found]))
