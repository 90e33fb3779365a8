#include "solve/levenberg_marquardt.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace adjoint {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
/// Below it, numbers have fewer digits.
constexpr double kSmallest = std::numeric_limits<double>::min() / kEpsilon;
/// Rows folded into R at a time: with a few columns a block stays in the second-level cache.
constexpr std::int64_t kBlockRows = 1024;
/// Times the norm of its column, the largest that a scale stays.
constexpr double kScaleLimit = 1e4;
/// The trust region's edge is met to this fraction.
constexpr double kEdge = 0.1;
constexpr int kMaxPolish = 30;

bool allFinite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

double normOf(const Eigen::Ref<const Eigen::VectorXd>& v) {
  const double norm = v.norm();
  if (std::isfinite(norm) && norm > 0) return norm;
  return v.allFinite() ? v.stableNorm() : kInfinity;
}

const char* stopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::Running:
      return "running";
    case StopReason::Converged:
      return "converged";
    case StopReason::ExactFit:
      return "exact-fit";
    case StopReason::Stalled:
      return "stalled";
    case StopReason::MaxIterations:
      return "max-iterations";
    case StopReason::NonFinite:
      return "non-finite";
    case StopReason::Canceled:
      return "canceled";
    case StopReason::Failed:
      return "failed";
  }
  return "";
}

Eigen::VectorXd columnNorms(const double* j, std::int64_t m, std::int64_t n) {
  const Eigen::Map<const Eigen::MatrixXd> jacobian(j, m, n);
  Eigen::VectorXd norms(n);
  for (std::int64_t k = 0; k < n; ++k) norms[k] = normOf(jacobian.col(k));
  return norms;
}

Eigen::MatrixXd foldRows(const double* j, const double* r, std::int64_t m,
                         const Eigen::VectorXd& scale, double unit) {
  const std::int64_t n = scale.size();
  const Eigen::Map<const Eigen::MatrixXd> jacobian(j, m, n);
  const Eigen::Map<const Eigen::VectorXd> residual(r, m);
  const Eigen::RowVectorXd inverse = scale.cwiseInverse().transpose();

  // [R Q^T r] of the rows so far sits on top of the next block.
  Eigen::MatrixXd folded(0, n + 1);
  const std::int64_t step = std::max(kBlockRows, 2 * n);
  for (std::int64_t first = 0; first < m; first += step) {
    const std::int64_t rows = std::min(step, m - first);
    Eigen::MatrixXd block(folded.rows() + rows, n + 1);
    block.topRows(folded.rows()) = folded;
    block.bottomLeftCorner(rows, n) =
        (jacobian.middleRows(first, rows).array().rowwise() * inverse.array()).matrix();
    block.bottomRightCorner(rows, 1) = residual.segment(first, rows) / unit;
    if (block.rows() > n + 1) {
      const Eigen::HouseholderQR<Eigen::Ref<Eigen::MatrixXd>> inPlace(block);
      folded = block.topRows(n + 1).triangularView<Eigen::Upper>();
    } else {
      folded = std::move(block);
    }
  }
  return folded;
}

ScaledFactor factorScaled(const double* j, const double* r, std::int64_t m,
                          const Eigen::VectorXd& scale) {
  const std::int64_t n = scale.size();
  // A power of two, which rounds nothing: reflections square what they get.
  const double norm = normOf(Eigen::Map<const Eigen::VectorXd>(r, m));
  const double unit = norm > 0 && std::isfinite(norm) ? std::ldexp(1, std::ilogb(norm)) : 1;
  const Eigen::MatrixXd folded = foldRows(j, r, m, scale, unit);
  const Eigen::JacobiSVD<Eigen::MatrixXd, Eigen::ColPivHouseholderQRPreconditioner> svd(
      folded.leftCols(n), Eigen::ComputeThinU | Eigen::ComputeThinV);
  ScaledFactor factor;
  factor.scale = scale;
  factor.v = svd.matrixV();
  factor.singular = svd.singularValues();
  factor.rotated = svd.matrixU().transpose() * folded.col(n) * unit;
  return factor;
}

LevenbergMarquardt::LevenbergMarquardt(ResidualProblem& problem, const double* start,
                                       TrustRegionOptions options)
    : problem_(problem),
      options_(options),
      m_(problem.residuals()),
      n_(problem.parameters()),
      p_(Eigen::Map<const Eigen::VectorXd>(start, n_)),
      r_(m_),
      trialR_(m_),
      j_(static_cast<std::size_t>(m_ * n_)),
      trialJ_(static_cast<std::size_t>(m_ * n_)) {}

bool LevenbergMarquardt::fail(const RunStatus& status) {
  if (status.ok) return false;
  failure_ = status;
  reason_ = status.code == ErrorCode::Abort ? StopReason::Canceled : StopReason::Failed;
  return true;
}

double LevenbergMarquardt::evaluate(const Eigen::VectorXd& q) {
  ++evaluations_;
  if (fail(problem_.residual(q.data(), trialR_.data()))) return kInfinity;
  return normOf(trialR_);
}

bool LevenbergMarquardt::differentiate(const Eigen::VectorXd& q) {
  return !fail(problem_.jacobian(q.data(), trialJ_.data())) && allFinite(trialJ_);
}

void LevenbergMarquardt::refactor() {
  // Scales only grow (Moré): a column that vanishes for a moment does not let its parameter run
  // away. Up to a limit: one that was huge at the start would hold its parameter for good.
  const Eigen::VectorXd norms = columnNorms(j_.data(), m_, n_);
  Eigen::VectorXd scale = factor_.scale;
  if (scale.size() == 0) scale = (norms.array() > 0).select(norms, 1);
  for (std::int64_t k = 0; k < n_; ++k) {
    if (norms[k] > 0) scale[k] = std::clamp(scale[k], norms[k], kScaleLimit * norms[k]);
  }
  factor_ = factorScaled(j_.data(), r_.data(), m_, scale);
  cosine_ = 0;
  const Eigen::Map<const Eigen::MatrixXd> jacobian(j_.data(), m_, n_);
  for (std::int64_t k = 0; k < n_ && norm_ > 0; ++k) {
    if (norms[k] == 0) continue;
    cosine_ = std::max(cosine_, std::abs((jacobian.col(k) / norms[k]).dot(r_ / norm_)));
  }
}

void LevenbergMarquardt::accept(const Eigen::VectorXd& q, double norm) {
  p_ = q;
  norm_ = norm;
  r_.swap(trialR_);
  j_.swap(trialJ_);
  refactor();
}

bool LevenbergMarquardt::begin() {
  begun_ = true;
  const double norm = evaluate(p_);
  if (reason_ != StopReason::Running) return false;
  if (!std::isfinite(norm) || !differentiate(p_)) {
    if (reason_ == StopReason::Running) reason_ = StopReason::NonFinite;
    return false;
  }
  accept(Eigen::VectorXd(p_), norm);
  const double size = normOf(factor_.scale.cwiseProduct(p_));
  radius_ = options_.initialStep * (size > 0 ? size : 1);
  return true;
}

bool LevenbergMarquardt::stopped(RunControl* control) {
  if (reason_ == StopReason::Running && control != nullptr &&
      (control->cancel.load(std::memory_order_relaxed) ||
       std::chrono::steady_clock::now() > control->deadline)) {
    reason_ = StopReason::Canceled;
  }
  return reason_ != StopReason::Running;
}

Eigen::VectorXd LevenbergMarquardt::dampedStep(double damping) const {
  const Eigen::VectorXd& s = factor_.singular;
  const double smallest = kRankTolerance * s[0];
  Eigen::VectorXd step(s.size());
  for (Eigen::Index i = 0; i < s.size(); ++i) {
    const double square = s[i] * s[i] + damping;
    step[i] = s[i] > smallest && square > 0 ? -s[i] * factor_.rotated[i] / square : 0;
  }
  return step;
}

// |step(damping)| = radius by Newton's method on 1/|step| - 1/radius, which is nearly linear in the
// damping.
LevenbergMarquardt::Trial LevenbergMarquardt::trial(double radius) const {
  const Eigen::VectorXd& s = factor_.singular;
  double damping = 0;
  Eigen::VectorXd step = dampedStep(damping);
  double length = normOf(step);
  double low = 0;
  double high = normOf(s.cwiseProduct(factor_.rotated)) / radius;
  for (int i = 0; i < 60 && !(length <= (1 + kEdge) * radius); ++i) {
    // d|step|/d(damping) = -sum step_i^2 / (s_i^2 + damping) / |step|
    double slope = 0;
    for (Eigen::Index k = 0; k < s.size(); ++k) {
      if (step[k] != 0) slope += (step[k] / length) * (step[k] / length) / (s[k] * s[k] + damping);
    }
    low = damping;
    double next = damping + (length / radius - 1) / slope;
    if (!(next > low && next <= high))
      next = std::max(1e-3 * high, std::sqrt(low) * std::sqrt(high));
    damping = next;
    step = dampedStep(damping);
    length = normOf(step);
    // The iteration comes from the left and does not pass the root but by rounding or a reset.
    if (length < (1 - kEdge) * radius) {
      high = damping;
      while (length < (1 - kEdge) * radius && high - low > kEpsilon * high) {
        damping = 0.5 * (low + high);
        step = dampedStep(damping);
        length = normOf(step);
        (length > radius ? low : high) = damping;
      }
      break;
    }
  }
  Trial found;
  found.damping = damping;
  const double linear = normOf(s.cwiseProduct(step)) / norm_;
  const double damped = std::sqrt(damping) * length / norm_;
  found.predicted = linear * linear + 2 * damped * damped;
  found.step = factor_.v * step;
  return found;
}

void LevenbergMarquardt::conclude(bool still) {
  // J p is about as large as what is fitted: residuals below its rounding errors are noise. So are
  // those without a full set of digits, where zeros are fitted.
  const double size = normOf(columnNorms(j_.data(), m_, n_).cwiseProduct(p_));
  if (norm_ <= std::max(64 * kEpsilon * size, kSmallest)) {
    reason_ = StopReason::ExactFit;
  } else {
    reason_ = still || cosine_ < 1e-4 ? StopReason::Converged : StopReason::Stalled;
  }
}

void LevenbergMarquardt::iterate(RunControl* control) {
  const double tolerance = std::max(options_.tolerance, 4 * kEpsilon);
  ++iterations_;
  if (control != nullptr) control->stepsDone.fetch_add(1, std::memory_order_relaxed);
  if (norm_ == 0 || cosine_ <= kEpsilon) return conclude(true);
  while (!stopped(control)) {
    const Trial t = trial(radius_);
    const double length = normOf(t.step);
    const Eigen::VectorXd change = t.step.cwiseQuotient(factor_.scale);
    const Eigen::VectorXd q = p_ + change;
    if (iterations_ == 1) radius_ = std::min(radius_, std::max(length, kEpsilon));
    if (q == p_) return conclude(false);
    const double norm = q.allFinite() ? evaluate(q) : kInfinity;
    if (reason_ != StopReason::Running) return;
    const double fraction = norm / norm_;
    const double actual = fraction < 10 ? (1 - fraction) * (1 + fraction) : -1;
    const double ratio = t.predicted > 0 ? actual / t.predicted : 0;
    const bool good = ratio >= 1e-4 && differentiate(q);
    if (reason_ != StopReason::Running) return;

    const double size = normOf(factor_.scale.cwiseProduct(p_));
    const bool still = std::abs(actual) <= tolerance && t.predicted <= tolerance && ratio <= 2;
    if (good) {
      if (ratio >= 0.75 || t.damping == 0) {
        radius_ = ratio >= 0.25 ? std::max(radius_, 2 * length) : radius_;
      }
      if (ratio < 0.25) radius_ = 0.5 * std::min(radius_, length);
      accept(q, norm);
    } else {
      // Where the residuals are finite, the parabola through what is known; else a large cut.
      double cut = 0.25;
      if (std::isfinite(norm) && fraction < 10) {
        const double damped = t.damping * (length / norm_) * (length / norm_);
        const double slope = damped - t.predicted;
        cut = std::clamp(0.5 * slope / (slope + 0.5 * actual), 0.1, 0.5);
      }
      radius_ = cut * std::min(radius_, 10 * length);
    }
    if (still || radius_ <= tolerance * size) return conclude(still);
    if (good) return;
  }
}

// Gauss-Newton steps while they bring the gradient down: near the minimum the sum of squares has no
// more digits to tell points apart, the gradient has.
void LevenbergMarquardt::polish(RunControl* control) {
  for (int i = 0; i < kMaxPolish && norm_ > 0 && cosine_ > 0; ++i) {
    if (control != nullptr && control->cancel.load(std::memory_order_relaxed)) return;
    const Eigen::VectorXd step = (factor_.v * dampedStep(0)).cwiseQuotient(factor_.scale);
    const Eigen::VectorXd q = p_ + step;
    if (q == p_ || !q.allFinite()) return;
    const double norm = evaluate(q);
    if (reason_ != StopReason::Converged || !(norm <= norm_ * (1 + 1e-12))) break;
    if (!differentiate(q)) break;
    const double before = cosine_;
    const ScaledFactor factor = factor_;
    const Eigen::VectorXd p = p_;
    const double oldNorm = norm_;
    accept(q, norm);
    if (cosine_ > 0.9 * before) {
      // No better: back to where it was (accept() swapped the buffers).
      p_ = p;
      norm_ = oldNorm;
      r_.swap(trialR_);
      j_.swap(trialJ_);
      factor_ = factor;
      cosine_ = before;
      break;
    }
  }
  reason_ = StopReason::Converged;
}

StopReason LevenbergMarquardt::run(std::int64_t iterations, RunControl* control) {
  if (!begun_ && !stopped(control)) begin();
  for (std::int64_t i = 0; i < iterations && !stopped(control); ++i) {
    if (iterations_ >= options_.maxIterations) {
      reason_ = StopReason::MaxIterations;
      break;
    }
    iterate(control);
    if (reason_ == StopReason::Converged) polish(control);
  }
  return reason_;
}

}  // namespace adjoint
