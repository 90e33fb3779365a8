#include "tape/error.h"

namespace adjoint {

const char* errorCodeName(ErrorCode code) {
  switch (code) {
#define ADJOINT_ERROR(name, codeName, className, doc) \
  case ErrorCode::name:                               \
    return codeName;
#include "tape/errors.def"
#undef ADJOINT_ERROR
  }
  return "ERR_NATIVE";
}

}  // namespace adjoint
