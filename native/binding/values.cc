#include "binding/values.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tape/large_pages.h"

namespace adjoint::binding {
namespace {

constexpr double kMaxInteger = 9007199254740992.0;

[[noreturn]] void refuse(napi_env env, napi_value value, const char* what, const char* expected) {
  throw Error(ErrorCode::Argument,
              std::string(what) + ": expected " + expected + ", got " + describe(env, value));
}

std::uint32_t arrayLength(napi_env env, napi_value value, const char* what, std::uint32_t limit) {
  bool isArray = false;
  check(env, napi_is_array(env, value, &isArray));
  if (!isArray) refuse(env, value, what, "an array");
  std::uint32_t length = 0;
  check(env, napi_get_array_length(env, value, &length));
  if (length > limit) {
    throw Error(ErrorCode::Limit, std::string(what) + ": " + std::to_string(length) +
                                      " elements, at most " + std::to_string(limit) +
                                      " are possible");
  }
  return length;
}

std::uint64_t physicalMemory() {
#ifdef _WIN32
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  GlobalMemoryStatusEx(&status);
  return status.ullTotalPhys;
#else
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
#endif
}

// Calls read(element) for each element, in scopes of their own so that long lists hold few handles.
template <typename Read>
void forEach(napi_env env, napi_value array, std::uint32_t length, Read read) {
  for (std::uint32_t i = 0; i < length; ++i) {
    napi_handle_scope scope = nullptr;
    check(env, napi_open_handle_scope(env, &scope));
    struct Close {
      napi_env env;
      napi_handle_scope scope;
      ~Close() { napi_close_handle_scope(env, scope); }
    } close{env, scope};
    napi_value element = nullptr;
    check(env, napi_get_element(env, array, i, &element));
    read(element);
  }
}

}  // namespace

double readNumber(napi_env env, napi_value value, const char* what) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok) refuse(env, value, what, "a number");
  return number;
}

std::int64_t readInteger(napi_env env, napi_value value, std::int64_t low, std::int64_t high,
                         const char* what) {
  const double number = readNumber(env, value, what);
  if (!(std::abs(number) <= kMaxInteger) || std::trunc(number) != number ||
      number < static_cast<double>(low) || number > static_cast<double>(high)) {
    throw Error(ErrorCode::Argument, std::string(what) + ": expected a whole number from " +
                                         std::to_string(low) + " to " + std::to_string(high) +
                                         ", got " + formatNumber(number));
  }
  return static_cast<std::int64_t>(number);
}

bool readBoolean(napi_env env, napi_value value, const char* what) {
  bool result = false;
  if (napi_get_value_bool(env, value, &result) != napi_ok) refuse(env, value, what, "a boolean");
  return result;
}

std::string readText(napi_env env, napi_value value, const char* what) {
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    refuse(env, value, what, "a string");
  }
  if (length > kMaxText) {
    throw Error(ErrorCode::Limit, std::string(what) + ": a text of " + std::to_string(length) +
                                      " bytes, at most " + std::to_string(kMaxText) +
                                      " are possible");
  }
  std::string text(length + 1, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), text.size(), &length));
  text.resize(length);
  return text;
}

namespace {

/// The elements of a typed array of this kind.
template <class T>
std::vector<T> readTyped(napi_env env, napi_value value, const char* what,
                         napi_typedarray_type wanted, const char* name) {
  bool isTypedArray = false;
  check(env, napi_is_typedarray(env, value, &isTypedArray));
  napi_typedarray_type type = napi_int8_array;
  std::size_t length = 0;
  void* data = nullptr;
  if (isTypedArray) {
    check(env, napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  }
  if (!isTypedArray || type != wanted) refuse(env, value, what, name);
  std::vector<T> copy(length);
  // Nothing runs between asking for the address and copying; a detached array has length 0.
  if (length > 0) std::memcpy(copy.data(), data, length * sizeof(T));
  return copy;
}

}  // namespace

std::vector<double> readFloat64s(napi_env env, napi_value value, const char* what) {
  return readTyped<double>(env, value, what, napi_float64_array, "a Float64Array");
}

std::vector<std::int32_t> readInt32s(napi_env env, napi_value value, const char* what) {
  return readTyped<std::int32_t>(env, value, what, napi_int32_array, "an Int32Array");
}

std::vector<std::int64_t> readIntegers(napi_env env, napi_value value, const char* what) {
  const std::uint32_t length = arrayLength(env, value, what, kMaxList);
  std::vector<std::int64_t> integers;
  forEach(env, value, length, [&](napi_value element) {
    constexpr std::int64_t kBound = std::int64_t{1} << 53;
    integers.push_back(readInteger(env, element, -kBound, kBound, what));
  });
  return integers;
}

Shape readShape(napi_env env, napi_value value, const char* what) {
  const std::uint32_t length = arrayLength(env, value, what, kMaxRank);
  Shape shape;
  forEach(env, value, length, [&](napi_value element) {
    shape.push_back(readInteger(env, element, 0, kMaxElements, what));
  });
  elementCount(shape);
  return shape;
}

std::vector<std::string> readTexts(napi_env env, napi_value value, const char* what) {
  const std::uint32_t length = arrayLength(env, value, what, kMaxList);
  std::vector<std::string> texts;
  forEach(env, value, length,
          [&](napi_value element) { texts.push_back(readText(env, element, what)); });
  return texts;
}

std::vector<std::vector<double>> readFloat64Lists(napi_env env, napi_value value,
                                                  const char* what) {
  const std::uint32_t length = arrayLength(env, value, what, kMaxList);
  std::vector<std::vector<double>> lists;
  forEach(env, value, length,
          [&](napi_value element) { lists.push_back(readFloat64s(env, element, what)); });
  return lists;
}

std::vector<bool> readBooleans(napi_env env, napi_value value, const char* what) {
  const std::uint32_t length = arrayLength(env, value, what, kMaxList);
  std::vector<bool> booleans;
  forEach(env, value, length,
          [&](napi_value element) { booleans.push_back(readBoolean(env, element, what)); });
  return booleans;
}

std::vector<NodeId> readNodes(napi_env env, napi_value value, const char* what) {
  const std::uint32_t length = arrayLength(env, value, what, kMaxList);
  std::vector<NodeId> nodes;
  forEach(env, value, length, [&](napi_value element) {
    nodes.push_back(static_cast<NodeId>(readInteger(env, element, 0, kNoNode, what)));
  });
  return nodes;
}

bool isNull(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  check(env, napi_typeof(env, value, &type));
  return type == napi_null;
}

napi_value makeNumber(napi_env env, double value) {
  napi_value result = nullptr;
  check(env, napi_create_double(env, value, &result));
  return result;
}

napi_value makeBoolean(napi_env env, bool value) {
  napi_value result = nullptr;
  check(env, napi_get_boolean(env, value, &result));
  return result;
}

napi_value makeText(napi_env env, const std::string& text) {
  // V8's longest string; asking for more is an error Node-API does not report as one of ours.
  if (text.size() >= (1u << 29) - 24) {
    throw Error(ErrorCode::Limit, "a text of " + std::to_string(text.size()) +
                                      " bytes is longer than a string can be");
  }
  napi_value result = nullptr;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &result));
  return result;
}

napi_value makeShape(napi_env env, const Shape& shape) {
  const napi_value array = makeArray(env, shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    setElement(env, array, i, makeNumber(env, static_cast<double>(shape[i])));
  }
  return array;
}

napi_value makeNumbers(napi_env env, const std::vector<NodeId>& values) {
  const napi_value array = makeArray(env, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    setElement(env, array, i, makeNumber(env, values[i]));
  }
  return array;
}

namespace {

template <class T>
napi_value makeTypedArray(napi_env env, const std::vector<T>& values, napi_typedarray_type type) {
  void* data = nullptr;
  const napi_value buffer = makeArrayBuffer(env, values.size() * sizeof(T), &data);
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(T));
  napi_value array = nullptr;
  check(env, napi_create_typedarray(env, type, values.size(), buffer, 0, &array));
  return array;
}

}  // namespace

napi_value makeFloat64s(napi_env env, const std::vector<double>& values) {
  return makeTypedArray(env, values, napi_float64_array);
}

napi_value makeInt32s(napi_env env, const std::vector<std::int32_t>& values) {
  return makeTypedArray(env, values, napi_int32_array);
}

napi_value makeObject(napi_env env) {
  napi_value object = nullptr;
  check(env, napi_create_object(env, &object));
  return object;
}

napi_value makeArray(napi_env env, std::size_t length) {
  napi_value array = nullptr;
  check(env, napi_create_array_with_length(env, length, &array));
  return array;
}

void setField(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value));
}

void setElement(napi_env env, napi_value array, std::size_t index, napi_value value) {
  check(env, napi_set_element(env, array, static_cast<std::uint32_t>(index), value));
}

napi_value makePort(napi_env env, const std::string& name, const Shape& shape, DType dtype) {
  const napi_value port = makeObject(env);
  setField(env, port, "name", makeText(env, name));
  setField(env, port, "shape", makeShape(env, shape));
  setField(env, port, "isBool", makeBoolean(env, dtype == DType::Bool));
  return port;
}

napi_value makeArrayBuffer(napi_env env, std::uint64_t bytes, void** data) {
  constexpr std::uint64_t kSmall = 1u << 20;
  napi_value buffer = nullptr;
  if (bytes <= kSmall) {
    check(env, napi_create_arraybuffer(env, bytes, data, &buffer));
    return buffer;
  }
  // V8 ends the process when napi_create_arraybuffer finds no memory; its JavaScript constructor
  // throws.
  checkMemory(bytes);
  napi_value global = nullptr;
  napi_value constructor = nullptr;
  check(env, napi_get_global(env, &global));
  check(env, napi_get_named_property(env, global, "ArrayBuffer", &constructor));
  const napi_value length = makeNumber(env, static_cast<double>(bytes));
  std::size_t got = 0;
  bool isBuffer = false;
  if (napi_new_instance(env, constructor, 1, &length, &buffer) != napi_ok) {
    napi_value ignored = nullptr;
    napi_get_and_clear_last_exception(env, &ignored);
    throw Error(ErrorCode::Memory, "no memory for an array of " + std::to_string(bytes) + " bytes");
  }
  check(env, napi_is_arraybuffer(env, buffer, &isBuffer));
  bool isResizable = false;
  if (isBuffer) {
    napi_value resizable = nullptr;
    check(env, napi_get_arraybuffer_info(env, buffer, data, &got));
    check(env, napi_get_named_property(env, buffer, "resizable", &resizable));
    check(env, napi_coerce_to_bool(env, resizable, &resizable));
    check(env, napi_get_value_bool(env, resizable, &isResizable));
  }
  if (got != bytes || isResizable)
    throw Error(ErrorCode::State, "globalThis.ArrayBuffer has been replaced");
  preferLargePages(*data, bytes);
  return buffer;
}

void checkMemory(std::uint64_t bytes) {
  static const std::uint64_t physical = physicalMemory();
  if (bytes > physical) {
    throw Error(ErrorCode::Memory, std::to_string(bytes) + " bytes are more than this machine's " +
                                       std::to_string(physical));
  }
}

std::string describe(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, value, &type) != napi_ok) return "something else";
  switch (type) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number: {
      double number = 0;
      napi_get_value_double(env, value, &number);
      return formatNumber(number);
    }
    case napi_string:
      return "a string";
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    case napi_bigint:
      return "a bigint";
    default: {
      bool is = false;
      if (napi_is_array(env, value, &is) == napi_ok && is) return "an array";
      if (napi_is_typedarray(env, value, &is) == napi_ok && is) return "a typed array";
      return "an object";
    }
  }
}

std::string formatNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

}  // namespace adjoint::binding
