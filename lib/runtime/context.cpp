// Joining a job, waiting, progress; see context.hpp.
#include "runtime/context.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>

#include "bootstrap/environment.hpp"
#include "bootstrap/log.hpp"
#include "error.hpp"
#include "runtime/composite.hpp"
#include "runtime/meeting.hpp"
#include "topology/node/cores.hpp"
#include "transports/shm/shm.hpp"
#include "transports/threads/threads.hpp"

namespace tutti {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// Polls before a waiter that has a core of its own looks at the clock; a poll takes some 20 ns.
constexpr std::uint32_t polls_per_look = 1024;
// A waiter without progress for so long looks at the board and sleeps now and then.
constexpr auto before_sleep = 2ms;
constexpr auto longest_sleep = 2000us;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Settings Settings::from_environment() {
  Settings settings;
  settings.late_timeout = environment_seconds("TUTTI_LATE_TIMEOUT", 0ms);
  settings.start_timeout = tutti::start_timeout();
  settings.timeout = environment_seconds("TUTTI_TIMEOUT", 60s);
  settings.check = environment_flag("TUTTI_CHECK");
  settings.explain = environment_flag("TUTTI_EXPLAIN");
  settings.reproducible = environment_flag("TUTTI_REPRODUCIBLE");
  settings.algorithms = environment_text("TUTTI_ALGORITHM").value_or("");
  Overrides::parse(settings.algorithms, "TUTTI_ALGORITHM");  // a fault in it shows now, not at the first call
  warn_unknown_variables();
  return settings;
}

Context::Context(int rank, int size)
    : rank_(rank), size_(size), settings_(Settings::from_environment()), nodes_(static_cast<std::size_t>(size), 0) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw error(TUTTI_ERROR_MEMORY, "no memory for a page");
  alive_page_ = static_cast<char*>(page);
  madvise(page, 4096, MADV_WIPEONFORK);
  *alive_page_ = 1;
  channels_.set(0);  // never used, so that zeroed memory names nothing
}

void Context::throw_forked() {
  throw error(
      TUTTI_ERROR_FORK,
      "this process was forked after tutti_init: a child cannot use its parent's communicators; call tutti_init in "
      "the child, or fork before it");
}

void Context::describe_machine(int cores) {
  machine_ = described_machine(size_, cores);
  machine_.inline_bytes = transport_->traits().inline_bytes;
  machine_.max_message = transport_->traits().max_message;
}

void Context::describe_network() {
  if (std::adjacent_find(nodes_.begin(), nodes_.end(), std::not_equal_to<>()) == nodes_.end()) return;
  machine_.network = described_network();
  machine_.network.inline_bytes = transport_->traits().inline_bytes;
}

void Context::use_tuning(std::string_view text, const std::string& file) {
  if (file.empty()) return;
  tuning_ = Tuning::parse(text, file);
  tuning_->apply(machine_);
}

// Threads of one process play several nodes where TUTTI_NODE lists them: rank r is on the r-th, and around again.
void Context::play_nodes() {
  const std::vector<std::string> names = environment_list("TUTTI_NODE");
  std::map<std::string_view, int> numbers;
  for (std::size_t rank = 0; rank < nodes_.size() && !names.empty(); ++rank)
    nodes_[rank] = numbers.try_emplace(names[rank % names.size()], static_cast<int>(numbers.size())).first->second;
}

std::shared_ptr<Context> Context::join(Identity identity) {
  std::shared_ptr<Context> context(new Context(identity.rank, identity.size));
  set_log_rank(identity.rank);
  Met met = meet(std::move(identity), context->settings_.start_timeout);
  context->board_ = std::move(met.board);
  context->transport_ = std::move(met.transport);
  context->nodes_ = std::move(met.nodes);
  context->cores_are_enough_ = met.cores_are_enough;
  context->describe_machine(met.cores);
  context->describe_network();
  context->use_tuning(met.tuning, met.tuning_file);
  context->board_->spread(context->nodes_, std::move(met.hosts));
  if (met.control) {
    context->control_ =
        std::make_unique<ControlTree>(*context->board_, std::move(met.control), context->settings_.timeout);
    context->control_->begin(context->settings_.start_timeout);
  }
  // From here on all can reach all; before, nobody may leave.
  met.store->fence("tutti/connected", context->settings_.start_timeout);
  return context;
}

std::vector<std::shared_ptr<Context>> Context::within_process(int size) {
  if (size < 1) throw error(TUTTI_ERROR_ARGUMENT, "{} ranks; at least 1 is needed", size);
  std::vector<std::shared_ptr<Context>> contexts;
  auto exchange = std::make_shared<ThreadsExchange>(size);
  auto household = std::make_shared<std::vector<std::shared_ptr<void>>>();
  const std::vector<std::string> wanted = environment_list("TUTTI_TRANSPORT");
  const bool shm = !wanted.empty() && wanted.front() == "shm";
  const std::optional<std::string> tuning_file = environment_text("TUTTI_TUNING");
  const TuningWish tuning = TuningWish::parse(tuning_file.value_or(""));
  const std::string tuning_text = tuning_file ? tuning_for_job(tuning, shm ? "shm" : "threads") : "";
  std::string board;
  std::vector<std::string> addresses;
  for (int rank = 0; rank < size; ++rank) {
    std::shared_ptr<Context> context(new Context(rank, size));
    if (shm)
      context->transport_ = std::make_unique<ShmTransport>(rank, size, Sharing::within_process);
    else
      context->transport_ = std::make_unique<ThreadsTransport>(rank, exchange);
    context->board_ = rank == 0 ? Board::create(size, Sharing::within_process) : Board::open(board, size);
    if (rank == 0) board = context->board_->address();
    context->board_->enter(rank, host_name());
    addresses.push_back(context->transport_->address());
    context->household_ = household;
    household->push_back(context->transport_);
    household->push_back(context->board_);
    contexts.push_back(std::move(context));
  }
  for (const std::shared_ptr<Context>& context : contexts) {
    for (int peer = 0; peer < size; ++peer)
      if (peer != context->rank_) context->transport_->connect(peer, addresses[static_cast<std::size_t>(peer)]);
    const int cores = std::max(count_cores({allowed_cores()}), 1);
    context->describe_machine(cores);
    context->play_nodes();
    context->use_tuning(tuning_text, tuning.path);
    context->cores_are_enough_ = size <= cores;
  }
  return contexts;
}

Context::~Context() {
  if (is_forked()) {
    // The parent's thread and mutexes are not ours.
    if (thread_.joinable()) thread_.detach();
  } else {
    progress_thread(false);
    if (board_) board_->leave();
    if (control_) control_->leave();
  }
  munmap(const_cast<char*>(alive_page_), 4096);
}

std::vector<std::uint64_t> Context::free_channels() const {
  std::vector<std::uint64_t> words(channel_count / 64);
  for (std::uint32_t i = 0; i < channel_count; ++i)
    if (!channels_[i]) words[i / 64] |= std::uint64_t{1} << (i % 64);
  return words;
}

void Context::take_channel(std::uint32_t channel) {
  sweep();
  if (channel < channel_count) channels_.set(channel);
  transport_->open(channel, 0);
}

void Context::give_channel(std::uint32_t channel) {
  if (channel < channel_count) channels_.reset(channel);
}

void Context::sweep() {
  constexpr std::uint32_t beyond = sequence_mask / 4;  // of any operation that is in progress, on the circle of numbers
  int peer = -1;
  Tag tag;
  for (std::uint32_t channel : abandoned_)
    for (std::uint32_t quarter = 0; quarter < 4; ++quarter)
      while (transport_->stray(channel, (quarter + 1) * beyond, peer, tag)) {
      }
}

const Context::Lost* Context::lost(int rank) {
  while (auto unreachable = transport_->unreachable()) {
    log(LogLevel::info, "rank {} cannot be reached: {}", unreachable->peer, unreachable->reason);
    lost_[unreachable->peer] = {unreachable->reason, Clock::now()};
    if (!board_->is_here(unreachable->peer)) board_->ask(unreachable->peer);
  }
  const auto found = lost_.find(rank);
  return found == lost_.end() ? nullptr : &found->second;
}

void Context::add(Running* running) {
  running_.push_back(running);
  if (threaded_ && pollers_ == 0) work_.notify_one();
}

void Context::remove(Running* running) {
  auto found = std::find(running_.begin(), running_.end(), running);
  if (found != running_.end()) running_.erase(found);
}

// Of a composite: the stage that has ended is followed by another one.
bool Context::has_next_stage(Running& running) {
  if (running.failure || running.execution->misfit().peer >= 0) return false;
  running.execution = nullptr;  // its stage ends
  try {
    running.execution = running.composite->next();
  } catch (...) {
    running.failure = std::current_exception();
  }
  return running.execution != nullptr;
}

void Context::finish(Running& running) {
  running.complete = true;
  if (running.failure || !running.execution || running.execution->misfit().peer < 0) return;
  try {
    running.communicator->misfit(*running.execution);
  } catch (...) {
    running.failure = std::current_exception();
  }
}

// True once it has ended, because a transport could not go on too.
bool Context::goes_on(Running& running) {
  try {
    return running.execution->advance();
  } catch (const Error& failure) {
    try {
      running.communicator->broken(*running.execution, failure);
    } catch (...) {
      running.failure = std::current_exception();
    }
    running.execution->cancel();
    return true;
  }
}

void Context::progress() {
  for (std::size_t i = 0; i < running_.size();) {
    Running& running = *running_[i];
    if (goes_on(running)) {
      if (running.composite && has_next_stage(running)) continue;
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      finish(running);
    } else {
      ++i;
    }
  }
}

// What a waiter does that has seen no progress for a while.
void Context::look_around(Running& running, Clock::duration waited) {
  try {
    sweep();
    running.communicator->look_around(*running.execution, waited);
  } catch (...) {
    running.failure = std::current_exception();
    running.execution->cancel();
    running.complete = true;
    remove(&running);
  }
}

void Context::look_after(Running& running, std::uint64_t& progress_seen, Clock::time_point& since) {
  running.communicator->check_failures(running);
  if (running.complete) return;
  const Clock::time_point now = Clock::now();
  if (since == Clock::time_point{} || running.execution->progress() != progress_seen) {
    progress_seen = running.execution->progress();
    since = now;
  }
  if (now - since >= before_sleep) look_around(running, now - since);
}

// The mutex is fair: whoever waits for it has had it when this returns.
void Context::let_others_in(std::unique_lock<FairMutex>& held) {
  if (!mutex_.is_wanted()) return;
  held.unlock();
  held.lock();
}

void Context::wait(Running& running, std::unique_lock<FairMutex>& held) {
  ++pollers_;
  poll(running, held);
  if (--pollers_ == 0 && threaded_ && !running_.empty()) work_.notify_one();
  if (running.failure) std::rethrow_exception(running.failure);
}

void Context::poll(Running& running, std::unique_lock<FairMutex>& held) {
  std::uint32_t polls = 0;
  std::uint64_t progress_seen = running.execution ? running.execution->progress() : 0;
  Clock::time_point since{};  // of the last progress that was seen
  while (!running.complete) {
    progress();
    if (running.complete) break;
    ++polls;
    if (!cores_are_enough_)
      sched_yield();
    else if (polls > 64)
      relax();
    const std::uint32_t looks = cores_are_enough_ ? polls_per_look : 64;
    if (polls % looks != 0) continue;
    if (held.owns_lock()) let_others_in(held);
    look_after(running, progress_seen, since);
    if (!running.complete && Clock::now() - since >= before_sleep && !held.owns_lock()) transport_->wait(longest_sleep);
  }
}

void Context::progress_thread(bool on) {
  if (on == thread_.joinable()) return;
  if (!on) {
    {
      const std::lock_guard held(mutex_);
      ending_ = true;
    }
    work_.notify_one();
    thread_.join();
    threaded_ = false;
    ending_ = false;
    return;
  }
  threaded_ = true;
  thread_ = std::thread([this] {
    std::unique_lock held(mutex_);
    while (!ending_) {
      if (running_.empty() || pollers_ > 0) {
        work_.wait(held);
        continue;
      }
      progress();
      sched_yield();
      let_others_in(held);
    }
  });
}

}  // namespace tutti
