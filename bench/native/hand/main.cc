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
                             {"curvefit", hand::curvefit},
                             {"kmeans", hand::kmeans},
                             {"det", hand::det},
                             {"ba", hand::ba},
                             {"ba-each", hand::baEach},
                             {"ht", hand::ht},
                         });
}
