#include "ops/row.h"
#include "plan/lanes.h"

namespace adjoint {

LaneAttributes LaneAttributes::read(const Tape& t, const Node& node) {
  const auto& attrs = t.attrs(node);
  LaneAttributes result;
  result.rule = static_cast<std::size_t>(attrs[0]);
  result.lanes = attrs[1];
  const std::size_t outputs = 3 + 2 * static_cast<std::size_t>(attrs[2]);
  for (std::size_t i = 3; i < outputs; i += 2)
    result.inputs.push_back({static_cast<LaneInput>(attrs[i]), attrs[i + 1]});
  for (std::size_t i = outputs; i < attrs.size(); i += 2)
    result.outputs.push_back({static_cast<LaneOutput>(attrs[i]), attrs[i + 1]});
  return result;
}

std::vector<bool> LaneAttributes::isMapped() const {
  std::vector<bool> result;
  for (const Input& input : inputs) result.push_back(input.kind != LaneInput::Shared);
  return result;
}

std::vector<std::int64_t> LaneAttributes::write() const {
  std::vector<std::int64_t> attrs = {static_cast<std::int64_t>(rule), lanes,
                                     static_cast<std::int64_t>(inputs.size())};
  for (const Input& input : inputs) {
    attrs.push_back(static_cast<std::int64_t>(input.kind));
    attrs.push_back(input.axis);
  }
  for (const Output& output : outputs) {
    attrs.push_back(static_cast<std::int64_t>(output.kind));
    attrs.push_back(output.axisOrTerms);
  }
  return attrs;
}

}  // namespace adjoint
