// What a communicator does about dead, late and mismatched peers: tells them apart, names them, and tells everybody.
#include <algorithm>

#include "bootstrap/log.hpp"
#include "runtime/communicator.hpp"

namespace tutti {

using namespace std::chrono_literals;

namespace {

// Without progress for so long, records of calls are compared; then a late rank is named, and again now and then.
constexpr auto before_comparing = 50ms;
constexpr auto before_warning = 2s;
constexpr auto between_warnings = 30s;
// Who polls with tutti_test looks no more often than this.
constexpr auto between_looks = 1ms;
// Peers that are awaited are looked at every time, all others every so many looks.
constexpr std::uint32_t looks_per_roll_call = 16;
// So many calls of a rank can be compared with another's.
constexpr std::uint32_t calls_compared = 64;
// A warning names no more late ranks than this.
constexpr std::size_t most_named = 4;
// What another node may take to say what its rank has called.
constexpr auto answer_limit = 2s;
// A message may be under way on a network so long after its sender's goodbye.
constexpr auto under_way = 3s;
// A peer that cannot be reached is dead, or the control plane says so within this time, or it is cut off.
constexpr auto before_cut_off = 2s;

}  // namespace

bool Communicator::is_member(int job) const {
  return members_.empty() || std::find(members_.begin(), members_.end(), job) != members_.end();
}

bool Communicator::concerns(const Failure& failure) const {
  if (failure.channel < 0) return is_member(failure.culprit);
  return failure.channel == static_cast<std::int64_t>(failure_channel_) && is_member(failure.reporter);
}

// Takes over what another rank has announced; the first that concerns this communicator stays.
void Communicator::learn_failures() {
  const std::uint32_t generation = context_->board().generation();
  if (poison_ || generation == generation_seen_) return;
  generation_seen_ = generation;
  for (const Failure& failure : context_->board().failures(failures_before_)) {
    if (!concerns(failure)) continue;
    take_poison(failure);
    return;
  }
}

void Communicator::take_poison(const Failure& failure) {
  poison_ = failure;
  context_->abandon_channel(wiring_.channel);
  if (failure.code == TUTTI_ERROR_DEAD && failure.culprit >= 0) context_->transport().forget(failure.culprit);
}

void Communicator::poison(const Failure& failure) {
  if (poison_) return;
  take_poison(failure);
  context_->tend_control();
  context_->board().announce(failure);
}

void Communicator::fail() { throw Error(poison_->code, poison_->message); }

// What another rank has announced in the meantime comes first: this one may be no more than its consequence.
void Communicator::give_up(const Failure& failure) {
  learn_failures();
  poison(failure);
  fail();
}

void Communicator::check_failures(Running& running) {
  learn_failures();
  if (!poison_) return;
  running.failure = std::make_exception_ptr(Error(poison_->code, poison_->message));
  running.complete = true;
  if (running.execution) {
    running.execution->cancel();
    context_->remove(&running);
  }
}

std::string Communicator::where(const Execution& execution, int peer) const {
  const Plan& plan = execution.plan();
  const Transport& transport = *wiring_.transport;
  return fmt::format("{} (call {} of communicator {}, {}, transport {})", describe(plan.call), execution.sequence(),
                     wiring_.channel, text(plan.choice),
                     peer < 0 ? transport.name() : transport.name_towards(job_rank(peer)));
}

void Communicator::broken(const Execution& execution, const Error& failure) {
  // A dead peer is why, where there is one.
  looks_ = looks_per_roll_call - 1;
  look_for_dead(execution, execution.awaited());
  give_up({failure.code(), context_->rank(), failure_channel_,
           fmt::format("{} cannot go on with {}: {}", context_->board().name(context_->rank()), where(execution),
                       failure.what())});
}

// Where this rank's calls and those of another begin to differ, as far as both are remembered.
std::optional<std::string> Communicator::first_difference(int job) const {
  const Board& board = context_->board();
  for (std::uint32_t back = calls_compared; back-- > 0;) {
    const std::uint32_t sequence = (sequence_ - back) & sequence_mask;
    const auto ours = board.call_of(context_->rank(), wiring_.channel, lineage_, sequence);
    const auto theirs = board.call_of(job, wiring_.channel, lineage_, sequence);
    if (!ours || !theirs || ours->call == theirs->call) continue;
    return fmt::format("call {} of communicator {}: {} calls {}, but {} calls {}; all ranks must call the same",
                       sequence, wiring_.channel, board.name(context_->rank()), describe(ours->call), board.name(job),
                       describe(theirs->call));
  }
  return std::nullopt;
}

// A message came whose hash or length is not that of this call.
void Communicator::misfit(const Execution& execution) {
  const Misfit& misfit = execution.misfit();
  const int job = job_rank(misfit.peer);
  context_->tend_control();
  context_->board().fetch(job, answer_limit);
  const auto difference = first_difference(job);
  give_up({TUTTI_ERROR_MISMATCH, job, failure_channel_,
           difference ? *difference
                      : fmt::format("{}: {} sent a message of {} bytes where {} were expected, of a call that differs "
                                    "from this one, or after a call that did; all ranks must call the same",
                                    where(execution, misfit.peer), context_->board().name(job), misfit.bytes,
                                    misfit.expected_bytes)});
}

// A message of an operation that this rank has finished: its sender called something else then.
void Communicator::check_strays() {
  int peer = -1;
  Tag tag;
  if (!wiring_.transport->stray(wiring_.channel, (sequence_ + 1) & sequence_mask, peer, tag)) return;
  context_->board().fetch(peer, answer_limit);
  const auto difference = first_difference(peer);
  give_up({TUTTI_ERROR_MISMATCH, peer, failure_channel_,
           difference ? *difference
                      : fmt::format("call {} of communicator {}: {} sent {} a message that its own call did not "
                                    "expect; all ranks must call the same",
                                    sequence_of(tag.match), wiring_.channel, context_->board().name(peer),
                                    context_->board().name(context_->rank()))});
}

// What a waiter does that has seen no progress for `waited`.
void Communicator::look_around(const Execution& execution, std::chrono::steady_clock::duration waited) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return;
  next_look_ = now + between_looks;
  context_->tend_control();
  const Execution::Awaited awaited = execution.awaited();
  look_for_dead(execution, awaited);
  const auto late_timeout = context_->settings().late_timeout;
  const bool too_late = late_timeout.count() > 0 && waited >= late_timeout;
  if (waited < before_comparing && !too_late) return;
  look_for_mismatch(execution, awaited);
  look_for_late(execution, awaited, waited);
}

void Communicator::look_for_dead(const Execution& execution, const Execution::Awaited& awaited) {
  Board& board = context_->board();
  auto look_at = [&](int peer) {
    const int job = job_rank(peer);
    const Board::Life life = board.life(job);
    const Context::Lost* lost = context_->lost(job);
    if (lost && life == Board::Life::alive && std::chrono::steady_clock::now() - lost->since > before_cut_off)
      give_up({TUTTI_ERROR_SYSTEM, job, failure_channel_,
               fmt::format("{} lives, but can no longer be reached by {}, which was waiting in {}, step {}: {}",
                           board.name(job), board.name(context_->rank()), where(execution, peer), awaited.step,
                           lost->reason)});
    if (life != Board::Life::dead) return;
    give_up({TUTTI_ERROR_DEAD, job, -1,
             fmt::format("{} died; {} was waiting in {}, step {}", board.name(job), board.name(context_->rank()),
                         where(execution, peer), awaited.step)});
  };
  for (int peer : awaited.peers) look_at(peer);
  if (++looks_ % looks_per_roll_call != 0) return;
  for (int peer = 0; peer < size_; ++peer) look_at(peer);
}

void Communicator::look_for_mismatch(const Execution& execution, const Execution::Awaited& awaited) {
  Board& board = context_->board();
  for (int peer : awaited.peers) {
    const int job = job_rank(peer);
    if (const auto difference = first_difference(job))
      give_up({TUTTI_ERROR_MISMATCH, job, failure_channel_, *difference});
    if (board.life(job) != Board::Life::goodbye) continue;
    // Its last message may have come after we looked for one, so this must be so twice.
    const auto now = std::chrono::steady_clock::now();
    const bool again = gone_.peer == peer && gone_.progress == execution.progress();
    if (again && (board.is_here(job) || now - gone_.since > under_way))
      give_up({TUTTI_ERROR_MISMATCH, job, failure_channel_,
               fmt::format("{} has said goodbye (tutti_comm_free) without calling {}, which {} called", board.name(job),
                           where(execution, peer), board.name(context_->rank()))});
    if (!again) gone_ = {peer, execution.progress(), now};
    return;
  }
}

// The rank at the end of the chain of those that wait for one another; -1 where it ends in a circle.
int Communicator::truly_late(int job) const {
  const Board& board = context_->board();
  for (int followed = 0; followed < context_->size(); ++followed) {
    if (job == context_->rank()) return -1;
    const auto waits = board.wait_of(job);
    if (!waits || board.stopped(job)) return job;
    job = waits->peer;
  }
  return -1;
}

std::string Communicator::state_of(int job, const Execution& execution) const {
  const Board& board = context_->board();
  if (board.is_silent(job)) return "its node does not answer questions";
  if (board.stopped(job)) return "it is stopped by a signal";
  if (const auto waits = board.wait_of(job))
    return fmt::format("it waits itself for {} in {}, call {} of communicator {}", board.name(waits->peer),
                       describe(waits->call.call), waits->call.sequence, waits->call.channel);
  if (board.call_of(job, wiring_.channel, lineage_, execution.sequence()))
    return "it is in the same call and busy, or has left it";
  if (const auto newest = board.newest_call_of(job, wiring_.channel, lineage_))
    return fmt::format("its last call here was {}, {}", newest->sequence, describe(newest->call));
  return "it has called nothing here yet";
}

// Tells the others for whom this rank waits, and now and then the user who keeps all of them waiting.
void Communicator::look_for_late(const Execution& execution, const Execution::Awaited& awaited,
                                 std::chrono::steady_clock::duration waited) {
  if (awaited.peers.empty()) return;
  Board& board = context_->board();
  const auto absent = std::find_if(awaited.peers.begin(), awaited.peers.end(), [&](int peer) {
    return !board.call_of(job_rank(peer), wiring_.channel, lineage_, execution.sequence());
  });
  const int first = job_rank(absent == awaited.peers.end() ? awaited.peers.front() : *absent);
  board.note_wait({{wiring_.channel, execution.sequence(), execution.plan().call, lineage_}, first});
  const auto late_timeout = context_->settings().late_timeout;
  const auto now = std::chrono::steady_clock::now();
  const bool too_late = late_timeout.count() > 0 && waited >= late_timeout;
  if (!too_late && (waited < before_warning || now < next_warning_)) return;
  next_warning_ = now + between_warnings;
  auto text = [&](int job) {
    return fmt::format("{} is late: {} has waited {:.1f} s for it in {}; {}", board.name(job),
                       board.name(context_->rank()), std::chrono::duration<double>(waited).count(), where(execution),
                       state_of(job, execution));
  };
  if (too_late) {
    const int late = truly_late(first);
    const int culprit = late < 0 ? first : late;
    give_up({TUTTI_ERROR_LATE, culprit, failure_channel_, text(culprit) + "; TUTTI_LATE_TIMEOUT is over"});
  }
  std::size_t named = 0;
  for (int peer : awaited.peers) {
    const int job = job_rank(peer);
    const int late = truly_late(job);
    // A peer that waits for another is not the cause; whom it awaits names that one.
    if ((late == job || late < 0) && ++named <= most_named) log_line(LogLevel::warning, text(job));
  }
}

}  // namespace tutti
