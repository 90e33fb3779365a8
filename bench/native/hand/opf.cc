// Optimal power flow in polar coordinates: the Jacobian of the constraints and the Hessian of the
// Lagrangian, which bench/problems/opf.ts defines.
// Sizes: buses, generators, branches, limited branches, places, values, coefficients of a cost.
// Inputs: va, vm [buses], pg [generators]; the cost's factor; weights of the balances of active and
// of reactive power [buses], of limits at `from` and at `to` [limited]; branches [branches][19] and
// shunts [buses][2], see bench/problems/opf-by-hand.ts; costs [generators][coefficients], the
// constant first; places, see bench/problems/opf-places.ts.
// Derivative: the values of compressed rows; of the Hessian those of the lower triangle.
//
// One sine and one cosine for every branch, whose values are added where they belong: the places
// are known beforehand, as they are to a solver that has its structure once.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "hand/hand.h"

namespace bench::hand {
namespace {

constexpr long kColumns = 19;

/** A square of apparent power, A v^4 + B v^2 w^2 + v^3 w (C cos d + D sin d). */
struct Square {
  double a, b, c, d;
};

struct Branch {
  std::int32_t from, to, limit;
  double ff[2], ft[2], tf[2], tt[2];
  Square atFrom, atTo;
};

struct Network {
  long buses, generators, branches, limited;
  const double *va, *vm, *pg, *cost, *active, *reactive, *limitsFrom, *limitsTo;
  std::vector<Branch> table;
  const double* shunts;
  long coefficients;
  const double* costs;
  std::vector<std::int32_t> places;

  Network(Sizes sizes, const double* next)
      : buses(sizes[0]), generators(sizes[1]), branches(sizes[2]), limited(sizes[3]) {
    const auto take = [&](long count) {
      const double* taken = next;
      next += count;
      return taken;
    };
    va = take(buses);
    vm = take(buses);
    pg = take(generators);
    cost = take(1);
    active = take(buses);
    reactive = take(buses);
    limitsFrom = take(limited);
    limitsTo = take(limited);
    for (long i = 0; i < branches; i++) {
      const double* b = take(kColumns);
      table.push_back({static_cast<std::int32_t>(b[0]),
                       static_cast<std::int32_t>(b[1]),
                       static_cast<std::int32_t>(b[2]),
                       {b[3], b[4]},
                       {b[5], b[6]},
                       {b[7], b[8]},
                       {b[9], b[10]},
                       {b[11], b[12], b[13], b[14]},
                       {b[15], b[16], b[17], b[18]}});
    }
    shunts = take(2 * buses);
    coefficients = sizes[6];
    costs = take(generators * coefficients);
    for (long i = 0; i < sizes[4]; i++) places.push_back(static_cast<std::int32_t>(*take(1)));
  }
};

/** What a branch's values are made of. */
struct Ends {
  double vf, vt, v, cos, sin;

  Ends(const Network& net, const Branch& branch)
      : vf(net.vm[branch.from]), vt(net.vm[branch.to]), v(vf * vt) {
    const double d = net.va[branch.from] - net.va[branch.to];
    cos = std::cos(d);
    sin = std::sin(d);
  }
};

class OpfJacobian final : public DerivativeOnly {
 public:
  OpfJacobian(Sizes sizes, Numbers inputs) : DerivativeOnly(sizes[5]), net_(sizes, inputs.data()) {
    // The rows of balances come first, and limits after the last of them.
    for (long i = 0; i < net_.branches; i++) {
      for (int k = 0; k < 16; k++) balances_ = std::max(balances_, net_.places[26 * i + k] + 1);
    }
    for (long i = 26 * net_.branches; i < 26 * net_.branches + 2 * (net_.buses + net_.generators);
         i++) {
      balances_ = std::max(balances_, net_.places[i] + 1);
    }
  }

  void derivative() override {
    double* values = values_.data();
    std::fill_n(values, balances_, 0.0);
    const std::int32_t* at = net_.places.data();
    for (const Branch& branch : net_.table) {
      const auto [vf, vt, v, cos, sin] = Ends(net_, branch);
      const double e = branch.ft[0] * cos + branch.ft[1] * sin;
      const double de = branch.ft[1] * cos - branch.ft[0] * sin;
      const double g = branch.tf[0] * cos - branch.tf[1] * sin;
      const double dg = -branch.tf[0] * sin - branch.tf[1] * cos;
      values[at[0]] -= v * de;
      values[at[1]] += v * de;
      values[at[2]] -= 2 * branch.ff[0] * vf + vt * e;
      values[at[3]] -= vf * e;
      values[at[4]] -= v * e;
      values[at[5]] += v * e;
      values[at[6]] += 2 * branch.ff[1] * vf + vt * de;
      values[at[7]] += vf * de;
      values[at[8]] -= v * dg;
      values[at[9]] += v * dg;
      values[at[10]] -= vt * g;
      values[at[11]] -= 2 * branch.tt[0] * vt + vf * g;
      values[at[12]] += v * g;
      values[at[13]] -= v * g;
      values[at[14]] -= vt * dg;
      values[at[15]] += 2 * branch.tt[1] * vt - vf * dg;
      if (branch.limit >= 0) {
        limit(branch.atFrom, vf, vt, cos, sin, values, at[16], at[17], at[18], at[19]);
        limit(branch.atTo, vt, vf, cos, sin, values, at[20], at[21], at[23], at[22]);
      }
      values[at[24]] = 1;
      values[at[25]] = -1;
      at += 26;
    }
    for (long i = 0; i < net_.buses; i++, at += 2) {
      values[at[0]] -= 2 * net_.shunts[2 * i] * net_.vm[i];
      values[at[1]] += 2 * net_.shunts[2 * i + 1] * net_.vm[i];
    }
    for (const std::int32_t* end = net_.places.data() + net_.places.size(); at < end; at++) {
      values[*at] = 1;
    }
  }

 private:
  /** By the angles at `from` and at `to`, the own magnitude and the other. */
  static void limit(const Square& s, double v, double w, double cos, double sin, double* values,
                    int byFrom, int byTo, int byOwn, int byOther) {
    const double e = s.c * cos + s.d * sin;
    const double slope = v * v * v * w * (s.d * cos - s.c * sin);
    values[byFrom] = slope;
    values[byTo] = -slope;
    values[byOwn] = v * (v * (4 * s.a * v + 3 * w * e) + 2 * s.b * w * w);
    values[byOther] = v * v * (2 * s.b * w + v * e);
  }

  Network net_;
  std::int32_t balances_ = 0;
};

class OpfHessian final : public DerivativeOnly {
 public:
  OpfHessian(Sizes sizes, Numbers inputs) : DerivativeOnly(sizes[5]), net_(sizes, inputs.data()) {}

  void derivative() override {
    double* values = values_.data();
    std::fill(values_.begin(), values_.end(), 0.0);
    const std::int32_t* at = net_.places.data();
    for (const Branch& branch : net_.table) {
      const auto [vf, vt, v, cos, sin] = Ends(net_, branch);
      const double pf = net_.active[branch.from];
      const double qf = net_.reactive[branch.from];
      const double pt = net_.active[branch.to];
      const double qt = net_.reactive[branch.to];
      // Factors of cos d and sin d in what is bilinear in vf and vt.
      const double x =
          -pf * branch.ft[0] + qf * branch.ft[1] - pt * branch.tf[0] + qt * branch.tf[1];
      const double y =
          -pf * branch.ft[1] - qf * branch.ft[0] + pt * branch.tf[1] + qt * branch.tf[0];
      const double e = x * cos + y * sin;
      const double de = y * cos - x * sin;
      double ofAngles = -v * e;
      double byFrom = vt * de;
      double byTo = vf * de;
      double fromFrom = 2 * (qf * branch.ff[1] - pf * branch.ff[0]);
      double toTo = 2 * (qt * branch.tt[1] - pt * branch.tt[0]);
      double fromTo = e;
      if (branch.limit >= 0) {
        const double wf = net_.limitsFrom[branch.limit];
        const double wt = net_.limitsTo[branch.limit];
        const Square& s = branch.atFrom;
        const Square& t = branch.atTo;
        const double f = wf * (s.c * cos + s.d * sin);
        const double df = wf * (s.d * cos - s.c * sin);
        const double g = wt * (t.c * cos + t.d * sin);
        const double dg = wt * (t.d * cos - t.c * sin);
        const double b = 2 * (wf * s.b + wt * t.b);
        const double ff = vf * vf;
        const double tt = vt * vt;
        ofAngles -= v * (ff * f + tt * g);
        byFrom += vt * (3 * ff * df + tt * dg);
        byTo += vf * (ff * df + 3 * tt * dg);
        fromFrom += 12 * wf * s.a * ff + b * tt + 6 * v * f;
        toTo += 12 * wt * t.a * tt + b * ff + 6 * v * g;
        fromTo += 3 * (ff * f + tt * g) + 2 * b * v;
      }
      values[at[0]] += ofAngles;
      values[at[1]] += ofAngles;
      values[at[2]] -= ofAngles;
      values[at[3]] += byFrom;
      values[at[4]] -= byFrom;
      values[at[5]] += byTo;
      values[at[6]] -= byTo;
      values[at[7]] += fromFrom;
      values[at[8]] += toTo;
      values[at[9]] += fromTo;
      at += 10;
    }
    for (long i = 0; i < net_.buses; i++) {
      values[*at++] +=
          2 * (net_.reactive[i] * net_.shunts[2 * i + 1] - net_.active[i] * net_.shunts[2 * i]);
    }
    const std::int32_t* end = net_.places.data() + net_.places.size();
    for (long i = 0; at < end; i++) {
      const double* cost = net_.costs + i * net_.coefficients;
      double sum = 0;
      for (long k = net_.coefficients - 1; k >= 2; k--) {
        sum = sum * net_.pg[i] + static_cast<double>(k * (k - 1)) * cost[k];
      }
      values[*at++] = *net_.cost * sum;
    }
  }

 private:
  Network net_;
};

template <class Derivative>
std::unique_ptr<Problem> make(Sizes s, Numbers inputs) {
  expect(s.size() == 7 && static_cast<long>(inputs.size()) ==
                              6 * s[0] + s[1] * (1 + s[6]) + 1 + 2 * s[3] + kColumns * s[2] + s[4],
         "opf");
  return std::make_unique<Derivative>(s, inputs);
}

}  // namespace

std::unique_ptr<Problem> opfJacobian(Sizes sizes, Numbers inputs) {
  return make<OpfJacobian>(sizes, inputs);
}
std::unique_ptr<Problem> opfHessian(Sizes sizes, Numbers inputs) {
  return make<OpfHessian>(sizes, inputs);
}

}  // namespace bench::hand
