// ceres-solver FILE CAMERAS POINTS OBSERVATIONS: bundle adjustment by Ceres, on one thread, from
// the numbers in FILE (cameras, points, weights and features; functions/instances.h has the model),
// by each of its sparse solvers. A line for each: name, iterations, cost, seconds before the first
// iteration, seconds of all iterations.
#include <ceres/ceres.h>

#include <cstdio>
#include <fstream>
#include <vector>

#include "functions/instances.h"

namespace bench {

template <class T, int N>
struct Plain<ceres::Jet<T, N>> {
  static double of(const ceres::Jet<T, N>& x) { return x.a; }
};

namespace {

struct Reprojection {
  const Observations* all;
  long i;

  template <class T>
  bool operator()(const T* camera, const T* point, T* out) const {
    T x[Observations::kInputs];
    std::copy_n(camera, 11, x);
    std::copy_n(point, 3, x + 11);
    x[14] = T(all->weights[i]);
    (*all)(x, all->features + 2 * i, out);
    return true;
  }
};

void solve(const std::vector<long>& sizes, std::vector<double> numbers,
           ceres::LinearSolverType solver) {
  const Observations all(sizes, numbers);
  ceres::Problem problem;
  double* const cameras = numbers.data();
  double* const points = cameras + 11 * all.n;
  for (long i = 0; i < all.count; i++) {
    problem.AddResidualBlock(
        new ceres::AutoDiffCostFunction<Reprojection, 2, 11, 3>(new Reprojection{&all, i}), nullptr,
        cameras + (i % all.n) * 11, points + (i % all.m) * 3);
  }
  ceres::Solver::Options options;
  options.linear_solver_type = solver;
  options.num_threads = 1;
  options.max_num_iterations = 100;
  options.function_tolerance = 1e-9;
  options.gradient_tolerance = 1e-30;
  options.parameter_tolerance = 1e-12;
  options.logging_type = ceres::SILENT;
  ceres::Solver::Summary summary;
  ceres::Solve(options, &problem, &summary);
  std::printf("%s %zu %.17g %.6g %.6g\n", ceres::LinearSolverTypeToString(solver),
              summary.iterations.size() - 1, summary.final_cost,
              summary.preprocessor_time_in_seconds, summary.minimizer_time_in_seconds);
}

}  // namespace
}  // namespace bench

int main(int count, char** arguments) {
  if (count != 5) return 2;
  std::vector<long> sizes;
  for (int i = 2; i < 5; i++) sizes.push_back(std::stol(arguments[i]));
  std::ifstream file(arguments[1], std::ios::binary);
  std::vector<double> numbers(11 * sizes[0] + 3 * sizes[1] + 3 * sizes[2]);
  if (!file.read(reinterpret_cast<char*>(numbers.data()),
                 static_cast<std::streamsize>(numbers.size() * sizeof(double))))
    return 1;
  std::printf("Ceres %s\n", CERES_VERSION_STRING);
  bench::solve(sizes, numbers, ceres::SPARSE_NORMAL_CHOLESKY);
  bench::solve(sizes, numbers, ceres::SPARSE_SCHUR);
}
