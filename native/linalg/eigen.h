#pragma once

// Eigen, included here only. g++ 12 takes the undefined registers that AVX-512 intrinsics start
// from for variables that someone forgot to set (its bug 105593), and says so where they are
// inlined: the diagnosis is off for the rest of the file that includes this.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/QR>
#include <Eigen/SVD>
