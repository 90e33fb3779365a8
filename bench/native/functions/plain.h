#pragma once

namespace bench {

/** The plain number in a T. A tool specializes it. */
template <class T>
struct Plain {
  static double of(const T& x) { return x; }
};

}  // namespace bench
