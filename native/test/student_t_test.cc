#include "solve/student_t.h"

#include <gtest/gtest.h>

#include <cmath>

namespace adjoint {
namespace {

struct Row {
  double freedom, t, p;
};

// P(|T| > t) to 15 digits, from an independent implementation.
constexpr Row kRows[] = {
    {1.0, 2.0, 0.2951672353008665},      {2.5, 0.1, 0.9278065440624897},
    {12.0, 3.0, 0.01106669568603369},    {38.0, 2.02439416391197, 0.04999999999999998},
    {1000.0, 1.5, 0.1339300388220863},   {9999.0, 4.0, 6.379871456258758e-05},
    {20000.0, 2.0, 0.04551376195849993}, {100000000.0, 5.0, 5.733041101267264e-07},
};

TEST(StudentT, GivesTheTabulatedProbabilities) {
  for (const auto& [freedom, t, p] : kRows) {
    EXPECT_NEAR(studentTwoSided(t, freedom) / p, 1, 2e-12) << freedom << " " << t;
    EXPECT_EQ(studentTwoSided(-t, freedom), studentTwoSided(t, freedom));
  }
}

TEST(StudentT, HasClosedFormsForOneAndTwoDegrees) {
  for (const double t : {1e-6, 0.3, 1.0, 7.0, 1e4}) {
    EXPECT_NEAR(studentTwoSided(t, 1), 2 / M_PI * std::atan2(1, t), 1e-14);
    EXPECT_NEAR(studentTwoSided(t, 2), 1 - t / std::sqrt(t * t + 2), 1e-14);
  }
}

TEST(StudentT, InvertsItself) {
  for (const double freedom : {1.0, 2.0, 7.5, 30.0, 1e3, 1e5, 1e9}) {
    for (const double p : {0.9, 0.5, 0.1, 0.05, 1e-3, 1e-8}) {
      EXPECT_NEAR(studentTwoSided(studentQuantile(p, freedom), freedom) / p, 1, 1e-11)
          << freedom << " " << p;
    }
  }
}

TEST(StudentT, KnowsItsLimits) {
  EXPECT_EQ(studentTwoSided(0, 5), 1);
  EXPECT_EQ(studentTwoSided(INFINITY, 5), 0);
  EXPECT_TRUE(std::isnan(studentTwoSided(1, 0)));
  EXPECT_TRUE(std::isnan(studentTwoSided(NAN, 5)));
  EXPECT_TRUE(std::isnan(studentQuantile(0, 5)));
  EXPECT_TRUE(std::isnan(studentQuantile(0.05, 0)));
}

}  // namespace
}  // namespace adjoint
