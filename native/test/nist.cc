#include "nist.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

namespace adjoint::test {

bool readNist(const std::string& file, NistSet& set) {
  std::ifstream stream(file);
  if (!stream) return false;
  const std::regex parameter(R"(^\s*b\d+ =\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$)");
  const std::regex sum(R"(^Residual Sum of Squares:\s+(\S+)\s*$)");
  std::string line;
  int data = 0;
  while (std::getline(stream, line)) {
    std::smatch match;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.rfind("Data:", 0) == 0) {
      ++data;  // the first time it describes the columns, the second it heads them
    } else if (data >= 2) {
      std::istringstream numbers(line);
      std::vector<double> row;
      for (double value = 0; numbers >> value;) row.push_back(value);
      if (!row.empty()) set.rows.push_back(row);
    } else if (std::regex_match(line, match, parameter)) {
      set.start[0].push_back(std::stod(match[1]));
      set.start[1].push_back(std::stod(match[2]));
      set.parameters.push_back(std::stod(match[3]));
      set.deviations.push_back(std::stod(match[4]));
    } else if (std::regex_match(line, match, sum)) {
      set.residualSumOfSquares = std::stod(match[1]);
    }
  }
  // Some copies of Roszman1 have a misprint in b1; this is what NIST certifies.
  if (file.find("Roszman1") != std::string::npos) set.parameters[0] = 2.0196866396e-01;
  return !set.rows.empty();
}

std::string ownNistFolder() { return std::string(ADJOINT_ROOT) + "/test/data/nist/"; }

double digits(double value, double certified) {
  if (value == certified) return 11;
  return std::clamp(-std::log10(std::abs(value - certified) / std::abs(certified)), 0.0, 11.0);
}

}  // namespace adjoint::test
