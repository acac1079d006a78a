// The passes of an encoded payload (encoding.hpp): from the caller's elements to the wide elements of a window, from
// one stage to the next, and back. In between the schedule runs in the window's own memory.
#include <algorithm>

#include "runtime/execution.hpp"

namespace tutti {

namespace {

constexpr std::uint64_t alignment = 64;

}  // namespace

void Execution::make_room(Window& window) {
  window.wide = std::make_unique_for_overwrite<std::byte[]>(plan_->wide_bytes + alignment);
  const auto address = reinterpret_cast<std::uintptr_t>(window.wide.get());
  std::byte* const first = window.wide.get() + (alignment - address % alignment) % alignment;
  for (const PlanStage& stage : plan_->stages) window.wide_elements.push_back(first + stage.wide_offset);
}

void Execution::place_bases(Window& window) {
  std::byte* const elements = window.wide_elements[static_cast<std::size_t>(window.stage - plan_->stages.data())];
  window.bases[base_input] = elements;
  window.bases[base_output] = elements;
}

// The caller's elements in a window: of the vector, or of each rank's block.
std::uint64_t Execution::elements_of(const Window& window) const {
  const std::uint64_t before = window.index * plan_->window_elements;
  return std::min(plan_->call.count - before, plan_->window_elements);
}

// One slice, this rank's own at `own_at`; or one of each rank's block.
template <class Pass>
void Execution::for_each_slice(const Window& window, bool of_all_ranks, std::uint64_t own_at, Pass pass) {
  const std::uint64_t count = elements_of(window);
  if (count == 0) return;
  const std::uint64_t block = plan_->encoding->block();
  const std::uint64_t wide = (count + block - 1) / block;
  Encoding::Slice slice{inputs_, output_, 0, count, 0, seed_, 0, window.wide_elements};
  const bool sliced = is_sliced(plan_->call.kind);
  const int first = of_all_ranks ? 0 : plan_->rank, last = of_all_ranks ? plan_->size : plan_->rank + 1;
  for (int rank = sliced ? first : 0; rank < (sliced ? last : 1); ++rank) {
    const auto place = static_cast<std::uint64_t>(rank);
    slice.first = window.index * plan_->window_elements + (sliced ? place * plan_->call.count : 0);
    slice.at = window.index * plan_->window_elements + (of_all_ranks ? place * plan_->call.count : own_at);
    slice.wide_at = sliced ? place * wide : 0;
    pass(slice);
  }
}

void Execution::encode(Window& window) {
  const Call& call = plan_->call;
  if (call.kind == Kind::broadcast && call.root != plan_->rank) return;
  const auto stage = static_cast<std::size_t>(window.stage - plan_->stages.data());
  // In place, an allgather finds this rank's block among all of them.
  const bool inside = call.kind == Kind::allgather && plan_->in_place;
  const std::uint64_t own_at = inside ? static_cast<std::uint64_t>(plan_->rank) * call.count : 0;
  for_each_slice(window, call.kind == Kind::reduce_scatter, own_at,
                 [&](const Encoding::Slice& slice) { plan_->encoding->encode(stage, slice); });
}

void Execution::decode(Window& window) {
  const Call& call = plan_->call;
  if (call.kind == Kind::reduce && call.root != plan_->rank) return;
  for_each_slice(window, call.kind == Kind::allgather, 0,
                 [&](const Encoding::Slice& slice) { plan_->encoding->decode(slice); });
}

}  // namespace tutti
