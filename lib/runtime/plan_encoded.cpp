// Plans of calls whose payload is encoded: each stage is a schedule over the wide elements of a window.
//
// The windows are those of the last stage, which carries the most bytes; the earlier ones take the same elements. Every
// stage runs in place in the memory of its window, so that blocks of ranks lie close there.
#include <algorithm>

#include "error.hpp"
#include "runtime/plan.hpp"

namespace tutti {

namespace {

constexpr std::uint64_t alignment = 64;

std::uint64_t divided_up(std::uint64_t value, std::uint64_t divisor) { return (value + divisor - 1) / divisor; }

class EncodedPlanner {
 public:
  EncodedPlanner(const PlanRequest& request, const StageMaker& maker, Plan& plan)
      : request_(request),
        maker_(maker),
        plan_(plan),
        sliced_(is_sliced(request.call.kind)),
        ranks_(static_cast<std::uint64_t>(request.size)),
        count_(divided_up(request.call.count, plan.encoding->block())) {}

  void cut() {
    const std::uint64_t element = request_.element_bytes;
    const std::uint64_t share = request_.choice.window_bytes / (sliced_ ? ranks_ : 1);
    std::uint64_t window = std::max<std::uint64_t>(share / element, 1);
    if (const std::uint64_t unit = std::max<std::uint64_t>(alignment / element, 1); window > unit)
      window = window / unit * unit;
    if (request_.choice.windows == 1) window = count_;
    window_ = std::clamp<std::uint64_t>(window, 1, std::max<std::uint64_t>(count_, 1));
    plan_.windows = static_cast<std::uint32_t>(std::max<std::uint64_t>(divided_up(count_, window_), 1));
    plan_.window_elements = window_ * plan_.encoding->block();
  }

  void add_stage(const Encoding::Stage& encoded, bool is_last) {
    PlanStage stage;
    stage.operation = encoded.operation;
    stage.element_bytes = encoded.element_bytes;
    stage.wide_offset = plan_.wide_bytes;
    const std::uint64_t full = plan_.windows > 1 ? window_ : count_;
    const std::uint64_t rest = count_ - (plan_.windows - 1) * window_;
    PlanRequest request = request_;
    request.call.kind = encoded.everywhere ? Kind::allreduce : request_.call.kind;
    request.element_bytes = encoded.element_bytes;
    request.in_place = request.call.kind != Kind::reduce || request.call.root == request.rank;
    request.choice =
        is_last ? request_.choice : maker_.choose_stage(request.call.kind, wide(full), encoded.element_bytes);
    const auto schedule = maker_.get_schedule(schedule_key(request, encoded.operation.commutative));
    stage.choice = request.choice;
    stage.full = bind(*schedule, request, full);
    stage.last = plan_.windows > 1 ? bind(*schedule, request, rest) : stage.full;
    check_messages(request, stage.full, schedule->name);
    plan_.wide_bytes += divided_up(wide(full) * encoded.element_bytes, alignment) * alignment;
    plan_.stages.push_back(std::move(stage));
  }

 private:
  // Of a window: all ranks' slices of it.
  std::uint64_t wide(std::uint64_t elements) const { return elements * (sliced_ ? ranks_ : 1); }

  Program bind(const Schedule& schedule, PlanRequest& request, std::uint64_t elements) const {
    const std::uint64_t bytes = elements * request.element_bytes;
    const BlockLayout layout = is_sliced(request.call.kind)
                                   ? BlockLayout::of_slices(bytes, bytes, schedule.blocks)
                                   : BlockLayout::of_vector(wide(elements), schedule.blocks, request.element_bytes);
    request.call.count = elements;
    return bind_window(schedule, layout, request, false, 0);
  }

  const PlanRequest& request_;
  const StageMaker& maker_;
  Plan& plan_;
  bool sliced_;
  std::uint64_t ranks_;
  std::uint64_t count_;       // wide elements of the vector, or of one rank's block
  std::uint64_t window_ = 1;  // of these, in a window
};

}  // namespace

std::unique_ptr<Plan> make_encoded_plan(const PlanRequest& request, std::unique_ptr<const Encoding> encoding,
                                        const StageMaker& maker) {
  auto plan = std::make_unique<Plan>();
  plan->call = request.call;
  plan->in_place = request.in_place;
  plan->rank = request.rank;
  plan->size = request.size;
  plan->choice = request.choice;
  plan->check = hash(request.call);
  plan->encoding = std::move(encoding);
  EncodedPlanner planner(request, maker, *plan);
  planner.cut();
  const auto stages = plan->encoding->stages();
  for (std::size_t i = 0; i < stages.size(); ++i) planner.add_stage(stages[i], i + 1 == stages.size());
  return plan;
}

}  // namespace tutti
