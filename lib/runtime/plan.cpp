// Blocks to bytes; see plan.hpp.
#include "runtime/plan.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "error.hpp"

namespace tutti {

namespace {

// Blocks begin at cache lines, so that two ranks never write one line, and SIMD runs from its start.
constexpr std::uint64_t block_alignment = 64;
// From here on results are larger than a share of the caches and stores that pass them are faster.
constexpr std::uint64_t streaming_bytes = 4u << 20;

std::uint64_t mirrored(std::uint64_t bits) {
  std::uint64_t out = 0;
  for (int i = 0; i < 64; ++i)
    if (bits >> i & 1) out |= std::uint64_t{1} << (63 - i);
  return out;
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

// Binds the schedule to one window size.
class Binder {
 public:
  Binder(const Schedule& schedule, const BlockLayout& layout, const PlanRequest& request)
      : schedule_(schedule), layout_(layout), request_(request) {}

  Program bind(std::uint64_t result_bytes) {
    place_asides();
    for (const Step& step : schedule_.steps) add(step);
    mark_forwards();
    mark_shares();
    if (result_bytes >= streaming_bytes && program_.steps.size() <= 4096) mark_streaming();
    // Larger results are better streamed past the caches, from slots that stay in them.
    for (PlanStep& step : program_.steps)
      step.direct =
          step.kind == StepKind::recv && step.run_count == 1 && request_.call.count * element() < streaming_bytes;
    program_.aside_readers.assign(program_.aside_offsets.size(), 0);
    for (PlanStep& step : program_.steps) count_readers(step);
    return std::move(program_);
  }

 private:
  // Scratch first, then each aside area in the order of its message's bytes.
  void place_asides() {
    std::uint64_t at = schedule_.uses_scratch ? place_scratch() : 0;
    program_.aside_offsets.assign(static_cast<std::size_t>(schedule_.aside_areas), 0);
    for (const Step& step : schedule_.steps)
      for (const Part& part : schedule_.parts_of(step)) {
        if (step.kind != StepKind::recv || part.to.space != Space::aside) continue;
        const auto area = static_cast<std::size_t>(part.to.area) - 1;
        auto& starts = aside_starts_[part.to.area];
        if (starts.empty()) {
          at = round_up(at, block_alignment);
          program_.aside_offsets[area] = at;
        }
        starts[part.blocks.begin] = at - program_.aside_offsets[area];
        at += layout_.compact_bytes(part.blocks);
      }
    program_.scratch_bytes = at;
  }

  // The bytes of the scratch. Of the blocks of an alltoall a rank meets few, and those alone get room in it.
  std::uint64_t place_scratch() {
    if (request_.call.kind != Kind::alltoall) return layout_.compact_bytes({0, schedule_.blocks});
    for (const Part& part : schedule_.parts)
      for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block)
        if (part.to.space == Space::scratch) scratch_starts_.emplace(block, 0);
    std::uint64_t at = 0;
    for (auto& [block, start] : scratch_starts_)
      start = std::exchange(at, at + layout_.compact_bytes({block, block + 1}));
    return at;
  }

  Location locate(Place place, std::int64_t block, std::uint64_t caller_offset, std::uint64_t compact_offset) {
    switch (place.space) {
      case Space::input:
        return {base_input, caller_offset};
      case Space::output:  // of an alltoall: the block from a rank lies at that rank's place
        return {base_output, is_alltoall() ? layout_.caller_offset(block / request_.size) : caller_offset};
      case Space::scratch:
        return {base_scratch, is_alltoall() ? scratch_starts_.at(block) : compact_offset};
      case Space::aside:
        break;
    }
    const auto& starts = aside_starts_[place.area];
    auto start = std::prev(starts.upper_bound(block));
    return {base_aside + static_cast<std::uint32_t>(place.area) - 1,
            start->second + compact_offset - layout_.compact_offset(start->first)};
  }

  void add(const Step& step) {
    PlanStep out{.kind = step.kind, .left = step.left};
    out.message = static_cast<std::uint32_t>(step.match);
    out.waits = mirrored(step.waits);
    out.first_run = static_cast<std::uint32_t>(program_.runs.size());
    out.first_source = static_cast<std::uint32_t>(program_.sources.size());
    out.source_count = static_cast<std::uint32_t>(step.source_count);
    if (step.peer >= 0) out.peer = real_rank(step.peer);
    int index = 0;
    for (const Part& part : schedule_.parts_of(step)) add_part(step, part, index++, out);
    out.run_count = static_cast<std::uint32_t>(program_.runs.size()) - out.first_run;
    out.idle = out.bytes == 0 && !schedule_.token;
    out.keeps_lease =
        step.kind == StepKind::recv && out.run_count > 0 && schedule_.parts_of(step).front().to.space == Space::aside;
    program_.most_runs = std::max(program_.most_runs, out.run_count);
    program_.steps.push_back(out);
  }

  void add_part(const Step& step, const Part& part, int index, PlanStep& out) {
    const auto add_run = [&](std::int64_t block, std::uint64_t caller, std::uint64_t bytes) {
      const std::uint64_t compact = layout_.compact_offset(block);
      Run run{{}, {}, bytes};
      if (step.kind != StepKind::recv && step.kind != StepKind::fold)
        run.from = locate(part.from, block, caller, compact);
      if (step.kind != StepKind::send) run.to = locate(part.to, block, caller, compact);
      out.bytes += bytes;
      if (step.kind == StepKind::fold) {
        for (const Place& source : schedule_.sources_of(step, index))
          program_.sources.push_back(locate(source, block, caller, compact));
      } else if (program_.runs.size() > out.first_run && joins(step.kind, program_.runs.back(), run)) {
        program_.runs.back().bytes += bytes;
        return;
      }
      program_.runs.push_back(run);
    };
    if (!is_alltoall()) return layout_.runs(part.blocks, add_run);
    // Neighbours in the input are none elsewhere.
    for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block)
      layout_.runs({block, block + 1}, add_run);
  }

  static bool joins(StepKind kind, const Run& a, const Run& b) {
    auto next = [&](Location x, Location y) { return x.base == y.base && x.offset + a.bytes == y.offset; };
    const bool from = kind == StepKind::recv || next(a.from, b.from);
    const bool to = kind == StepKind::send || next(a.to, b.to);
    return from && to;
  }

  std::uint64_t element() const { return request_.element_bytes; }
  bool is_alltoall() const { return request_.call.kind == Kind::alltoall; }

  int real_rank(int position) const {
    const bool rooted = request_.call.kind == Kind::broadcast || request_.call.kind == Kind::reduce;
    return rooted && !ordered_ && request_.choice.layers.empty() ? (position + request_.call.root) % request_.size
                                                                 : position;
  }

  void mark_streaming() {
    // Read again later? Then it had better stay in the cache.
    auto overlaps = [](Location place, std::uint64_t bytes, Location other, std::uint64_t other_bytes) {
      return place.base == other.base && place.offset < other.offset + other_bytes &&
             other.offset < place.offset + bytes;
    };
    for (std::size_t i = 0; i < program_.steps.size(); ++i) {
      PlanStep& step = program_.steps[i];
      if (step.kind == StepKind::send || step.idle) continue;
      bool again = false;
      for (std::size_t j = i + 1; j < program_.steps.size() && !again; ++j) {
        if (static_cast<std::int32_t>(j) == step.forward) continue;
        const PlanStep& later = program_.steps[j];
        for (std::uint32_t r = 0; r < later.run_count && !again; ++r)
          for (std::uint32_t mine = 0; mine < step.run_count && !again; ++mine) {
            const Run& run = program_.runs[step.first_run + mine];
            const Run& other = program_.runs[later.first_run + r];
            again = run.to.base != base_output || (later.kind != StepKind::recv && later.kind != StepKind::fold &&
                                                   overlaps(run.to, run.bytes, other.from, other.bytes));
            for (std::uint32_t s = 0; s < later.source_count && !again; ++s)
              again = overlaps(run.to, run.bytes, program_.sources[later.first_source + r * later.source_count + s],
                               other.bytes);
          }
      }
      step.streaming = !again && step.run_count > 0 && program_.runs[step.first_run].to.base == base_output;
    }
  }

  // A combine whose result is sent on: one pass writes it to the output and to where the message leaves from.
  void mark_forwards() {
    for (std::size_t i = 0; i < program_.steps.size(); ++i) {
      PlanStep& step = program_.steps[i];
      if ((step.kind != StepKind::recv_reduce && step.kind != StepKind::fold) || step.run_count != 1 ||
          step.bytes <= request_.inline_bytes)
        continue;
      const Run& run = program_.runs[step.first_run];
      for (std::size_t j = i + 1; j < std::min(program_.steps.size(), i + 8); ++j) {
        const PlanStep& later = program_.steps[j];
        if (later.kind != StepKind::send || later.run_count != 1 || later.bytes != step.bytes) continue;
        const Run& sent = program_.runs[later.first_run];
        if (sent.from.base != run.to.base || sent.from.offset != run.to.offset) continue;
        // It may wait for nothing else that can be open.
        const std::uint64_t only = std::uint64_t{1} << (64 - (j - i));
        if (later.waits == only) step.forward = static_cast<std::int32_t>(j);
        break;
      }
    }
  }

  // A send of what an earlier one has sent to another rank need not copy it again.
  void mark_shares() {
    auto same = [&](const PlanStep& a, const PlanStep& b) {
      if (a.bytes != b.bytes || a.run_count != b.run_count) return false;
      for (std::uint32_t i = 0; i < a.run_count; ++i) {
        const Location& x = program_.runs[a.first_run + i].from;
        const Location& y = program_.runs[b.first_run + i].from;
        if (x.base != y.base || x.offset != y.offset) return false;
      }
      return true;
    };
    for (std::size_t j = 1; j < program_.steps.size(); ++j) {
      PlanStep& step = program_.steps[j];
      if (step.kind != StepKind::send || step.bytes <= request_.inline_bytes) continue;
      for (std::size_t back = 1; back <= std::min<std::size_t>(j, 8) && step.shares < 0; ++back) {
        const PlanStep& earlier = program_.steps[j - back];
        if (earlier.kind == StepKind::send && same(earlier, step))
          step.shares = static_cast<std::int32_t>(j - back);
        else if (earlier.kind != StepKind::send && writes_into(earlier, step))
          break;
      }
    }
  }

  bool writes_into(const PlanStep& writer, const PlanStep& reader) const {
    for (std::uint32_t w = 0; w < writer.run_count; ++w)
      for (std::uint32_t r = 0; r < reader.run_count; ++r) {
        const Run& to = program_.runs[writer.first_run + w];
        const Run& from = program_.runs[reader.first_run + r];
        if (to.to.base == from.from.base && to.to.offset < from.from.offset + from.bytes &&
            from.from.offset < to.to.offset + to.bytes)
          return true;
      }
    return false;
  }

  void count_readers(PlanStep& step) {
    std::vector<std::uint32_t> areas;
    auto note = [&](Location place) {
      if (place.base < base_aside) return;
      const std::uint32_t area = place.base - base_aside;
      if (std::find(areas.begin(), areas.end(), area) == areas.end()) areas.push_back(area);
    };
    for (std::uint32_t i = 0; i < step.source_count * step.run_count; ++i)
      note(program_.sources[step.first_source + i]);
    for (std::uint32_t i = 0; i < step.run_count; ++i)
      if (step.kind != StepKind::recv && step.kind != StepKind::fold) note(program_.runs[step.first_run + i].from);
    step.first_area = static_cast<std::uint32_t>(program_.areas.size());
    step.area_count = static_cast<std::uint32_t>(areas.size());
    program_.areas.insert(program_.areas.end(), areas.begin(), areas.end());
    for (std::uint32_t area : areas) ++program_.aside_readers[area];
  }

 public:
  bool ordered_ = false;

 private:
  const Schedule& schedule_;
  const BlockLayout& layout_;
  const PlanRequest& request_;
  Program program_;
  std::map<std::int32_t, std::map<std::int64_t, std::uint64_t>> aside_starts_;  // area -> first block -> offset
  std::map<std::int64_t, std::uint64_t> scratch_starts_;                        // of an alltoall: block -> offset
};

}  // namespace

BlockLayout BlockLayout::of_vector(std::uint64_t window_elements, std::int64_t blocks, std::uint32_t element_bytes) {
  BlockLayout layout;
  layout.end_ = window_elements * element_bytes;
  const auto parts = static_cast<std::uint64_t>(blocks);
  // A common multiple of the element and the cache line, where elements are powers of two up to 16 bytes.
  const std::uint64_t unit = block_alignment % element_bytes == 0 ? block_alignment : element_bytes;
  layout.size_ = round_up((layout.end_ + parts - 1) / parts, unit);
  layout.stride_ = layout.size_;
  return layout;
}

BlockLayout BlockLayout::of_slices(std::uint64_t block_bytes, std::uint64_t slice_bytes, std::int64_t blocks) {
  BlockLayout layout;
  layout.stride_ = block_bytes;
  layout.size_ = slice_bytes;
  layout.end_ = static_cast<std::uint64_t>(blocks) * slice_bytes;
  return layout;
}

std::uint64_t BlockLayout::compact_offset(std::int64_t block) const {
  return std::min(end_, static_cast<std::uint64_t>(block) * size_);
}

template <class Visit>
void BlockLayout::runs(Interval blocks, Visit visit) const {
  if (stride_ == size_) {
    const std::uint64_t begin = compact_offset(blocks.begin), end = compact_offset(blocks.end);
    if (begin < end) visit(blocks.begin, begin, end - begin);
    return;
  }
  for (std::int64_t block = blocks.begin; block < blocks.end; ++block)
    if (size_ > 0) visit(block, static_cast<std::uint64_t>(block) * stride_, size_);
}

std::uint32_t hash(const Call& call) {
  std::uint64_t value = 0x9e3779b97f4a7c15u;
  auto mix = [&](std::uint64_t word) {
    value = (value ^ word) * 0xff51afd7ed558ccdu;
    value ^= value >> 32;
  };
  mix(static_cast<std::uint64_t>(call.kind));
  mix(static_cast<std::uint64_t>(call.type));
  mix(static_cast<std::uint64_t>(call.op));
  mix(static_cast<std::uint64_t>(call.root));
  mix(call.count);
  mix(static_cast<std::uint64_t>(call.payload.form));
  mix(call.payload.summands);
  mix(static_cast<std::uint64_t>(call.payload.code.format) << 40 | std::uint64_t{call.payload.code.block} << 1 |
      (call.payload.code.stochastic ? 1 : 0));
  if (call.sparse.brings != Sparse::none) {
    mix(static_cast<std::uint64_t>(call.sparse.brings) << 16 | static_cast<std::uint64_t>(call.sparse.global) << 8 |
        call.sparse.index_bytes);
    mix(call.sparse.k);
    mix(call.sparse.bucket);
    mix(call.sparse.keep);
  }
  return static_cast<std::uint32_t>(value);
}

namespace {

std::string describe_sparse(const Call& call) {
  const SparseCall& sparse = call.sparse;
  const bool top = sparse.brings == Sparse::top_k;
  std::string text =
      fmt::format("{}{} of {} {}", top ? "topk-" : "sparse ", kind_name(call.kind), call.count, type_name(call.type));
  if (call.kind == Kind::broadcast) text += fmt::format(", root {}", call.root);
  if (top) text += fmt::format(", k {}", sparse.k);
  if (sparse.bucket) text += fmt::format(" of every {}", sparse.bucket);
  if (call.kind == Kind::allreduce && sparse.global) text += fmt::format(", the {} largest of the sum", sparse.keep);
  if (call.kind == Kind::allreduce && !sparse.global) text += ", the sum of all";
  return text;
}

}  // namespace

std::string describe(const Call& call) {
  if (call.kind == Kind::barrier) return "barrier";
  if (call.sparse.brings != Sparse::none) return describe_sparse(call);
  std::string text = fmt::format("{} of {} {}", kind_name(call.kind), call.count, type_name(call.type));
  const bool combines = call.kind == Kind::allreduce || call.kind == Kind::reduce || call.kind == Kind::reduce_scatter;
  if (combines) text += fmt::format(", {}", op_name(call.op));
  if (call.payload.form != PayloadForm::dense) text += fmt::format(", {}", describe(call.payload));
  if (call.kind == Kind::broadcast || call.kind == Kind::reduce) text += fmt::format(", root {}", call.root);
  return text;
}

ScheduleKey schedule_key(const PlanRequest& request, bool commutative) {
  const Call& call = request.call;
  ScheduleKey key;
  key.algorithm = request.choice.algorithm;
  key.parameter = request.choice.parameter;
  key.size = request.size;
  key.in_place = request.in_place;
  key.ordered = !commutative;
  const bool rooted = call.kind == Kind::broadcast || call.kind == Kind::reduce;
  // In rank order and in hierarchies positions are ranks; elsewhere they are counted from the root, so that one
  // schedule serves all roots.
  key.layers = request.choice.layers;
  if (!key.layers.empty()) key.shape = request.shape;
  const bool counts = key.ordered || !key.layers.empty();
  key.root = rooted && counts ? call.root : 0;
  key.position = rooted && !counts ? (request.rank - call.root + request.size) % request.size : request.rank;
  return key;
}

Program bind_window(const Schedule& schedule, const BlockLayout& layout, const PlanRequest& request, bool ordered,
                    std::uint64_t result_bytes) {
  Binder binder(schedule, layout, request);
  binder.ordered_ = ordered;
  return binder.bind(result_bytes);
}

void check_messages(const PlanRequest& request, const Program& program, const std::string& algorithm) {
  for (const PlanStep& step : program.steps)
    if (request.max_message && step.kind != StepKind::copy && step.kind != StepKind::fold &&
        step.bytes > request.max_message)
      throw error(
          TUTTI_ERROR_UNSUPPORTED,
          "{} by {}: a window of {} bytes needs a message of {} bytes, the transport takes at most {}; choose a "
          "smaller window",
          describe(request.call), algorithm, request.choice.window_bytes, step.bytes, request.max_message);
}

std::uint64_t sent_bytes(const Plan& plan) {
  const auto of = [](const Program& program) {
    std::uint64_t bytes = 0;
    for (const PlanStep& step : program.steps)
      if (step.kind == StepKind::send) bytes += step.bytes;
    return bytes;
  };
  std::uint64_t bytes = 0;
  for (const PlanStage& stage : plan.stages) bytes += (plan.windows - 1) * of(stage.full) + of(stage.last);
  return bytes;
}

std::unique_ptr<Plan> make_plan(const PlanRequest& request, std::shared_ptr<const Schedule> schedule) {
  auto plan = std::make_unique<Plan>();
  const Call& call = request.call;
  plan->call = call;
  plan->in_place = request.in_place;
  plan->rank = request.rank;
  plan->size = request.size;
  plan->choice = request.choice;
  plan->check = hash(call);
  PlanStage& stage = plan->stages.emplace_back();
  stage.element_bytes = request.element_bytes;
  stage.choice = request.choice;
  const bool combines = call.kind == Kind::allreduce || call.kind == Kind::reduce || call.kind == Kind::reduce_scatter;
  if (combines) stage.operation = operation(call.type, call.op);
  const std::uint64_t element = stage.element_bytes;
  const std::uint64_t vector_bytes = call.count * element;  // of the whole vector, or of one rank's block
  const auto ranks = static_cast<std::uint64_t>(request.size);

  // The elements that one window takes: of the vector, or of each rank's block.
  const std::uint64_t share = is_sliced(call.kind) ? request.choice.window_bytes / ranks : request.choice.window_bytes;
  const std::uint64_t unit = std::max<std::uint64_t>(block_alignment / element, 1);
  std::uint64_t window = std::max(share / element / unit * unit, unit);
  // The choice cuts on cache lines; what it does not cut stays whole.
  if (request.choice.windows == 1) window = call.count;
  window = std::clamp<std::uint64_t>(window, 1, std::max<std::uint64_t>(call.count, 1));
  plan->windows = call.count == 0 ? 1 : static_cast<std::uint32_t>((call.count + window - 1) / window);
  plan->window_stride = window * element;
  const std::uint64_t rest = call.count - (plan->windows - 1) * window;

  const bool root_here = call.kind != Kind::reduce || call.root == request.rank;
  const bool gathers = call.kind == Kind::allgather || call.kind == Kind::alltoall;
  plan->result_bytes = root_here ? vector_bytes * (gathers ? ranks : 1) : 0;
  plan->block_bytes = is_sliced(call.kind) ? vector_bytes : 0;
  const std::uint64_t own = static_cast<std::uint64_t>(request.rank) * plan->block_bytes;
  if (call.kind == Kind::allgather) plan->input_shift = own;
  if (call.kind == Kind::alltoall) plan->input_shift = own * ranks;
  if (call.kind == Kind::reduce_scatter) plan->output_shift = own;

  auto bind = [&](std::uint64_t elements) {
    const BlockLayout layout = is_sliced(call.kind)
                                   ? BlockLayout::of_slices(vector_bytes, elements * element, schedule->blocks)
                                   : BlockLayout::of_vector(elements, schedule->blocks, stage.element_bytes);
    // An average divides the output once more, so it must not leave the cache.
    Program program = bind_window(*schedule, layout, request, !stage.operation.commutative,
                                  stage.operation.divide ? 0 : plan->result_bytes);
    program.output_bytes = root_here ? elements * element : 0;
    return program;
  };
  stage.full = bind(plan->windows > 1 ? window : call.count);
  stage.last = plan->windows > 1 ? bind(rest) : stage.full;
  check_messages(request, stage.full, schedule->name);
  return plan;
}

}  // namespace tutti
