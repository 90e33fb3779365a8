#pragma once

#include <exception>
#include <string>
#include <utility>

namespace adjoint {

/// Every way a call can fail, from the one list in errors.def.
enum class ErrorCode : int {
#define ADJOINT_ERROR(name, code, className, doc) name,
#include "tape/errors.def"
#undef ADJOINT_ERROR
};

/// The stable code users see, e.g. "ERR_SHAPE".
const char* errorCodeName(ErrorCode code);

/// Thrown inside the core and caught at the boundary, where it becomes the TypeScript class of its
/// code.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}
  ErrorCode code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& message() const { return message_; }

 private:
  ErrorCode code_;
  std::string message_;
};

}  // namespace adjoint
