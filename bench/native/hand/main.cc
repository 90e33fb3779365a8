#include "hand/hand.h"

int main() {
  using namespace bench;
  const char* compiler =
#ifdef __clang__
      "clang " __clang_version__;
#else
      "g++ " __VERSION__;
#endif
  return serve(compiler, {
                             {"rosenbrock", hand::rosenbrock},
                             {"logsumexp", hand::logsumexp},
                             {"llsq", hand::llsq},
                             {"llsq-eight", hand::llsqEight},
                             {"gmm", hand::gmm},
                             {"gmm-sixteen", hand::gmmSixteen},
                             {"curvefit", hand::curvefit},
                             {"kmeans", hand::kmeans},
                             {"det", hand::det},
                             {"ba", hand::ba},
                             {"ba-cameras", hand::baCameras},
                             {"brusselator", hand::brusselator},
                             {"chained", hand::chained},
                             {"opf-jacobian", hand::opfJacobian},
                             {"opf-hessian", hand::opfHessian},
                             {"ht", hand::ht},
                             {"lstm", hand::lstm},
                             {"ode", hand::ode},
                             {"ode-scaled", hand::odeScaled},
                             {"pairs", hand::pairs},
                             {"burgers", hand::burgers},
                         });
}
