#pragma once

#include <string>
#include <vector>

namespace adjoint::test {

/// A data set of NIST's Statistical Reference Datasets for nonlinear regression.
struct NistSet {
  std::vector<double> start[2];
  std::vector<double> parameters, deviations;  ///< certified, 11 digits
  double residualSumOfSquares = 0;
  std::vector<std::vector<double>> rows;  ///< y, then the predictors
};

/// Reads one .dat file; false when it can not be opened.
bool readNist(const std::string& file, NistSet& set);

/// The folder of the certified sets that come with the tests.
std::string ownNistFolder();

/// Digits that agree: the logarithm of the relative error, at most 11, which is what is certified.
double digits(double value, double certified);

}  // namespace adjoint::test
