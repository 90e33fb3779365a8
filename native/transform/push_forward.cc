#include "transform/rules.h"

namespace adjoint {

using namespace ex;

namespace {

Masked pushElementwise(const RuleSite& site, const std::vector<Masked>& dx) {
  const Partials partials = partialsOf(site);
  MaskedSum total;
  for (std::size_t i = 0; i < dx.size(); ++i) {
    if (dx[i].present()) total.add(scale(dx[i], site.row(), partials[i]));
  }
  return total.total();
}

Masked pushWhere(const RuleSite& site, const Masked& da, const Masked& db) {
  const Expr c = site.x[0];
  if (!da.present() || !db.present()) {
    return da.present() ? restrict(da, c) : restrict(db, apply(Op::LogicalNot, {c}));
  }
  Masked result;
  result.value = apply(Op::Where, {c, da.value, db.value});
  result.clean = da.clean && db.clean;
  if (!da.always() || !db.always()) {
    const auto maskOf = [](const Masked& m) {
      return m.always() ? fullBool(m.value, true) : m.mask;
    };
    result.mask = apply(Op::Where, {c, maskOf(da), maskOf(db)});
    result.structural = (da.always() || da.structural) && (db.always() || db.structural);
  }
  return result;
}

Masked pushConcat(const RuleSite& site, const std::vector<Masked>& dx) {
  bool masked = false;
  bool structural = true;
  Masked result;
  for (const Masked& part : dx) {
    masked = masked || !part.present() || !part.always();
    structural = structural && (!part.present() || part.always() || part.structural);
    result.clean = result.clean && (!part.present() || part.clean);
  }
  std::vector<Expr> values;
  std::vector<Expr> masks;
  for (std::size_t i = 0; i < dx.size(); ++i) {
    const bool present = dx[i].present();
    values.push_back(present ? dx[i].value : full(site.x[i], 0));
    if (masked)
      masks.push_back(present && !dx[i].always() ? dx[i].mask : fullBool(site.x[i], present));
  }
  const std::int64_t axis = site.attrs()[0];
  result.value = concat(values, axis);
  if (masked) result.mask = concat(masks, axis);
  result.structural = masked && structural;
  return result;
}

Masked pushRecurrence(const RuleSite& site, const std::vector<Masked>& dx) {
  const std::int64_t axis = site.attrs()[0];
  const bool reverse = site.attrs()[1] != 0;
  // dy[i] = a[i] dy[i-1] + (da[i] y[i-1] + db[i])
  MaskedSum forcing;
  if (dx[0].present()) {
    Masked term = dx[0];
    term.value = term.value * previous(site.y, axis, reverse);
    term.clean = term.always();
    forcing.add(term);
  }
  forcing.add(dx[1]);
  return {linearRecurrence(site.x[0], settle(forcing.total()), axis, reverse), {}, true, false};
}

}  // namespace

Masked pushForward(const RuleSite& site, const std::vector<Masked>& dx) {
  switch (opOf(site.node)) {
    case Op::Where:
      return pushWhere(site, dx[1], dx[2]);
    case Op::Reshape:
      return moved(dx[0], [&](Expr v) { return reshape(v, site.shape()); });
    case Op::Transpose:
      return moved(dx[0], [&](Expr v) { return transpose(v, site.attrs()); });
    case Op::BroadcastTo:
      return moved(dx[0], [&](Expr v) { return broadcastTo(v, site.shape()); });
    case Op::Slice:
      return moved(dx[0], [&](Expr v) { return slice(v, rangesOf(site)); });
    case Op::Flip:
      return moved(dx[0], [&](Expr v) { return flip(v, site.attrs()); });
    case Op::Gather:
      return moved(dx[0], [&](Expr v) { return gather(v, site.x[1], site.attrs()[0]); });
    case Op::Place:
      return placed(dx[0], rangesOf(site));
    case Op::Concat:
      return pushConcat(site, dx);
    case Op::ScatterSum:
      return summed(dx[1], [&](Expr v) {
        return scatterSum(site.x[0], v, site.attrs()[0], site.attrs()[1]);
      });
    case Op::Sum:
      return summed(dx[0], [&](Expr v) { return sum(v, site.attrs()); });
    case Op::CumSum:
      return summed(dx[0],
                    [&](Expr v) { return cumsum(v, site.attrs()[0], site.attrs()[1] != 0); });
    case Op::ReduceMax:
    case Op::ReduceMin: {
      const Extremes extremes = extremesOf(site);
      const Masked chosen = restrict(dx[0], extremes.chosen);
      return {sum(settle(chosen) * extremes.share, site.attrs()), {}, true, false};
    }
    case Op::LinearRecurrence:
      return pushRecurrence(site, dx);
    case Op::BatchMatMul: {
      const auto columns = static_cast<std::int64_t>(site.shape().size()) - 1;
      MaskedSum total;
      if (dx[0].present())
        total.add(mixed(dx[0], batchMatmul(settle(dx[0]), site.x[1]), {columns}));
      if (dx[1].present())
        total.add(mixed(dx[1], batchMatmul(site.x[0], settle(dx[1])), {columns - 1}));
      return total.total();
    }
    default:
      return pushElementwise(site, dx);
  }
}

}  // namespace adjoint
