// Steps on a device's memory: the host cannot read it and its kernels complete later. Messages pass through host
// staging; each step starts one kernel after the other and is asked again until they are done.
#include <cstring>

#include "runtime/execution.hpp"

namespace tutti {

bool Execution::run_on_device(Window& window, std::int32_t, const PlanStep& step, StepState& state, bool ready) {
  switch (step.kind) {
    case StepKind::send:
      if (!device_send(window, step, state)) return false;
      break;
    case StepKind::recv:
    case StepKind::recv_reduce:
      if (!device_receive(window, step, state, ready)) return false;
      break;
    case StepKind::copy:
    case StepKind::fold:
      state.phase = Phase::kernel;
      if (!device_kernel(window, step, state)) return false;
      break;
  }
  release_device(state);
  state.staging.reset();
  return true;
}

// Device to host staging, then to the transport.
bool Execution::device_send(Window& window, const PlanStep& step, StepState& state) {
  if (state.phase == Phase::transport) {
    state.staging = std::make_unique_for_overwrite<std::byte[]>(step.bytes + 1);
    state.phase = Phase::kernel;
  }
  if (state.phase == Phase::kernel) {
    if (!device_kernel(window, step, state)) return false;
    begin_send(window, step, state);
    state.piece = {state.staging.get(), step.bytes};
    state.send.pieces = {&state.piece, step.run_count ? 1u : 0u};
    state.phase = Phase::staged;
  }
  return wiring_.transport->send(state.send);
}

// From the transport to host staging, so that its lease is free at once; then to the device.
bool Execution::device_receive(Window& window, const PlanStep& step, StepState& state, bool ready) {
  if (state.phase == Phase::transport) {
    if (!wiring_.transport->receive(state.receive)) return false;
    state.phase = Phase::leased;
    if (!fits(step, state.receive)) return false;
    stage(state, step.bytes);
    if (step.kind == StepKind::recv_reduce && step.bytes) {
      state.device_staging = device_->allocate(step.bytes);
      state.ticket = device_->copy_in(state.device_staging, state.staging.get(), step.bytes);
    }
  }
  if (!ready) return false;
  state.phase = Phase::kernel;
  return device_kernel(window, step, state);
}

// One kernel for each run of the step, the next when the one before is done. True after the last.
bool Execution::device_kernel(Window& window, const PlanStep& step, StepState& state) {
  while (true) {
    if (state.ticket && !device_->done(state.ticket)) return false;
    state.ticket = 0;
    if (state.next_run == step.run_count) return true;
    const Run& run = window.program->runs[step.first_run + state.next_run];
    const std::uint64_t elements = run.bytes / window.stage->element_bytes;
    switch (step.kind) {
      case StepKind::send:
        state.ticket = device_->copy_out(state.staging.get() + state.offset, at(window, run.from), run.bytes);
        break;
      case StepKind::recv:
        state.ticket = device_->copy_in(at(window, run.to), state.staging.get() + state.offset, run.bytes);
        break;
      case StepKind::recv_reduce: {
        const std::byte* arrived = static_cast<std::byte*>(state.device_staging) + state.offset;
        const std::byte* here = at(window, run.from);
        state.ticket = device_->combine(at(window, run.to), step.left ? arrived : here, step.left ? here : arrived,
                                        elements, plan_->call.type, plan_->call.op);
        break;
      }
      case StepKind::copy:
        state.ticket = device_->copy(at(window, run.to), at(window, run.from), run.bytes);
        break;
      case StepKind::fold: {
        const Location* sources =
            window.program->sources.data() + step.first_source + state.next_run * step.source_count;
        for (std::uint32_t s = 0; s < step.source_count; ++s) fold_sources_[s] = at(window, sources[s]);
        state.ticket = device_->fold(at(window, run.to), fold_sources_.data(), step.source_count, elements,
                                     plan_->call.type, plan_->call.op);
        break;
      }
    }
    state.offset += run.bytes;
    ++state.next_run;
  }
}

bool Execution::device_divide(Window& window) {
  if (!window.dividing) {
    window.dividing = true;
    window.ticket = device_->divide(window.bases[base_output] + plan_->output_shift,
                                    window.program->output_bytes / window.stage->element_bytes, plan_->call.type,
                                    static_cast<std::uint64_t>(plan_->size));
  }
  return device_->done(window.ticket);
}

// Waits for a kernel that runs, so that the device touches no buffer any more, and frees its staging.
void Execution::release_device(StepState& state) {
  while (state.ticket && !device_->done(state.ticket)) {
  }
  state.ticket = 0;
  if (state.device_staging) device_->release(state.device_staging);
  state.device_staging = nullptr;
}

}  // namespace tutti
