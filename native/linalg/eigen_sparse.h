#pragma once

// Eigen's sparse matrices and their factorizations, included here only.

#include "linalg/eigen.h"
// After the dense ones.
#include <Eigen/OrderingMethods>
#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>
