#pragma once

namespace adjoint {

/// P(|T| > |t|) for Student's t with `freedom` > 0 degrees of freedom: the two-sided p value.
double studentTwoSided(double t, double freedom);

/// The t that leaves P(|T| > t) = p, 0 < p < 1.
double studentQuantile(double p, double freedom);

}  // namespace adjoint
