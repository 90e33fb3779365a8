#pragma once

#include "plan/plan.h"

namespace adjoint {

/// Every buffer that a step reads or writes, some more than once.
template <class Visit>
void visitBuffers(const LoopStep& step, Visit visit) {
  const auto given = [&](BufferId buffer) {
    if (buffer != LoopStep::kNone) visit(buffer);
  };
  for (const auto* ports :
       {&step.constants, &step.initial, &step.streams, &step.last, &step.results}) {
    for (const LoopStep::Port& port : *ports) given(port.buffer);
  }
  given(step.count);
  given(step.counted);
  if (step.kept) visit(step.kept->buffer);
  if (!step.replay) return;
  const LoopStep& loop = *step.replay->loop;
  for (const auto* ports : {&loop.constants, &loop.initial, &loop.streams}) {
    for (const LoopStep::Port& port : *ports) visit(port.buffer);
  }
  given(loop.count);
  visit(loop.kept->buffer);
}

template <class Visit>
void visitBuffers(const Step& step, Visit visit) {
  if (const auto* kernel = std::get_if<Kernel>(&step)) {
    for (const Access& access : kernel->accesses) visit(access.buffer);
  } else if (const auto* product = std::get_if<MatMulStep>(&step)) {
    visit(product->a.buffer);
    visit(product->b.buffer);
    visit(product->c);
  } else if (const auto* recurrence = std::get_if<RecurrenceStep>(&step)) {
    if (recurrence->hasA) visit(recurrence->a);
    visit(recurrence->b);
    visit(recurrence->y);
  } else if (const auto* index = std::get_if<IndexStep>(&step)) {
    visit(index->in);
    visit(index->out);
  } else if (const auto* scatter = std::get_if<ScatterAddStep>(&step)) {
    visit(scatter->indices);
    visit(scatter->updates);
    visit(scatter->out);
  } else if (const auto* rows = std::get_if<InterleaveStep>(&step)) {
    for (const InterleaveStep::Source& source : rows->sources) visit(source.buffer);
    visit(rows->out);
  } else if (const auto* loop = std::get_if<LaneStep>(&step)) {
    for (const LaneStep::Port& port : loop->inputs) {
      visit(port.buffer);
      if (port.kind == LaneStep::Port::Kind::Gathered) visit(port.indices);
    }
    for (const LaneStep::Port& port : loop->outputs) visit(port.buffer);
  } else if (const auto* steps = std::get_if<LoopStep>(&step)) {
    visitBuffers(*steps, visit);
  }
}

}  // namespace adjoint
