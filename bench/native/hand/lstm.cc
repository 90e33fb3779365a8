// A long short-term memory whose weight matrices are diagonal, by ADBench: the mean loss of
// predicting each character of a sequence from those before it. Sizes: l (layers), c (characters),
// b (bits of a character). Inputs: main [l][2][4][b] (weights and biases of forget gate, input
// gate, output gate and change), extra [3][b] (weight in, weight out, bias out), state [l][2][b]
// (hidden, cell), sequence [c][b]. Derivative: by main and extra.
//
// The calls of the C library's exp and tanh are nearly all of the time, so that the gradient keeps
// what they gave, for every step and layer.
#include <algorithm>
#include <cmath>

#include "hand/hand.h"

namespace bench::hand {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/** Rows of a record: what a layer computes in a step, and what from. */
enum Row { kInput, kHidden, kCell, kForget, kIn, kOut, kChange, kTanhCell, kRows };
/** Rows of a layer's parameters, its biases after its weights. */
enum Gate { kForgetGate, kInGate, kOutGate, kChangeGate, kGates };

class Lstm final : public Problem {
 public:
  Lstm(long l, long c, long b, Numbers inputs)
      : l_(l),
        b_(b),
        steps_(c - 1),
        main_(inputs.data()),
        extra_(main_ + 2 * kGates * l * b),
        start_(extra_ + 3 * b),
        sequence_(start_ + 2 * l * b) {
    state_.resize(2 * l * b);
    records_.resize(steps_ * l * kRows * b);
    input_.resize(b);
    prediction_.resize(b);
    slopes_.resize(steps_ * b);
    gradient_.resize(2 * kGates * l * b + 3 * b);
    hiddenBar_.resize(l * b);
    cellBar_.resize(l * b);
    inputBar_.resize(b);
  }

  void primal() override {
    begin();
    double total = 0;
    for (long t = 0; t < steps_; t++) {
      const double* hidden = layers<false>(t);
      const double logSum = normalizer(hidden);
      for (long i = 0; i < b_; i++) total += sequence(t + 1)[i] * (prediction_[i] - logSum);
    }
    value_ = -total / static_cast<double>(steps_ * b_);
  }

  void derivative() override {
    forward();
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    std::fill(hiddenBar_.begin(), hiddenBar_.end(), 0.0);
    std::fill(cellBar_.begin(), cellBar_.end(), 0.0);
    double* extraBar = gradient_.data() + 2 * kGates * l_ * b_;
    for (long t = steps_ - 1; t >= 0; t--) {
      output(t, extraBar);
      for (long layer = l_ - 1; layer >= 0; layer--) {
        reverse(layer, record(t, layer));
        double* below = layer == 0 ? nullptr : hiddenBar_.data() + (layer - 1) * b_;
        for (long i = 0; i < b_; i++) {
          if (below) {
            below[i] += inputBar_[i];
          } else {
            extraBar[i] += inputBar_[i] * sequence(t)[i];
          }
        }
      }
    }
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  const double* sequence(long t) const { return sequence_ + t * b_; }
  double* record(long t, long layer) { return records_.data() + (t * l_ + layer) * kRows * b_; }
  const double* parameters(long layer) const { return main_ + 2 * kGates * layer * b_; }

  void begin() { std::copy(start_, start_ + 2 * l_ * b_, state_.begin()); }

  /** A step through all layers, which may be recorded. Gives the last one's hidden state. */
  template <bool kRecords>
  const double* layers(long t) {
    for (long i = 0; i < b_; i++) input_[i] = sequence(t)[i] * extra_[i];
    const double* input = input_.data();
    for (long layer = 0; layer < l_; layer++) {
      double* hidden = state_.data() + 2 * layer * b_;
      cell<kRecords>(parameters(layer), input, hidden, record(t, layer));
      input = hidden;
    }
    return input;
  }

  template <bool kRecords>
  void cell(const double* parameters, const double* __restrict__ input, double* __restrict__ hidden,
            double* __restrict__ record) const {
    const long b = b_;
    double* cell = hidden + b;
    const double* weight = parameters;
    const double* bias = parameters + kGates * b;
    for (long i = 0; i < b; i++) {
      const double forget =
          sigmoid(input[i] * weight[kForgetGate * b + i] + bias[kForgetGate * b + i]);
      const double in = sigmoid(hidden[i] * weight[kInGate * b + i] + bias[kInGate * b + i]);
      const double out = sigmoid(input[i] * weight[kOutGate * b + i] + bias[kOutGate * b + i]);
      const double change =
          std::tanh(hidden[i] * weight[kChangeGate * b + i] + bias[kChangeGate * b + i]);
      if constexpr (kRecords) {
        record[kInput * b + i] = input[i];
        record[kHidden * b + i] = hidden[i];
        record[kCell * b + i] = cell[i];
        record[kForget * b + i] = forget;
        record[kIn * b + i] = in;
        record[kOut * b + i] = out;
        record[kChange * b + i] = change;
      }
      cell[i] = cell[i] * forget + in * change;
      const double tanhCell = std::tanh(cell[i]);
      if constexpr (kRecords) record[kTanhCell * b + i] = tanhCell;
      hidden[i] = out * tanhCell;
    }
  }

  /** log(2 + sum(exp(prediction))); leaves the predictions. */
  double normalizer(const double* hidden) {
    double sum = 2;
    for (long i = 0; i < b_; i++) {
      prediction_[i] = hidden[i] * extra_[b_ + i] + extra_[2 * b_ + i];
      sum += std::exp(prediction_[i]);
    }
    return std::log(sum);
  }

  /** All steps with their records, and the slopes of the loss by the predictions. */
  void forward() {
    begin();
    const double count = static_cast<double>(steps_ * b_);
    double total = 0;
    for (long t = 0; t < steps_; t++) {
      const double* hidden = layers<true>(t);
      const double* next = sequence(t + 1);
      double* slopes = slopes_.data() + t * b_;
      double sum = 2;
      double gold = 0;
      for (long i = 0; i < b_; i++) {
        const double prediction = hidden[i] * extra_[b_ + i] + extra_[2 * b_ + i];
        sum += slopes[i] = std::exp(prediction);
        total += next[i] * prediction;
        gold += next[i];
      }
      total -= gold * std::log(sum);
      for (long i = 0; i < b_; i++) slopes[i] = (slopes[i] * (gold / sum) - next[i]) / count;
    }
    value_ = -total / count;
  }

  /** From the predictions of a step to the hidden state of the last layer. */
  void output(long t, double* extraBar) {
    const double* top = record(t, l_ - 1);
    const double* slopes = slopes_.data() + t * b_;
    double* __restrict__ bar = hiddenBar_.data() + (l_ - 1) * b_;
    for (long i = 0; i < b_; i++) {
      const double hidden = top[kOut * b_ + i] * top[kTanhCell * b_ + i];
      extraBar[b_ + i] += slopes[i] * hidden;
      extraBar[2 * b_ + i] += slopes[i];
      bar[i] += slopes[i] * extra_[b_ + i];
    }
  }

  /** From the hidden state and cell that a layer gave to those it was given, and to its input. */
  void reverse(long layer, const double* record) {
    const long b = b_;
    const double* weight = parameters(layer);
    double* __restrict__ weightBar = gradient_.data() + 2 * kGates * layer * b;
    double* __restrict__ biasBar = weightBar + kGates * b;
    double* __restrict__ hiddenBar = hiddenBar_.data() + layer * b;
    double* __restrict__ cellBar = cellBar_.data() + layer * b;
    double* __restrict__ inputBar = inputBar_.data();
    for (long i = 0; i < b; i++) {
      const double forget = record[kForget * b + i];
      const double in = record[kIn * b + i];
      const double out = record[kOut * b + i];
      const double change = record[kChange * b + i];
      const double tanhCell = record[kTanhCell * b + i];
      const double bar = cellBar[i] + hiddenBar[i] * out * (1 - tanhCell * tanhCell);
      const double outBar = hiddenBar[i] * tanhCell * out * (1 - out);
      const double forgetBar = bar * record[kCell * b + i] * forget * (1 - forget);
      const double inBar = bar * change * in * (1 - in);
      const double changeBar = bar * in * (1 - change * change);
      const double input = record[kInput * b + i];
      const double hidden = record[kHidden * b + i];
      weightBar[kForgetGate * b + i] += forgetBar * input;
      weightBar[kInGate * b + i] += inBar * hidden;
      weightBar[kOutGate * b + i] += outBar * input;
      weightBar[kChangeGate * b + i] += changeBar * hidden;
      biasBar[kForgetGate * b + i] += forgetBar;
      biasBar[kInGate * b + i] += inBar;
      biasBar[kOutGate * b + i] += outBar;
      biasBar[kChangeGate * b + i] += changeBar;
      inputBar[i] = forgetBar * weight[kForgetGate * b + i] + outBar * weight[kOutGate * b + i];
      hiddenBar[i] = inBar * weight[kInGate * b + i] + changeBar * weight[kChangeGate * b + i];
      cellBar[i] = bar * forget;
    }
  }

  long l_;
  long b_;
  long steps_;
  const double* main_;
  const double* extra_;
  const double* start_;
  const double* sequence_;
  double value_ = 0;
  std::vector<double> state_, records_, input_, prediction_, slopes_, gradient_;
  std::vector<double> hiddenBar_, cellBar_, inputBar_;
};

}  // namespace

std::unique_ptr<Problem> lstm(Sizes sizes, Numbers inputs) {
  bool fits = sizes.size() == 3;
  if (fits) {
    const long l = sizes[0];
    const long c = sizes[1];
    const long b = sizes[2];
    fits = l >= 1 && c >= 2 && b >= 1 &&
           static_cast<long>(inputs.size()) == (2 * kGates * l + 3 + 2 * l + c) * b;
  }
  expect(fits, "lstm");
  return std::make_unique<Lstm>(sizes[0], sizes[1], sizes[2], inputs);
}

}  // namespace bench::hand
