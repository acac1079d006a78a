// Windows, steps and kernels on the host; see execution.hpp. From start() to completion nothing here allocates,
// locks, calls the system or logs, except where a lease must be staged.
#include "runtime/execution.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "error.hpp"

namespace tutti {

namespace {

// After so many passes without progress, what is leased is copied, so that the sender gets its slot back: two ranks
// that keep each other's slots would otherwise wait for ever.
constexpr std::uint32_t patience = 256;
constexpr std::uint64_t alignment = 64;

std::byte* aligned(std::byte* address) {
  const auto value = reinterpret_cast<std::uintptr_t>(address);
  return address + (alignment - value % alignment) % alignment;
}

// The caller's buffers are addressed from the start of the whole vector, which may lie before them.
std::byte* shifted(const void* address, std::uint64_t back, std::uint64_t forth) {
  return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(address) - back + forth);
}

}  // namespace

Execution::Execution(const Plan& plan, const Wiring& wiring)
    : plan_(&plan), wiring_(wiring), inline_bytes_(wiring.transport->traits().inline_bytes) {
  windows_.resize(std::min<std::size_t>(plan.windows, static_cast<std::size_t>(std::max(plan.choice.in_flight, 1))));
  std::size_t steps = 1, areas = 0, sources = 0;
  std::uint64_t scratch = 0;
  std::uint32_t runs = 1;
  for (const PlanStage& stage : plan.stages)
    for (const Program* program : {&stage.full, &stage.last}) {
      steps = std::max(steps, program->steps.size());
      areas = std::max(areas, program->aside_offsets.size());
      for (const PlanStep& step : program->steps) sources = std::max<std::size_t>(sources, step.source_count);
      scratch = std::max(scratch, program->scratch_bytes);
      runs = std::max(runs, program->most_runs);
    }
  fold_sources_.resize(sources);
  scratch_bytes_ = scratch;
  for (Window& window : windows_) {
    window.steps = std::vector<StepState>(std::bit_ceil(std::min<std::size_t>(steps, lookahead)));
    if (runs > 1) window.pieces.resize(window.steps.size() * runs);
    window.bases.resize(base_aside + areas);
    window.aside_readers.resize(areas);
    window.leases.resize(areas);
    if (scratch) window.scratch = std::make_unique_for_overwrite<std::byte[]>(scratch + alignment);
    if (plan.encoding) make_room(window);
  }
}

Execution::~Execution() {
  for (Window& window : windows_)
    if (window.device_scratch) device_->release(window.device_scratch);
}

void Execution::start(const void* input, void* output, std::uint32_t sequence, Device* device) {
  input_ = input;
  inputs_ = {&input_, 1};
  output_ = static_cast<std::byte*>(output);
  sequence_ = sequence;
  if (device != device_ || device != nullptr) {
    for (Window& window : windows_)
      if (window.device_scratch) device_->release(std::exchange(window.device_scratch, nullptr));
    device_ = device;
  }
  next_window_ = 0;
  finished_windows_ = 0;
  misfit_.peer = -1;
  for (Window& window : windows_) open_window(window);
}

void Execution::start(std::span<const void* const> inputs, void* output, std::uint32_t sequence) {
  inputs_ = inputs;
  output_ = static_cast<std::byte*>(output);
  sequence_ = sequence;
  next_window_ = 0;
  finished_windows_ = 0;
  misfit_.peer = -1;
  for (Window& window : windows_) open_window(window);
}

// Two windows that are open here must differ in their tags, however far the others run ahead of a starved one.
bool Execution::may_open_window() const {
  if (next_window_ == plan_->windows) return false;
  const std::uint32_t most = window_tags / static_cast<std::uint32_t>(plan_->stages.size());
  return next_window_ < most || std::none_of(windows_.begin(), windows_.end(), [&](const Window& other) {
           return other.active && next_window_ - other.index >= most;
         });
}

void Execution::open_window(Window& window) {
  window.active = false;
  if (!may_open_window()) return;
  window.index = next_window_++;
  window.active = true;
  enter_stage(window, plan_->stages.front());
}

// Begins the schedule of a stage.
void Execution::enter_stage(Window& window, const PlanStage& stage) {
  window.stage = &stage;
  window.program = window.index + 1 == plan_->windows ? &stage.last : &stage.full;
  window.head = 0;
  window.started = 0;
  window.done = 0;
  window.idle_passes = 0;
  window.dividing = false;
  if (plan_->encoding) {
    encode(window);
    place_bases(window);
  } else {
    const std::uint64_t forth = plan_->window_stride * window.index;
    window.bases[base_input] = shifted(input_, plan_->input_shift, forth);
    window.bases[base_output] = shifted(output_, plan_->output_shift, forth);
  }
  std::byte* scratch = aligned(window.scratch.get());
  if (device_ && window.program->scratch_bytes) {
    if (!window.device_scratch) window.device_scratch = device_->allocate(scratch_bytes_);
    scratch = static_cast<std::byte*>(window.device_scratch);
  }
  window.bases[base_scratch] = scratch;
  for (std::size_t area = 0; area < window.program->aside_offsets.size(); ++area) {
    window.bases[base_aside + area] = scratch + window.program->aside_offsets[area];
    window.aside_readers[area] = window.program->aside_readers[area];
  }
  for (Receive& lease : window.leases) lease.address = nullptr;
}

bool Execution::close_window(Window& window) {
  if (plan_->encoding) {
    if (window.stage != &plan_->stages.back()) {
      enter_stage(window, *(window.stage + 1));
      return true;
    }
    decode(window);
  }
  if (window.stage->operation.divide && window.program->output_bytes) {
    if (device_) {
      if (!device_divide(window)) return false;
    } else {
      window.stage->operation.divide(window.bases[base_output] + plan_->output_shift,
                                     window.program->output_bytes / window.stage->element_bytes,
                                     static_cast<std::uint64_t>(plan_->size));
    }
  }
  ++finished_windows_;
  open_window(window);
  return true;
}

bool Execution::advance() {
  for (Window& window : windows_) {
    if (!window.active && next_window_ < plan_->windows) open_window(window);
    if (!window.active) continue;
    const std::uint64_t before = progress_;
    while (window.active && step_window(window) && close_window(window)) {
    }
    if (misfit_.peer >= 0) return true;
    window.idle_passes = progress_ == before ? window.idle_passes + 1 : 0;
    if (window.idle_passes && window.idle_passes % patience == 0 && !device_) stage_leases(window);
  }
  return finished_windows_ == plan_->windows;
}

inline bool Execution::may_begin(const Window& window, std::int32_t step) const {
  const std::int32_t ahead = step - window.head;
  if (ahead == 0) return true;
  const std::uint64_t waits = window.program->steps[static_cast<std::size_t>(step)].waits >> (64 - ahead);
  return (waits & ~window.done) == 0;
}

inline void Execution::mark_done(Window& window, std::int32_t step) {
  ++progress_;
  window.done |= std::uint64_t{1} << (step - window.head);
  const int ended = std::countr_one(window.done);
  if (ended == 0) return;
  window.head += ended;
  window.done = ended == 64 ? 0 : window.done >> ended;
  window.started = ended == 64 ? 0 : window.started >> ended;
}

// One pass over the steps within reach. True once all steps of the window have ended.
bool Execution::step_window(Window& window) {
  const auto count = static_cast<std::int32_t>(window.program->steps.size());
  for (std::int32_t step = window.head; step < std::min(window.head + lookahead, count); ++step) {
    if (step < window.head) continue;
    const std::uint64_t bit = std::uint64_t{1} << (step - window.head);
    if (window.done & bit) continue;
    if (run_step(window, step, may_begin(window, step))) mark_done(window, step);
    if (misfit_.peer >= 0) return false;
  }
  return window.head == count;
}

bool Execution::run_step(Window& window, std::int32_t index, bool ready) {
  const PlanStep& step = window.program->steps[static_cast<std::size_t>(index)];
  if (step.idle) return true;
  // A short message needs no posting and must not be leased for long; a long one is posted at once if it is combined.
  const bool posts_early = step.kind == StepKind::recv_reduce && step.bytes > inline_bytes_;
  StepState& state = state_of(window, index);
  const std::uint64_t bit = std::uint64_t{1} << (index - window.head);
  if (!(window.started & bit)) {
    if (!ready && !posts_early) return false;
    window.started |= bit;
    state.phase = Phase::transport;
    if (device_) {
      state.next_run = 0;
      state.offset = 0;
      state.ticket = 0;
    }
    if (step.kind == StepKind::send && !device_) begin_send(window, step, state);
    if (step.kind == StepKind::recv || step.kind == StepKind::recv_reduce) begin_receive(window, step, state);
  }
  if (device_) return run_on_device(window, index, step, state, ready);
  switch (step.kind) {
    case StepKind::send:
      if (step.shares >= 0 && state.send.state == 0) share_earlier(window, step, state);
      if (!wiring_.transport->send(state.send)) return false;
      break;
    case StepKind::recv:
    case StepKind::recv_reduce:
      if (!run_receive(window, step, state, ready)) return false;
      break;
    case StepKind::copy:
      run_copy(window, step);
      break;
    case StepKind::fold:
      run_fold(window, step);
      break;
  }
  if (step.area_count) finished_reading(window, step);
  return true;
}

void Execution::begin_send(Window& window, const PlanStep& step, StepState& state) {
  Send& send = state.send;
  send.peer = wiring_.peer(step.peer);
  send.tag = {make_match(wiring_.channel, sequence_, tag_of(window), step.message), check_};
  send.bytes = step.bytes;
  send.state = 0;
  const Run* runs = window.program->runs.data() + step.first_run;
  if (step.run_count <= 1) {
    if (step.run_count) state.piece = {at(window, runs->from), runs->bytes};
    send.pieces = {&state.piece, step.run_count};
    return;
  }
  Piece* pieces = window.pieces.data() +
                  static_cast<std::size_t>(&state - window.steps.data()) * (window.pieces.size() / window.steps.size());
  for (std::uint32_t i = 0; i < step.run_count; ++i) pieces[i] = {at(window, runs[i].from), runs[i].bytes};
  send.pieces = {pieces, step.run_count};
}

void Execution::share_earlier(Window& window, const PlanStep& step, StepState& state) {
  const bool ended = step.shares < window.head || (window.done >> (step.shares - window.head) & 1);
  // Its state may belong to a later step by now.
  const std::int32_t later = step.shares + lookahead - window.head;
  const bool kept = later >= lookahead || !(window.started >> later & 1);
  if (ended && kept) wiring_.transport->share(state.send, state_of(window, step.shares).send);
}

void Execution::begin_receive(const Window& window, const PlanStep& step, StepState& state) {
  state.receive.peer = wiring_.peer(step.peer);
  state.receive.tag = {make_match(wiring_.channel, sequence_, tag_of(window), step.message), check_};
  state.receive.bytes = step.bytes;
  const Run* run = window.program->runs.data() + step.first_run;
  state.receive.landing = step.direct && !device_ ? at(window, run->to) : nullptr;
  state.receive.address = nullptr;
  state.receive.state = 0;
}

bool Execution::fits(const PlanStep& step, const Receive& receive) {
  if (receive.check == check_ && receive.bytes_arrived == step.bytes) [[likely]]
    return true;
  misfit_ = {step.peer, receive.check, receive.bytes_arrived, step.bytes};
  return false;
}

bool Execution::run_receive(Window& window, const PlanStep& step, StepState& state, bool ready) {
  Receive& receive = state.receive;
  if (state.phase == Phase::transport) {
    if (!wiring_.transport->receive(receive)) return false;
    state.phase = Phase::leased;
    if (!fits(step, receive)) return false;
  }
  if (step.keeps_lease && !receive.scarce) {
    const std::uint32_t base = window.program->runs[step.first_run].to.base;
    const std::uint32_t area = base - base_aside;
    if (window.aside_readers[area]) {
      window.bases[base] = static_cast<std::byte*>(const_cast<void*>(receive.address));
      window.leases[area] = receive;
    } else {
      wiring_.transport->release(receive);
    }
    return true;
  }
  if (!ready) {
    if (receive.scarce) stage(state, step.bytes);
    return false;
  }
  const auto* arrived =
      static_cast<const std::byte*>(state.phase == Phase::staged ? state.staging.get() : receive.address);
  if (step.kind == StepKind::recv && arrived == receive.landing)
    ;  // the transport has put it there
  else if (step.kind == StepKind::recv)
    scatter(window, step, arrived);
  else
    combine(window, step, arrived);
  if (state.phase == Phase::leased)
    wiring_.transport->release(receive);
  else
    state.staging.reset();
  return true;
}

void Execution::scatter(Window& window, const PlanStep& step, const std::byte* arrived) {
  for (std::uint32_t i = 0; i < step.run_count; ++i) {
    const Run& run = window.program->runs[step.first_run + i];
    copy_bytes(at(window, run.to), arrived, run.bytes, step.streaming);
    arrived += run.bytes;
  }
}

// Where the message of a later send may be written by the kernel that makes it; null where that is not possible now.
std::byte* Execution::forward_room(Window& window, const PlanStep& step) {
  if (step.forward < 0 || step.forward >= window.head + lookahead) return nullptr;
  const PlanStep& later = window.program->steps[static_cast<std::size_t>(step.forward)];
  StepState& state = state_of(window, step.forward);
  begin_send(window, later, state);
  void* room = wiring_.transport->reserve(state.send);
  if (!room) return nullptr;
  state.phase = Phase::transport;
  window.started |= std::uint64_t{1} << (step.forward - window.head);
  wiring_.transport->commit(state.send);  // what it announces is pushed by a later send()
  return static_cast<std::byte*>(room);
}

void Execution::combine(Window& window, const PlanStep& step, const std::byte* arrived) {
  const Operation& kernels = window.stage->operation;
  std::byte* room = forward_room(window, step);
  for (std::uint32_t i = 0; i < step.run_count; ++i) {
    const Run& run = window.program->runs[step.first_run + i];
    const std::byte* here = at(window, run.from);
    const std::byte* left = step.left ? arrived : here;
    const std::byte* right = step.left ? here : arrived;
    const std::uint64_t elements = run.bytes / window.stage->element_bytes;
    if (room)
      kernels.combine_twice(at(window, run.to), room, left, right, elements, step.streaming, kernels.context);
    else
      kernels.combine(at(window, run.to), left, right, elements, step.streaming && step.forward < 0, kernels.context);
    arrived += run.bytes;
  }
}

void Execution::run_copy(Window& window, const PlanStep& step) {
  for (std::uint32_t i = 0; i < step.run_count; ++i) {
    const Run& run = window.program->runs[step.first_run + i];
    copy_bytes(at(window, run.to), at(window, run.from), run.bytes, step.streaming);
  }
}

void Execution::run_fold(Window& window, const PlanStep& step) {
  const Operation& kernels = window.stage->operation;
  std::byte* room = forward_room(window, step);
  for (std::uint32_t i = 0; i < step.run_count; ++i) {
    const Run& run = window.program->runs[step.first_run + i];
    const Location* sources = window.program->sources.data() + step.first_source + i * step.source_count;
    for (std::uint32_t s = 0; s < step.source_count; ++s) fold_sources_[s] = at(window, sources[s]);
    std::byte* to = at(window, run.to);
    const std::uint64_t elements = run.bytes / window.stage->element_bytes;
    if (step.source_count == 2 && room) {
      kernels.combine_twice(to, room, fold_sources_[0], fold_sources_[1], elements, step.streaming, kernels.context);
    } else if (step.source_count == 2) {
      kernels.combine(to, fold_sources_[0], fold_sources_[1], elements, step.streaming && step.forward < 0,
                      kernels.context);
    } else {
      kernels.fold(room ? room : to, fold_sources_.data(), step.source_count, elements,
                   step.streaming && step.forward < 0, kernels.context);
      if (room) copy_bytes(to, room, run.bytes, step.streaming);
    }
  }
}

void Execution::finished_reading(Window& window, const PlanStep& step) {
  for (std::uint32_t i = 0; i < step.area_count; ++i) {
    const std::uint32_t area = window.program->areas[step.first_area + i];
    if (--window.aside_readers[area] == 0 && window.leases[area].address) {
      wiring_.transport->release(window.leases[area]);
      window.leases[area].address = nullptr;
    }
  }
}

void Execution::stage(StepState& state, std::uint64_t bytes) {
  state.staging = std::make_unique_for_overwrite<std::byte[]>(bytes + 1);
  std::memcpy(state.staging.get(), state.receive.address, bytes);
  wiring_.transport->release(state.receive);
  state.phase = Phase::staged;
}

void Execution::stage_leases(Window& window) {
  const auto count = static_cast<std::int32_t>(window.program->steps.size());
  for (std::int32_t index = window.head; index < std::min(window.head + lookahead, count); ++index) {
    const PlanStep& step = window.program->steps[static_cast<std::size_t>(index)];
    const std::uint64_t bit = std::uint64_t{1} << (index - window.head);
    StepState& state = state_of(window, index);
    if ((window.started & bit) && !(window.done & bit) && step.kind == StepKind::recv_reduce &&
        state.phase == Phase::leased)
      stage(state, step.bytes);
  }
  for (const PlanStep& step : window.program->steps) {
    if (!step.keeps_lease || step.run_count == 0) continue;
    const std::uint32_t base = window.program->runs[step.first_run].to.base;
    Receive& lease = window.leases[base - base_aside];
    if (!lease.address) continue;
    std::byte* own = window.bases[base_scratch] + window.program->aside_offsets[base - base_aside];
    std::memcpy(own, lease.address, step.bytes);
    window.bases[base] = own;
    wiring_.transport->release(lease);
    lease.address = nullptr;
  }
}

Execution::Awaited Execution::awaited() const {
  Awaited awaited;
  for (const Window& window : windows_) {
    if (!window.active) continue;
    const auto count = static_cast<std::int32_t>(window.program->steps.size());
    for (std::int32_t index = window.head; index < std::min(window.head + lookahead, count); ++index) {
      const std::uint64_t bit = std::uint64_t{1} << (index - window.head);
      const PlanStep& step = window.program->steps[static_cast<std::size_t>(index)];
      if (!(window.started & bit) || (window.done & bit) || step.peer < 0) continue;
      if (window.steps[static_cast<std::size_t>(index) & (window.steps.size() - 1)].phase != Phase::transport) continue;
      if (awaited.step < 0) {
        awaited.step = index;
        awaited.sending = step.kind == StepKind::send;
      }
      if (std::find(awaited.peers.begin(), awaited.peers.end(), step.peer) == awaited.peers.end())
        awaited.peers.push_back(step.peer);
    }
  }
  return awaited;
}

// Leases go back first: a sender that withdraws waits until nobody reads its pieces, and two ranks that both give up would
// otherwise wait for each other.
void Execution::cancel() {
  for (Window& window : windows_)
    if (window.active) give_back_leases(window);
  for (Window& window : windows_) {
    if (!window.active) continue;
    for_each_open(window, [&](StepKind kind, StepState& state) {
      if (device_) release_device(state);
      if (kind == StepKind::send && (!device_ || state.phase == Phase::staged)) wiring_.transport->cancel(state.send);
      state.staging.reset();
    });
    window.active = false;
  }
}

void Execution::give_back_leases(Window& window) {
  for_each_open(window, [&](StepKind kind, StepState& state) {
    if ((kind == StepKind::recv || kind == StepKind::recv_reduce) && state.phase <= Phase::leased)
      wiring_.transport->cancel(state.receive);
  });
  for (Receive& lease : window.leases)
    if (lease.address) {
      wiring_.transport->release(lease);
      lease.address = nullptr;
    }
}

// The steps that have begun and not ended.
template <class Visit>
void Execution::for_each_open(Window& window, Visit visit) {
  const auto count = static_cast<std::int32_t>(window.program->steps.size());
  for (std::int32_t index = window.head; index < std::min(window.head + lookahead, count); ++index) {
    const std::uint64_t bit = std::uint64_t{1} << (index - window.head);
    if ((window.started & bit) && !(window.done & bit))
      visit(window.program->steps[static_cast<std::size_t>(index)].kind, state_of(window, index));
  }
}

}  // namespace tutti
