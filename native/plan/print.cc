#include <charconv>
#include <sstream>

#include "ops/row.h"
#include "plan/plan.h"

namespace adjoint {

namespace {

std::string number(double value) {
  char text[32];
  const auto [end, ec] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}

std::string v(std::uint32_t id) { return "v" + std::to_string(id); }
std::string b(BufferId id) { return "b" + std::to_string(id); }

std::string accessText(const Kernel& kernel, const Access& access) {
  const IndexMap& map = kernel.maps[access.map];
  std::string text = b(access.buffer) + "[" + std::to_string(access.offset);
  for (std::size_t l = 0; l < map.stride.size(); ++l) {
    if (map.stride[l] != 0)
      text += " + " + std::to_string(map.stride[l]) + "*i" + std::to_string(l);
  }
  text += "]";
  for (const Window& w : map.windows) {
    text += " if i" + std::to_string(w.loop) + " in " + std::to_string(w.lo) + ".." +
            std::to_string(w.hi);
    if (w.step != 1) text += " by " + std::to_string(w.step);
  }
  return text;
}

std::string instrText(const Kernel& kernel, std::uint32_t position) {
  const Instr& instr = kernel.body[position];
  const auto extra = static_cast<std::size_t>(instr.extra);
  switch (instr.kind) {
    case InstrKind::Const:
      return v(position) + " = " + number(kernel.constants[extra]);
    case InstrKind::Iota:
      return v(position) + " = i" + std::to_string(extra);
    case InstrKind::Load:
      return v(position) + " = load " + accessText(kernel, kernel.accesses[extra]);
    case InstrKind::Gather: {
      const Gather& gather = kernel.gathers[extra];
      return v(position) + " = gather " + accessText(kernel, kernel.accesses[gather.access]) +
             " + " + std::to_string(gather.stride) + "*" + v(instr.a) + " below " +
             std::to_string(gather.limit);
    }
    case InstrKind::Store:
      return "store " + accessText(kernel, kernel.accesses[extra]) + " = " + v(instr.a);
    case InstrKind::Reduce: {
      const Reduction& r = kernel.reductions[extra];
      const char* name = r.op == ReduceOp::Sum ? "sum" : r.op == ReduceOp::Max ? "max" : "min";
      const std::string of = r.points > 0 ? " if i0 below " + std::to_string(r.points) : "";
      return std::string(name) + " " + accessText(kernel, kernel.accesses[r.access]) + " = " +
             v(instr.a) + of;
    }
    case InstrKind::Compute:
      break;
  }
  const Row& row = rowOf(static_cast<Op>(instr.op));
  std::string text = v(position) + " = " + row.name + " " + v(instr.a);
  if (row.arity > 1) text += " " + v(instr.b);
  if (row.arity > 2) text += " " + v(instr.c);
  if (instr.extra != 0) text += " {" + std::to_string(instr.extra) + "}";
  return text;
}

std::string stepText(const MatMulStep& s) {
  return (s.isOfLanes ? "matmul of lanes " : "matmul ") + b(s.c) + " = " + b(s.a.buffer) + " x " +
         b(s.b.buffer) + "  [" + std::to_string(s.batch) + "] " + std::to_string(s.m) + "x" +
         std::to_string(s.k) + "x" + std::to_string(s.n) + "\n";
}
std::string stepText(const RecurrenceStep& s) {
  return std::string(s.hasA ? "recurrence " : "cumsum ") + b(s.y) + (s.reverse ? " reversed" : "") +
         "  [" + std::to_string(s.outer) + "," + std::to_string(s.n) + "," +
         std::to_string(s.inner) + "]\n";
}
std::string stepText(const IndexStep& s) {
  const char* name = s.kind == IndexStep::Kind::ArgSort  ? "argsort "
                     : s.kind == IndexStep::Kind::ArgMax ? "argmax "
                                                         : "argmin ";
  return name + b(s.out) + " of " + b(s.in) + "  [" + std::to_string(s.outer) + "," +
         std::to_string(s.n) + "," + std::to_string(s.inner) + "]\n";
}
std::string stepText(const ScatterAddStep& s) {
  return "scatter " + b(s.out) + " += " + b(s.updates) + " at " + b(s.indices) + "  " +
         std::to_string(s.count) + " into " + std::to_string(s.size) + "\n";
}
std::string stepText(const InterleaveStep& s) {
  std::string text = "interleave";
  for (const InterleaveStep::Source& source : s.sources) text += " " + b(source.buffer);
  text += " -> " + b(s.out) + "  " + std::to_string(s.runs.size()) + " runs";
  std::int64_t width = 0;
  for (const InterleaveStep::Run& run : s.runs) width = std::max(width, run.width);
  return text + ", rows of at most " + std::to_string(width) + "\n";
}
std::string stepText(const Kernel& kernel) { return kernel.toString(); }
std::string stepText(const LaneStep& s) {
  std::string text = "lanes " + std::to_string(s.lanes) + " by " + std::to_string(s.block);
  for (const LaneStep::Port& port : s.inputs) {
    text += " " + b(port.buffer);
    if (port.kind == LaneStep::Port::Kind::Gathered) text += "[" + b(port.indices) + "]";
  }
  text += " ->";
  for (const LaneStep::Port& port : s.outputs) {
    text += " " + b(port.buffer);
    if (port.kind == LaneStep::Port::Kind::Left) text += " (product)";
    if (port.kind == LaneStep::Port::Kind::Reduce)
      text += port.op == ReduceOp::Sum ? " (sum)" : port.op == ReduceOp::Max ? " (max)" : " (min)";
  }
  text += "\n";
  std::istringstream lines(s.plan->toString());
  for (std::string line; std::getline(lines, line);) text += "  | " + line + "\n";
  return text;
}

std::string stepText(const LoopStep& s) {
  static const char* const trips[] = {"", "while ", "counted "};
  std::string text = std::string(s.reverse ? "loop back " : "loop ") +
                     trips[static_cast<int>(s.trips)] + std::to_string(s.length);
  const auto list = [&](const char* name, const std::vector<LoopStep::Port>& ports) {
    if (ports.empty()) return;
    text += std::string(" ") + name;
    for (const LoopStep::Port& port : ports)
      text += " " + (port.buffer == LoopStep::kNone ? "-" : b(port.buffer));
  };
  list("constants", s.constants);
  list("carries", s.initial);
  list("streams", s.streams);
  if (s.count != LoopStep::kNone) text += " steps " + b(s.count);
  if (s.replay) text += " kept in " + b(s.replay->loop->kept->buffer);
  text += " ->";
  list("carries", s.last);
  list("results", s.results);
  if (s.counted != LoopStep::kNone) text += " steps " + b(s.counted);
  if (s.kept) text += " keeps " + b(s.kept->buffer);
  text += "\n";
  std::istringstream lines(s.body->toString());
  for (std::string line; std::getline(lines, line);) text += "  | " + line + "\n";
  return text;
}

}  // namespace

std::string Kernel::toString() const {
  std::string text = "kernel";
  for (std::size_t l = 0; l < extents.size(); ++l) {
    text += " i" + std::to_string(l) + "<" + std::to_string(extents[l]);
    for (const Reduction& r : reductions) {
      if (r.reducedLoops >> l & 1) {
        text += "*";
        break;
      }
    }
  }
  text += "\n";
  for (std::uint32_t i = 0; i < body.size(); ++i) text += "  " + instrText(*this, i) + "\n";
  return text;
}

std::string Plan::toString() const {
  static const char* const bases[] = {"io", "temp", "constant", "next", "kept", "piece"};
  std::string text;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Buffer& buffer = buffers[i];
    text += b(static_cast<BufferId>(i)) + " = " + bases[static_cast<int>(buffer.base)] + "[" +
            std::to_string(buffer.offset) + ", " + std::to_string(buffer.elements) + "]\n";
  }
  for (const IoPort& port : inputs) text += "input " + port.name + " " + b(port.buffer) + "\n";
  for (const Step& step : steps)
    text += std::visit([](const auto& s) { return stepText(s); }, step);
  for (const IoPort& port : outputs) text += "output " + port.name + " " + b(port.buffer) + "\n";
  return text;
}

std::size_t Plan::bytes() const {
  std::size_t total =
      sizeof(Plan) + buffers.capacity() * sizeof(Buffer) + constants.capacity() * sizeof(double);
  for (const Step& step : steps) {
    total += sizeof(Step);
    if (const auto* kernel = std::get_if<Kernel>(&step)) {
      total += kernel->body.capacity() * sizeof(Instr) +
               kernel->accesses.capacity() * sizeof(Access) +
               kernel->constants.capacity() * sizeof(double) +
               kernel->maps.capacity() * sizeof(IndexMap);
    } else if (const auto* rows = std::get_if<InterleaveStep>(&step)) {
      total += rows->sources.capacity() * sizeof(InterleaveStep::Source) +
               rows->runs.capacity() * sizeof(InterleaveStep::Run) +
               rows->columns.capacity() * sizeof(InterleaveStep::Column) +
               rows->singles.capacity() * sizeof(InterleaveStep::Single);
    } else if (const auto* loop = std::get_if<LaneStep>(&step)) {
      total += loop->plan->bytes();
    } else if (const auto* steps = std::get_if<LoopStep>(&step)) {
      total += steps->body->bytes();
      if (steps->replay && steps->replay->loop->body != steps->body)
        total += steps->replay->loop->body->bytes();
    }
  }
  return total + (tape ? tape->bytes() : 0);
}

}  // namespace adjoint
