"""Prints coefficients of the cores in native/ops/math: python3 native/tools/minimax.py exp|expm1|log|sin|cos

Lawson's algorithm: least squares whose weights are multiplied by the error until that is level, in
200 bits. Some coefficients are fixed: those that are exact, and the leading one, which is rounded to
a double first, so that the others make up for it. Needs mpmath.
"""

import sys
from mpmath import atanh, cos, exp, expm1, log, lu_solve, matrix, mp, mpf, nstr, pi, sin, sqrt

mp.prec = 200


def fit(f, weight, lo, hi, fixed, powers, points=160, rounds=60):
    """Coefficients by power, with the least largest |f(x) - polynomial(x)| weight(x)."""
    xs = [(lo + hi) / 2 + (hi - lo) / 2 * cos(pi * (i + mpf(1) / 2) / points) for i in range(points)]
    unit = hi
    rest = [(f(x) - sum(c * x**k for k, c in fixed.items())) * weight(x) for x in xs]
    basis = [[(x / unit) ** k * weight(x) for k in powers] for x in xs]
    level, best = [mpf(1)] * points, None
    n = len(powers)
    for _ in range(rounds):
        a, b = matrix(n, n), matrix(n, 1)
        for row, r, w in zip(basis, rest, level):
            for i in range(n):
                b[i] += w * row[i] * r
                for j in range(n):
                    a[i, j] += w * row[i] * row[j]
        c = lu_solve(a, b)
        errors = [abs(r - sum(c[i] * row[i] for i in range(n))) for row, r in zip(basis, rest)]
        if best is None or max(errors) < best[0]:
            best = max(errors), {k: c[i] / unit**k for i, k in enumerate(powers)}
        total = sum(w * e for w, e in zip(level, errors))
        level = [w * e / total for w, e in zip(level, errors)]
    return {**fixed, **{k: mpf(float(c)) for k, c in best[1].items()}}


def report(f, weight, lo, hi, coefficients):
    value = lambda x: sum(c * x**k for k, c in coefficients.items())
    xs = [lo + (hi - lo) * i / 3000 for i in range(3001)]
    worst = max(abs(f(x) - value(x)) * weight(x) for x in xs if x)
    print(f"largest error 2^{nstr(log(worst, 2), 4)}")
    for k, c in coefficients.items():
        print(f"  {k:2}  {float(c).hex()}")


def printExp():
    """e^r, relative; |r| <= ln(2)/2 and what the rounding to whole multiples adds."""
    h = log(mpf(2)) / 2 * (1 + mpf(2) ** -20)
    fixed = {0: mpf(1), 1: mpf(1), 2: mpf(float.fromhex("0x1.0000000000008p-1"))}
    weight = lambda x: exp(-x)
    report(exp, weight, -h, h, fit(exp, weight, -h, h, fixed, range(3, 12)))


def printExpm1():
    """e^r - 1, relative; where r may be near 0."""
    h = log(mpf(2)) / 2 * (1 + mpf(2) ** -20)
    fixed = {1: mpf(1), 2: mpf(1) / 2}
    weight = lambda x: 1 / abs(expm1(x))
    report(expm1, weight, -h, h, fit(expm1, weight, -h, h, fixed, range(3, 13)))


def printLog():
    """R(z) = 2 atanh(s)/s - 2, z = s^2, relative to 2; s of the numbers from 89/128 to 89/64."""
    high = (mpf(39) / 217) ** 2 * (1 + mpf(2) ** -20)
    f = lambda z: 2 * atanh(sqrt(z)) / sqrt(z) - 2
    weight = lambda z: mpf(1) / 2
    report(f, weight, mpf(0), high, fit(f, weight, mpf(0), high, {}, range(1, 8)))


def printSin():
    """sin(r) / r by z = r^2, relative; |r| <= pi / 4 and what the rounding to whole multiples adds."""
    high = (pi / 4 * (1 + mpf(2) ** -15)) ** 2
    f = lambda z: sin(sqrt(z)) / sqrt(z)
    weight = lambda z: 1 / f(z)
    report(f, weight, mpf(0), high, fit(f, weight, mpf(0), high, {0: mpf(1)}, range(1, 7)))


def printCos():
    """cos(r) by z = r^2, relative."""
    high = (pi / 4 * (1 + mpf(2) ** -15)) ** 2
    f = lambda z: cos(sqrt(z))
    weight = lambda z: 1 / f(z)
    fixed = {0: mpf(1), 1: mpf(-1) / 2}
    report(f, weight, mpf(0), high, fit(f, weight, mpf(0), high, fixed, range(2, 8)))


{"exp": printExp, "expm1": printExpm1, "log": printLog, "sin": printSin, "cos": printCos}[sys.argv[1]]()
