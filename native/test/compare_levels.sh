#!/bin/sh
# Builds the kernels' test for x86-64-v3 and -v4 and compares their bits, row by row. Needs a CPU with AVX-512.
#   native/test/compare_levels.sh [build folder]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/levels}
for level in v3 v4; do
  cmake -S "$root" -B "$build/$level" -DCMAKE_BUILD_TYPE=Release -DADJOINT_TESTS=ON -DADJOINT_ADDON=OFF \
    -DADJOINT_MARCH="x86-64-$level" > /dev/null
  cmake --build "$build/$level" --target adjoint_native_tests > /dev/null
  ADJOINT_BITS_FILE="$build/$level.txt" "$build/$level/adjoint_native_tests" \
    --gtest_brief=1 --gtest_filter='KernelBits.*'
done
diff "$build/v3.txt" "$build/v4.txt"
echo "v3 and v4 give the same bits in $(wc -l < "$build/v3.txt") rows"
