#pragma once

#include "binding/values.h"
#include "sparsity/assembly.h"

namespace adjoint::binding {

/// A pattern as fields of a result: rows, columns, rowIndex, columnIndex.
inline void setPattern(napi_env env, napi_value result, const SparsePattern& pattern) {
  setField(env, result, "rows", makeNumber(env, static_cast<double>(pattern.rows)));
  setField(env, result, "columns", makeNumber(env, static_cast<double>(pattern.columns)));
  setField(env, result, "rowIndex", makeInt32s(env, pattern.rowIndex));
  setField(env, result, "columnIndex", makeInt32s(env, pattern.columnIndex));
}

}  // namespace adjoint::binding
