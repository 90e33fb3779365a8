// Values and derivatives by hand, in scalar C++: no intrinsics and no library, one thread. Loops
// are laid out so that the compiler can do what it does without being allowed to change the order
// of additions.
#pragma once

#include <memory>

#include "protocol/problem.h"

namespace bench::hand {

std::unique_ptr<Problem> rosenbrock(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> logsumexp(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> llsq(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> llsqEight(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> gmm(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> gmmSixteen(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> curvefit(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> kmeans(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> det(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> ba(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> baCameras(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> brusselator(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> chained(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> opfJacobian(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> opfHessian(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> ht(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> lstm(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> ode(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> odeScaled(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> pairs(Sizes sizes, Numbers inputs);
std::unique_ptr<Problem> burgers(Sizes sizes, Numbers inputs);

}  // namespace bench::hand
