#include "solve/damped_least_squares.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace adjoint {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kSmallest = std::numeric_limits<double>::min() / kEpsilon;
/// Times the norm of its column, the largest that a scale stays.
constexpr double kScaleLimit = 1e4;
constexpr double kMostDamping = 1e30;
/// A predicted decrease up to this is judged by the gradient: the cost has no digits left for it.
constexpr double kNear = 1e-11;
/// By which the norm may then grow, and what the gradient has to fall to.
constexpr double kNoise = 1e-12;
constexpr double kProgress = 0.9;
/// Where the gradient counts as small when a step was short for its damping.
constexpr double kLooseCosine = 1e-4;

// The norm of the elements' products; 0, of which nothing is a small part, when it overflows.
double normOfProduct(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  const double norm = a.cwiseProduct(b).norm();
  if (std::isfinite(norm) && norm > 0) return norm;
  const double careful = normOf(a.cwiseProduct(b));
  return std::isfinite(careful) ? careful : 0;
}

}  // namespace

DampedLeastSquares::DampedLeastSquares(ResidualProblem& problem, DampedSystem& system,
                                       const double* start, DampingOptions options)
    : problem_(problem),
      system_(system),
      options_(options),
      x_(Eigen::Map<const Eigen::VectorXd>(start, problem.parameters())),
      r_(problem.residuals()),
      trialR_(problem.residuals()),
      j_(static_cast<std::size_t>(system.elements())) {}

bool DampedLeastSquares::fail(const RunStatus& status) {
  if (status.ok) return false;
  failure_ = status;
  end_ = status.code == ErrorCode::Abort ? LeastSquaresEnd::Canceled : LeastSquaresEnd::Failed;
  return true;
}

double DampedLeastSquares::evaluate() {
  ++evaluations_;
  if (fail(problem_.residual(trialX_.data(), trialR_.data()))) return kInfinity;
  return normOf(trialR_);
}

bool DampedLeastSquares::differentiate(const Eigen::VectorXd& x) {
  if (fail(problem_.jacobian(x.data(), j_.data()))) return false;
  if (!std::all_of(j_.begin(), j_.end(), [](double v) { return std::isfinite(v); })) return false;
  system_.columnNorms(j_.data(), trialNorms_);
  return trialNorms_.allFinite();
}

void DampedLeastSquares::accept(double norm) {
  x_.swap(trialX_);
  r_.swap(trialR_);
  norms_.swap(trialNorms_);
  trialNorm_ = norm_;
  norm_ = norm;
  rescale();
}

// The point before the one accepted last. For the end: the Jacobian is not restored.
void DampedLeastSquares::restore() {
  x_.swap(trialX_);
  r_.swap(trialR_);
  norms_.swap(trialNorms_);
  norm_ = trialNorm_;
}

void DampedLeastSquares::rescale() {
  // Scales only grow (J. J. Moré, 1978): a column that vanishes for a moment does not let its
  // variable run away. Up to a limit: one that was huge at the start would hold it for good.
  if (scale_.size() == 0) scale_ = (norms_.array() > 0).select(norms_, 1);
  for (Eigen::Index k = 0; k < norms_.size(); ++k) {
    if (norms_[k] > 0) scale_[k] = std::clamp(scale_[k], norms_[k], kScaleLimit * norms_[k]);
  }
  unit_ = r_;
  if (norm_ > 0) unit_ /= norm_;
  system_.assign(j_.data(), scale_, unit_, gradient_);
  cosine_ = 0;
  for (Eigen::Index k = 0; k < norms_.size(); ++k) {
    if (norms_[k] > 0) {
      cosine_ = std::max(cosine_, std::abs(gradient_[k]) * (scale_[k] / norms_[k]));
    }
  }
}

bool DampedLeastSquares::begin() {
  begun_ = true;
  trialX_ = x_;
  const double norm = evaluate();
  if (end_ != LeastSquaresEnd::Running) return false;
  if (!std::isfinite(norm) || !differentiate(x_)) {
    r_.swap(trialR_);
    norm_ = norm;
    if (end_ == LeastSquaresEnd::Running) end_ = LeastSquaresEnd::NotFinite;
    return false;
  }
  accept(norm);
  return true;
}

bool DampedLeastSquares::stopped(RunControl* control) {
  if (end_ == LeastSquaresEnd::Running && control != nullptr &&
      (control->cancel.load(std::memory_order_relaxed) ||
       std::chrono::steady_clock::now() > control->deadline)) {
    end_ = LeastSquaresEnd::Canceled;
  }
  return end_ != LeastSquaresEnd::Running;
}

// J x is about as large as what is fitted: residuals below its rounding errors are noise.
bool DampedLeastSquares::isZero() const {
  const double size = normOfProduct(norms_, x_);
  return norm_ <= std::max(8 * kEpsilon * size, kSmallest);
}

// Where the damping made the step short, that says nothing of the minimum.
void DampedLeastSquares::conclude(LeastSquaresEnd well) {
  const bool isDamped = damping_ > 1 && cosine_ > kLooseCosine;
  end_ = isZero() ? LeastSquaresEnd::Zero : isDamped ? LeastSquaresEnd::Stalled : well;
}

void DampedLeastSquares::dampSingular() {
  damping_ = std::max(10 * damping_, 1e-13);
  leastDamping_ = damping_;
  if (damping_ > kMostDamping) end_ = LeastSquaresEnd::Singular;
}

void DampedLeastSquares::iterate(RunControl* control) {
  if (norm_ == 0) return conclude(LeastSquaresEnd::Zero);
  if (cosine_ <= std::max(options_.gradientTolerance, kEpsilon)) {
    return conclude(LeastSquaresEnd::Gradient);
  }
  if (iterations_ >= options_.maxIterations) {
    end_ = LeastSquaresEnd::MaxIterations;
    return;
  }
  ++iterations_;
  if (control != nullptr) control->stepsDone.fetch_add(1, std::memory_order_relaxed);
  while (!stopped(control)) {
    if (!system_.solve(damping_, step_)) {
      dampSingular();
      continue;
    }
    const double length = normOf(step_);
    // Of the squared norm, relative: by the damped equations 1 - |A s + b|^2 is this.
    const double predicted = damping_ * length * length - gradient_.dot(step_);
    trialX_ = x_ + norm_ * step_.cwiseQuotient(scale_);
    const bool isShort = norm_ * length <= options_.stepTolerance * normOfProduct(scale_, x_) ||
                         trialX_ == x_ || damping_ > kMostDamping;
    const double norm = trialX_.allFinite() ? evaluate() : kInfinity;
    if (end_ != LeastSquaresEnd::Running) return;
    const double fraction = norm / norm_;
    const double actual = fraction < 10 ? (1 - fraction) * (1 + fraction) : -1;
    const double ratio = predicted > 0 ? actual / predicted : 0;
    const bool isNear = predicted <= kNear && fraction <= 1 + kNoise;
    const double tolerance = options_.costTolerance;
    const bool isStill = std::abs(actual) <= tolerance && predicted <= tolerance && ratio <= 2;
    const double before = cosine_;
    const bool isGood = (ratio >= 1e-4 || isNear) && differentiate(trialX_);
    if (end_ != LeastSquaresEnd::Running) return;
    if (isGood) {
      accept(norm);
      const double cubed = std::pow(2 * ratio - 1, 3);
      damping_ *= isNear ? 1.0 / 3 : std::clamp(1 - cubed, 1.0 / 3, 2.0);
      damping_ = std::max(damping_, leastDamping_);
      growth_ = 2;
      if (isNear && cosine_ > before) {
        restore();
        cosine_ = before;
      }
      if (isStill || (isNear && cosine_ > kProgress * before))
        return conclude(LeastSquaresEnd::Cost);
      if (isShort) return conclude(LeastSquaresEnd::Step);
      return;
    }
    damping_ *= growth_;
    growth_ *= 2;
    if (isStill || isShort) {
      return conclude(isStill ? LeastSquaresEnd::Cost : LeastSquaresEnd::Step);
    }
  }
}

LeastSquaresEnd DampedLeastSquares::run(std::int64_t iterations, RunControl* control) {
  if (!begun_ && !stopped(control)) begin();
  for (std::int64_t i = 0; i < iterations && !stopped(control); ++i) iterate(control);
  return end_;
}

}  // namespace adjoint
