#include "binding/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "binding/handles.h"
#include "binding/task.h"
#include "binding/values.h"
#include "exec/pool.h"
#include "tape/large_pages.h"

namespace adjoint::binding {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr unsigned kMaxThreads = 256;

/// A copy of what some ports hold, from one arena to another. Threads share long ones: JavaScript
/// waits for it.
class PortCopy {
 public:
  PortCopy(const Plan& plan, const std::vector<IoPort>& ports, double* to, const double* from)
      : plan_(plan), ports_(ports), to_(to), from_(from) {
    for (const IoPort& port : ports) elements_ += plan.buffers[port.buffer].elements;
  }

  void run(unsigned threads) {
    const std::int64_t chunks = (elements_ + kChunk - 1) / kChunk;
    Pool::shared().run(chunks, elements_ < kShared ? 1 : threads,
                       [this](unsigned, std::int64_t chunk) {
                         copy(chunk * kChunk, (chunk + 1) * kChunk);
                         return true;
                       });
  }

 private:
  static constexpr std::int64_t kChunk = 32 * 1024, kShared = 4 * kChunk;

  /// Elements first .. last - 1, of all ports one after the other.
  void copy(std::int64_t first, std::int64_t last) const {
    std::int64_t start = 0;  // of the port
    for (const IoPort& port : ports_) {
      const Buffer& buffer = plan_.buffers[port.buffer];
      const std::int64_t from = std::clamp<std::int64_t>(first - start, 0, buffer.elements);
      const std::int64_t to = std::clamp<std::int64_t>(last - start, 0, buffer.elements);
      std::copy(from_ + buffer.offset + from, from_ + buffer.offset + to,
                to_ + buffer.offset + from);
      start += buffer.elements;
    }
  }

  const Plan& plan_;
  const std::vector<IoPort>& ports_;
  double* const to_;
  const double* const from_;
  std::int64_t elements_ = 0;
};

SessionHandle& sessionOf(const Call& call) {
  SessionHandle& session = static_cast<SessionHandle&>(*receiver(call, Kind::Session));
  if (!session.executable) throw Error(ErrorCode::State, "the session is disposed of");
  return session;
}

[[noreturn]] void refuseRun(const SessionHandle* session) {
  throw Error(ErrorCode::State, session == nullptr ? "the session is disposed of"
                                                   : "an async run of this session is under way");
}

/// How many threads may work on a run.
unsigned readThreads(napi_env env, napi_value value) {
  const double threads = readNumber(env, value, "threads");
  if (!(threads >= 1 && threads <= kMaxThreads) || threads != std::floor(threads)) {
    throw Error(ErrorCode::Argument, "threads is an integer from 1 to " +
                                         std::to_string(kMaxThreads) + ", got " +
                                         std::to_string(threads));
  }
  return static_cast<unsigned>(threads);
}

/// One of the session's workspaces, for so many threads.
void growWorkspace(SessionHandle& session, AlignedDoubles& workspace, unsigned threads) {
  const std::int64_t doubles = session.executable->workspaceDoubles(threads);
  if (workspace.bytes() >= doubles * static_cast<std::int64_t>(sizeof(double))) return;
  workspace = AlignedDoubles(doubles);
  session.report(session.bytes());
}

/// A synchronous run on several threads.
napi_value runOn(Call& call) {
  const double number = readNumber(call.env, call.arguments[0], "session");
  const unsigned threads = readThreads(call.env, call.arguments[1]);
  SessionHandle* const session = call.environment->findSession(number);
  if (session == nullptr || session->running) refuseRun(session);
  session->checkArena(call.env);
  growWorkspace(*session, session->workspace, threads);
  RunControl control;
  control.threads = threads;
  const RunStatus status =
      session->executable->run(session->io, session->workspace.data(), &control);
  if (!status.ok) throw RunFailure(status, session->executable->plan(), false);
  return nullptr;
}

void runAtOnce(const SessionHandle& session) {
  const RunStatus status = session.executable->run(session.io, session.workspace.data(), nullptr);
  if (!status.ok) [[unlikely]]
    throw RunFailure(status, session.executable->plan(), false);
}

napi_value run(Call& call) {
  const double number = readNumber(call.env, call.arguments[0], "session");
  const SessionHandle* const session = call.environment->findSession(number);
  if (session == nullptr || session->running) refuseRun(session);
  session->checkArena(call.env);
  runAtOnce(*session);
  return nullptr;
}

// The hot entry: an argument, and a look at the arena, would take as long as all the rest.
napi_value runNext(napi_env env, napi_callback_info info) noexcept {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  const Environment& environment = *static_cast<Environment*>(data);
  const SessionHandle* const session = environment.findSession(*environment.next);
  try {
    if (session == nullptr || session->running) [[unlikely]]
      refuseRun(session);
    runAtOnce(*session);
  } catch (...) {
    throwCurrent(env);
  }
  return nullptr;
}

}  // namespace

/// One async run of a session. The JavaScript session object is held while it is under way.
class RunTask final : public Task {
 public:
  RunTask(napi_env env, SessionHandle& session, napi_value object)
      : executable_(session.executable), memory_(session.asyncMemory), session_(&session) {
    check(env, napi_create_reference(env, object, 1, &object_));
  }

  void work() override {
    if (std::chrono::steady_clock::now() > control.deadline) {
      status_.ok = false;
      status_.code = ErrorCode::Abort;
      return;
    }
    status_ = executable_->run(memory_->io.data(), memory_->workspace.data(), &control);
  }

  napi_value settle(Environment& environment) override {
    const Plan& plan = executable_->plan();
    if (!session_->executable) {
      throw Error(ErrorCode::State, "the session was disposed of during the run");
    }
    const bool canceled = control.cancel.load(std::memory_order_relaxed);
    if (canceled) {
      status_.ok = false;
      status_.code = ErrorCode::Abort;
    }
    if (!status_.ok) throw RunFailure(status_, plan, !canceled);
    session_->checkArena(environment.env);
    PortCopy(plan, plan.outputs, session_->io, memory_->io.data()).run(control.threads);
    return nullptr;
  }

  void finished(Environment& environment) noexcept override {
    session_->running.reset();
    napi_delete_reference(environment.env, object_);
  }

 private:
  const std::shared_ptr<const Executable> executable_;
  const std::shared_ptr<AsyncMemory> memory_;
  RunStatus status_;
  SessionHandle* const session_;
  napi_ref object_ = nullptr;
};

namespace {

napi_value runAsync(Call& call) {
  const auto deadline = readDeadline(call.env, call.arguments[0]);
  // 0: as many as there are processors.
  const bool isDefault = readNumber(call.env, call.arguments[1], "threads") == 0;
  const unsigned threads = isDefault ? std::min(Pool::shared().size(), kMaxThreads)
                                     : readThreads(call.env, call.arguments[1]);
  SessionHandle& session = sessionOf(call);
  if (session.running) refuseRun(&session);
  session.checkArena(call.env);
  const Plan& plan = session.executable->plan();
  if (!session.asyncMemory) {
    auto memory = std::make_shared<AsyncMemory>();
    memory->io = AlignedDoubles(plan.ioDoubles);
    // Padding is read (and its results ignored); let it be numbers.
    if (memory->io.bytes() > 0) {
      std::memset(memory->io.data(), 0, static_cast<std::size_t>(memory->io.bytes()));
    }
    session.asyncMemory = std::move(memory);
  }
  growWorkspace(session, session.asyncMemory->workspace, threads);
  PortCopy(plan, plan.inputs, session.asyncMemory->io.data(), session.io).run(threads);
  auto task = std::make_shared<RunTask>(call.env, session, call.self);
  task->control.deadline = deadline;
  task->control.threads = threads;
  session.running = task;
  try {
    return startTask(*call.environment, task);
  } catch (...) {
    task->finished(*call.environment);
    throw;
  }
}

napi_value measure(Call& call) {
  SessionHandle& session = sessionOf(call);
  if (session.running) refuseRun(&session);
  session.checkArena(call.env);
  std::vector<double> seconds;
  const RunStatus status =
      session.executable->measure(session.io, session.workspace.data(), seconds);
  if (!status.ok) throw RunFailure(status, session.executable->plan(), false);
  return makeFloat64s(call.env, seconds);
}

napi_value cancel(Call& call) {
  SessionHandle& session = sessionOf(call);
  if (session.running) session.running->control.cancel.store(true, std::memory_order_relaxed);
  return nullptr;
}

napi_value progress(Call& call) {
  const SessionHandle& session = sessionOf(call);
  std::int64_t done = 0, planned = 0;
  if (session.running) {
    const RunControl& control = session.running->control;
    done = control.stepsDone.load(std::memory_order_relaxed);
    // Steps done again because a file was lost are not planned.
    planned = std::max(done, control.stepsPlanned.load(std::memory_order_relaxed));
  }
  const napi_value result = makeObject(call.env);
  setField(call.env, result, "done", makeNumber(call.env, static_cast<double>(done)));
  setField(call.env, result, "planned", makeNumber(call.env, static_cast<double>(planned)));
  return result;
}

}  // namespace

AlignedDoubles::AlignedDoubles(std::int64_t count) {
  if (count <= 0) return;
  const std::uint64_t bytes = static_cast<std::uint64_t>(count) * sizeof(double);
  checkMemory(bytes);
  memory_.reset(static_cast<double*>(::operator new(bytes, std::align_val_t{kAlignment})));
  bytes_ = static_cast<std::int64_t>(bytes);
  preferLargePages(memory_.get(), bytes);
}

void AlignedDoubles::Free::operator()(double* memory) const {
  ::operator delete(memory, std::align_val_t{kAlignment});
}

SessionHandle::SessionHandle(Environment& environment, std::shared_ptr<const Executable> executable)
    : Handle(Kind::Session, environment),
      executable(std::move(executable)),
      workspace(this->executable->workspaceDoubles()) {}

void SessionHandle::release() {
  if (number >= 0) environment->removeSession(number);
  number = -1;
  if (buffer != nullptr) napi_delete_reference(environment->env, buffer);
  buffer = nullptr;
  io = nullptr;
  if (running) running->control.cancel.store(true, std::memory_order_relaxed);
  executable.reset();
  workspace = AlignedDoubles();
  asyncMemory.reset();
}

std::int64_t SessionHandle::bytes() const {
  std::int64_t total = static_cast<std::int64_t>(sizeof *this) + workspace.bytes();
  if (asyncMemory) total += asyncMemory->io.bytes() + asyncMemory->workspace.bytes();
  return total;
}

void SessionHandle::checkArena(napi_env env) const {
  napi_value arena = nullptr;
  bool detached = true;
  if (napi_get_reference_value(env, buffer, &arena) != napi_ok || arena == nullptr ||
      napi_is_detached_arraybuffer(env, arena, &detached) != napi_ok || detached) [[unlikely]] {
    throw Error(ErrorCode::State, "the buffer of the session's arena was transferred");
  }
}

napi_value newSession(Environment& environment, std::shared_ptr<const Executable> executable) {
  const napi_env env = environment.env;
  const std::uint64_t bytes =
      static_cast<std::uint64_t>(executable->plan().ioDoubles) * sizeof(double);
  auto made = std::make_unique<SessionHandle>(environment, std::move(executable));
  SessionHandle& session = *made;

  void* memory = nullptr;
  const napi_value buffer = makeArrayBuffer(env, bytes + kAlignment, &memory);
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(memory);
  const std::size_t byteOffset = (kAlignment - address % kAlignment) % kAlignment;
  session.io = reinterpret_cast<double*>(address + byteOffset);
  check(env, napi_create_reference(env, buffer, 0, &session.buffer));
  session.number = environment.addSession(&session);

  const napi_value object = wrap(environment, std::move(made), session.bytes());
  const auto constant = [](const char* name, napi_value value) {
    return napi_property_descriptor{name,    nullptr, nullptr,         nullptr,
                                    nullptr, value,   napi_enumerable, nullptr};
  };
  const napi_property_descriptor properties[] = {
      constant("buffer", buffer),
      constant("byteOffset", makeNumber(env, static_cast<double>(byteOffset))),
      constant("handle", makeNumber(env, session.number)),
  };
  check(env, napi_define_properties(env, object, std::size(properties), properties));
  return object;
}

void defineSession(Environment& environment, napi_value exports) {
  defineClass(environment, Kind::Session, "Session",
              {method<promising<runAsync>>(environment, "runAsync"),
               method<measure>(environment, "measure"), method<cancel>(environment, "cancel"),
               method<progress>(environment, "progress"),
               method<dispose<Kind::Session>>(environment, "dispose")});
  const napi_env env = environment.env;
  void* memory = nullptr;
  const napi_value buffer = makeArrayBuffer(env, sizeof(double), &memory);
  environment.next = static_cast<double*>(memory);
  *environment.next = -1;
  napi_value next = nullptr;
  check(env, napi_create_typedarray(env, napi_float64_array, 1, buffer, 0, &next));
  napi_ref kept = nullptr;  // for as long as the environment lives
  check(env, napi_create_reference(env, next, 1, &kept));
  setField(env, exports, "next", next);
  defineFunction(environment, exports, "runNext", runNext);
  defineFunction<run>(environment, exports, "run");
  defineFunction<runOn>(environment, exports, "runOn");
}

}  // namespace adjoint::binding
