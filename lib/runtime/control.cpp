// The board; see control.hpp.
#include "runtime/control.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "error.hpp"

namespace tutti {

namespace {

constexpr auto absent = static_cast<std::uint32_t>(RankState::absent);
constexpr auto alive = static_cast<std::uint32_t>(RankState::alive);
constexpr auto goodbye = static_cast<std::uint32_t>(RankState::goodbye);
constexpr auto dead = static_cast<std::uint32_t>(RankState::dead);

// What /proc/PID/stat tells.
struct ProcessFacts {
  char state = '\0';       // such as 'T' for stopped; 0: there is no such process
  std::uint64_t born = 0;  // in clock ticks since the machine started
};

ProcessFacts facts_of(int process) {
  constexpr int state_field = 3, born_field = 22;  // as proc(5) counts; the name before them may hold anything
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(')');
  ProcessFacts facts;
  if (end == std::string::npos) return facts;
  std::istringstream fields(text.substr(end + 1));
  fields >> facts.state;
  std::string skipped;
  for (int field = state_field + 1; field < born_field; ++field) fields >> skipped;
  fields >> facts.born;
  return facts;
}

bool process_lives(int process, std::uint64_t born) {
  if (kill(process, 0) != 0 && errno == ESRCH) return false;
  const ProcessFacts facts = facts_of(process);
  return facts.state != 'Z' && facts.state != 'X' && facts.state != '\0' && facts.born == born;
}

void copy_text(char* to, std::size_t room, const std::string& text) {
  const std::size_t bytes = std::min(room - 1, text.size());
  std::memcpy(to, text.data(), bytes);
  to[bytes] = '\0';
}

bool bit_of(const std::atomic<std::uint64_t>* words, int rank) { return words[rank / 64].load() >> (rank % 64) & 1; }
void set_bit(std::atomic<std::uint64_t>* words, int rank) {
  words[rank / 64].fetch_or(std::uint64_t{1} << (rank % 64));
}

}  // namespace

void Board::attach(int size) {
  size_ = size;
  shared_ = reinterpret_cast<Shared*>(segment_.data());
  entries_ = reinterpret_cast<Entry*>(segment_.data() + sizeof(Shared));
  text_ = reinterpret_cast<char*>(entries_ + size);
}

std::unique_ptr<Board> Board::create(int size, Sharing sharing) {
  if (size > static_cast<int>(most_ranks))
    throw error(TUTTI_ERROR_UNSUPPORTED, "{} ranks in a job; the control plane has room for {}", size, most_ranks);
  auto board = std::make_unique<Board>();
  board->segment_ = Segment::create(bytes(size), sharing);
  board->within_process_ = sharing == Sharing::within_process;
  board->attach(size);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  for (int rank = 0; rank < size; ++rank) pthread_mutex_init(&board->entry(rank).alive, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return board;
}

std::unique_ptr<Board> Board::open(std::string_view address, int size) {
  auto board = std::make_unique<Board>();
  board->segment_ = Segment::open(address);
  board->within_process_ = address.starts_with("memory ");
  if (board->segment_.bytes() != bytes(size))
    throw error(TUTTI_ERROR_START, "the control board has {} bytes where {} ranks need {}: another version or size?",
                board->segment_.bytes(), size, bytes(size));
  board->attach(size);
  return board;
}

void Board::enter(int rank, const std::string& host, const std::string& address, const std::string& offer,
                  const std::string& network) {
  if (address.size() >= sizeof own_->address || network.size() >= sizeof own_->network)
    throw error(TUTTI_ERROR_INTERNAL, "an address of {} bytes on the control board",
                std::max(address.size(), network.size()));
  rank_ = rank;
  own_ = &entry(rank);
  own_->process = getpid();
  own_->born = facts_of(getpid()).born;
  copy_text(own_->host, sizeof own_->host, host);
  copy_text(own_->address, sizeof own_->address, address);
  copy_text(own_->offer, sizeof own_->offer, offer);
  copy_text(own_->network, sizeof own_->network, network);
  // Threads of one process die together; between processes the kernel lets go of this for us.
  if (!within_process_) pthread_mutex_lock(&own_->alive);
  own_->state.store(alive, std::memory_order_release);
}

void Board::leave() {
  if (!own_ || own_->process != getpid()) return;
  own_->state.store(goodbye, std::memory_order_release);
  ring();
  if (!within_process_) pthread_mutex_unlock(&own_->alive);
  own_ = nullptr;
}

Board::Life Board::life(int rank) {
  Entry& other = entry(rank);
  const std::uint32_t state = other.state.load(std::memory_order_acquire);
  if (state == goodbye) return Life::goodbye;
  if (state == dead) return Life::dead;
  if (state == absent || within_process_ || rank == rank_ || !is_here(rank)) return Life::alive;
  const int got = pthread_mutex_trylock(&other.alive);
  if (got == EBUSY) return Life::alive;
  // Its holder has let go, or has ended: the process, or only the thread that began here. /proc knows which.
  if (got == EOWNERDEAD) pthread_mutex_consistent(&other.alive);
  pthread_mutex_unlock(&other.alive);
  if (other.state.load(std::memory_order_acquire) == goodbye) return Life::goodbye;
  if (process_lives(other.process, other.born)) return Life::alive;
  std::uint32_t expected = alive;
  other.state.compare_exchange_strong(expected, dead);
  return expected == goodbye ? Life::goodbye : Life::dead;
}

bool Board::stopped(int rank) const {
  const Entry& other = entry(rank);
  if (!is_here(rank)) return other.stopped.load(std::memory_order_relaxed) != 0;
  if (other.state.load(std::memory_order_acquire) == absent) return false;
  const char state = facts_of(other.process).state;
  return state == 'T' || state == 't';
}

std::string Board::name(int rank) const {
  const Entry& other = entry(rank);
  if (!is_here(rank)) {
    const std::string& host = hosts_[static_cast<std::size_t>(at_node(rank))];
    return other.process ? fmt::format("rank {} ({}, process {})", rank, host, other.process)
                         : fmt::format("rank {} ({})", rank, host);
  }
  if (other.state.load() == absent) return fmt::format("rank {}", rank);
  return fmt::format("rank {} ({}, process {})", rank, other.host, other.process);
}

template <class Wanted>
std::optional<CallRecord> Board::newest(int rank, Wanted wanted) const {
  if (!is_here(rank)) ask(rank);
  const Entry& other = entry(rank);
  const std::uint64_t calls = other.calls.load(std::memory_order_acquire);
  for (std::uint64_t back = 1; back <= std::min<std::uint64_t>(calls, recent_calls); ++back) {
    const CallRecord record = other.recent[(calls - back) % recent_calls].load();
    if (!wanted(record)) continue;
    // Its owner may have gone on and be writing over it.
    const std::uint64_t now = other.calls.load(std::memory_order_relaxed);
    return now - (calls - back) < recent_calls ? std::optional(record) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<CallRecord> Board::call_of(int rank, std::uint32_t channel, std::uint32_t lineage,
                                         std::uint32_t sequence) const {
  const auto wanted = [&](const CallRecord& call) {
    return call.channel == channel && call.lineage == lineage && call.sequence == sequence;
  };
  if (const auto record = newest(rank, wanted)) return record;
  const auto waits = wait_of(rank);
  return waits && wanted(waits->call) ? std::optional(waits->call) : std::nullopt;
}

std::optional<CallRecord> Board::newest_call_of(int rank, std::uint32_t channel, std::uint32_t lineage) const {
  return newest(rank, [&](const CallRecord& call) { return call.channel == channel && call.lineage == lineage; });
}

void Board::note_wait(const WaitRecord& record) {
  end_wait();
  own_->wait_record.store(record);
  own_->waiting.fetch_add(1, std::memory_order_release);
}

std::optional<WaitRecord> Board::wait_of(int rank) const {
  if (!is_here(rank)) ask(rank);
  const Entry& other = entry(rank);
  const std::uint32_t before = other.waiting.load(std::memory_order_acquire);
  if ((before & 1) == 0) return std::nullopt;
  const WaitRecord record = other.wait_record.load();
  return other.waiting.load(std::memory_order_relaxed) == before ? std::optional(record) : std::nullopt;
}

void Board::announce(const Failure& failure) {
  Failure own = failure;
  own.reporter = rank_;
  put(own);
  ring();
}

void Board::put(const Failure& failure) {
  const std::uint64_t number = shared_->claimed.fetch_add(1) + 1;
  SharedFailure& out = shared_->failures[(number - 1) % most_failures];
  out.ready.store(0, std::memory_order_relaxed);
  FailureRecord record{failure.code, failure.culprit, failure.reporter, failure.channel, {}};
  copy_text(record.message, sizeof record.message, failure.message);
  out.record.store(record);
  out.ready.store(number, std::memory_order_release);
  shared_->generation.fetch_add(1, std::memory_order_release);
}

std::vector<Failure> Board::failures(std::uint64_t from) const {
  std::vector<Failure> list;
  const std::uint64_t count = failures_announced();
  for (std::uint64_t i = count > most_failures ? std::max(from, count - most_failures) : from; i < count; ++i) {
    const SharedFailure& in = shared_->failures[i % most_failures];
    if (in.ready.load(std::memory_order_acquire) != i + 1) continue;
    FailureRecord record = in.record.load();
    record.message[sizeof record.message - 1] = '\0';
    Failure failure{static_cast<tutti_result>(record.code), record.culprit, record.channel, record.message,
                    record.reporter};
    if (in.ready.load(std::memory_order_relaxed) == i + 1) list.push_back(std::move(failure));
  }
  return list;
}

Board::Decision Board::agree_on_survivors(std::uint32_t channel, std::uint32_t attempt, const std::vector<int>& members,
                                          double seconds, const std::function<void()>& while_waiting) {
  // Groups without a common rank may have one channel number; their first members differ.
  const std::uint64_t key =
      static_cast<std::uint64_t>(members.front()) << 48 | std::uint64_t{attempt & 0xffffu} << 32 | (channel + 1);
  SharedDecision* decision = decision_of(key);
  if (!decision)
    throw error(TUTTI_ERROR_UNSUPPORTED, "this job has shrunk communicators {} times, which is the limit",
                most_decisions);
  set_bit(decision->entered, rank_);
  ring();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!decision->decided.load(std::memory_order_acquire)) {
    int missing = -1;
    int first = -1;
    for (int member : members) {
      if (life(member) != Life::alive) continue;
      if (first < 0) first = member;
      if (!bit_of(decision->entered, member) && missing < 0) missing = member;
    }
    // Whoever keeps this waiting may have died with its whole node, of which nobody was left to tell.
    if (const int awaited = missing >= 0 ? missing : first; awaited >= 0 && !is_here(awaited)) ask(awaited);
    // The lowest rank that lives decides; if it dies while it writes, the next one writes the decision anew.
    std::int32_t decider = decision->decider.load();
    const bool vacant = decider == 0 || (decider != rank_ + 1 && life(decider - 1) == Life::dead);
    if (missing < 0 && first == rank_ && vacant && decision->decider.compare_exchange_strong(decider, rank_ + 1)) {
      for (auto& word : decision->survivors) word.store(0);
      for (int member : members)
        if (bit_of(decision->entered, member) && life(member) == Life::alive) set_bit(decision->survivors, member);
      // Channels below are given out by the communicators themselves; these are never given out twice.
      decision->channel = 0x0f00u | (shared_->next_channel.fetch_add(1) & 0xffu);
      decision->decided.store(1, std::memory_order_release);
      ring();
      break;
    }
    if (std::chrono::steady_clock::now() > limit)
      throw error(TUTTI_ERROR_LATE, "shrink: {} has not called it within {} seconds", name(std::max(missing, 0)),
                  seconds);
    while_waiting();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  Decision result;
  result.channel = decision->channel;
  for (int member : members)
    if (bit_of(decision->survivors, member)) result.survivors.push_back(member);
  return result;
}

}  // namespace tutti
