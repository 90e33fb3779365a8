#pragma once

#include <node_api.h>

#include <cstdint>
#include <string>
#include <vector>

#include "binding/environment.h"
#include "tape/tape.h"

namespace adjoint::binding {

// Readers copy a JavaScript value out and throw ERR_ARGUMENT (or ERR_LIMIT) when it is not what it
// should be. Reading an array can run JavaScript (getters), which can dispose of anything: an entry
// reads all its arguments before it touches native state. `what` names the argument in messages.

/// Longest name or text that is taken, in bytes of UTF-8.
constexpr std::size_t kMaxText = 1u << 16;
/// Longest list of nodes, positions or attributes.
constexpr std::uint32_t kMaxList = 1u << 24;

double readNumber(napi_env env, napi_value value, const char* what);
/// A whole number in [low, high]; both at most 2^53 in magnitude.
std::int64_t readInteger(napi_env env, napi_value value, std::int64_t low, std::int64_t high,
                         const char* what);
bool readBoolean(napi_env env, napi_value value, const char* what);
std::string readText(napi_env env, napi_value value, const char* what);

std::vector<double> readFloat64s(napi_env env, napi_value value, const char* what);
std::vector<std::int32_t> readInt32s(napi_env env, napi_value value, const char* what);
std::vector<std::int64_t> readIntegers(napi_env env, napi_value value, const char* what);
/// Extents: not negative, at most kMaxRank of them, elementCount() within its limit.
Shape readShape(napi_env env, napi_value value, const char* what);
std::vector<std::string> readTexts(napi_env env, napi_value value, const char* what);
std::vector<std::vector<double>> readFloat64Lists(napi_env env, napi_value value, const char* what);
std::vector<bool> readBooleans(napi_env env, napi_value value, const char* what);
/// Node ids, not yet checked against a builder.
std::vector<NodeId> readNodes(napi_env env, napi_value value, const char* what);
bool isNull(napi_env env, napi_value value);

napi_value makeNumber(napi_env env, double value);
napi_value makeBoolean(napi_env env, bool value);
napi_value makeText(napi_env env, const std::string& text);
napi_value makeShape(napi_env env, const Shape& shape);
napi_value makeNumbers(napi_env env, const std::vector<NodeId>& values);
napi_value makeFloat64s(napi_env env, const std::vector<double>& values);
napi_value makeInt32s(napi_env env, const std::vector<std::int32_t>& values);
napi_value makeObject(napi_env env);
napi_value makeArray(napi_env env, std::size_t length);
void setField(napi_env env, napi_value object, const char* name, napi_value value);
void setElement(napi_env env, napi_value array, std::size_t index, napi_value value);
/// {name, shape, isBool}.
napi_value makePort(napi_env env, const std::string& name, const Shape& shape, DType dtype);

/// A new ArrayBuffer of zeros; ERR_MEMORY where Node-API's own function would end the process.
napi_value makeArrayBuffer(napi_env env, std::uint64_t bytes, void** data);
/// Throws ERR_MEMORY when so many bytes can not be had on this machine, before the kernel finds out
/// by killing us.
void checkMemory(std::uint64_t bytes);

/// For messages: "a string", "null", ...
std::string describe(napi_env env, napi_value value);
/// Shortest text of a double that reads well: "3", "2.5".
std::string formatNumber(double value);

}  // namespace adjoint::binding
