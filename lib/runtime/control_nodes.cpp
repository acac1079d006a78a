// The board's side of several nodes: what is asked of other nodes, and what they have told; see control.hpp.
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "bootstrap/file_descriptor.hpp"
#include "error.hpp"
#include "runtime/control.hpp"

namespace tutti {

namespace {

using namespace std::chrono_literals;

// An answer is good for so long; until then nobody asks again.
constexpr std::int64_t good_for_ms = 200;
constexpr std::int64_t silent_after_ms = 1000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool test(const std::atomic<std::uint64_t>* words, int rank) { return words[rank / 64].load() >> (rank % 64) & 1; }
void set(std::atomic<std::uint64_t>* words, int rank) { words[rank / 64].fetch_or(std::uint64_t{1} << (rank % 64)); }

template <std::size_t room>
void copy_text(char (&to)[room], const char* from) {
  const std::size_t length = std::min(std::strlen(from), room - 1);
  std::memcpy(to, from, length);
  to[length] = '\0';
}

}  // namespace

void Board::spread(const std::vector<int>& nodes, std::vector<std::string> hosts) {
  nodes_ = hosts.size() > 1 ? &nodes : nullptr;
  hosts_ = std::move(hosts);
}

void Board::leave_text(std::string_view text) {
  if (text.size() > text_room(size_))
    throw error(TUTTI_ERROR_UNSUPPORTED, "the control addresses of {} ranks take {} bytes; there is room for {}", size_,
                text.size(), text_room(size_));
  std::memcpy(text_, text.data(), text.size());
  shared_->text_bytes = text.size();
}

std::string_view Board::text() const { return {text_, std::min<std::size_t>(shared_->text_bytes, text_room(size_))}; }

// ---- asking ----

void Board::ask(int rank) const {
  Entry& other = entry(rank);
  const std::int64_t now = now_ms();
  std::int64_t last = other.asked_ms.load(std::memory_order_relaxed);
  if (now - last < good_for_ms || !other.asked_ms.compare_exchange_strong(last, now)) return;
  std::int64_t none = 0;
  other.unanswered_ms.compare_exchange_strong(none, now);
  set(shared_->asked, rank);
  ring();
}

bool Board::is_silent(int rank) const {
  const std::int64_t since = entry(rank).unanswered_ms.load();
  return !is_here(rank) && since != 0 && now_ms() - since > silent_after_ms;
}

bool Board::fetch(int rank, std::chrono::milliseconds limit) const {
  if (is_here(rank)) return true;
  const Entry& other = entry(rank);
  const std::uint32_t before = other.answers.load();
  const auto end = std::chrono::steady_clock::now() + limit;
  while (other.answers.load() == before && std::chrono::steady_clock::now() < end) {
    if (state(rank) == RankState::dead) return false;
    ask(rank);
    std::this_thread::sleep_for(200us);
  }
  return other.answers.load() != before;
}

std::vector<int> Board::take_asked() {
  std::vector<int> ranks;
  for (int word = 0; word * 64 < size_; ++word)
    for (std::uint64_t bits = shared_->asked[word].exchange(0); bits != 0; bits &= bits - 1)
      if (const int rank = word * 64 + __builtin_ctzll(bits); rank < size_) ranks.push_back(rank);
  return ranks;
}

// ---- who leads ----

bool Board::lead() {
  std::int32_t before = shared_->leader.load();
  if (before > 0 && (before == rank_ + 1 || life(before - 1) == Life::alive)) return before == rank_ + 1;
  return shared_->leader.compare_exchange_strong(before, rank_ + 1);
}

void Board::set_bell(const std::string& name) { copy_text(shared_->bell, name.c_str()); }

// Wakes the leader by a datagram without content to a socket without a name in any file system.
void Board::ring() const {
  if (nodes_ == nullptr || shared_->bell[0] == '\0') return;
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = strnlen(shared_->bell, sizeof shared_->bell);
  std::memcpy(address.sun_path + 1, shared_->bell, length);
  sendto(socket.number(), "", 0, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length));
}

// ---- what other nodes tell, and are told ----

RankReport Board::report(int rank) const {
  const Entry& own = entry(rank);
  RankReport report;
  report.state = state(rank);
  report.process = own.process;
  report.stopped = stopped(rank);
  report.called = own.calls.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < RankReport::calls; ++i) report.recent[i] = own.recent[i].load();
  // Records that were written over meanwhile are mixes.
  const std::uint64_t now = own.calls.load(std::memory_order_relaxed);
  for (std::uint64_t call = report.called; call <= now && call < report.called + RankReport::calls; ++call)
    report.recent[call % RankReport::calls].channel = no_channel;
  if (const auto waits = wait_of(rank)) {
    report.waiting = 1;
    report.wait = *waits;
  }
  copy_text(report.network, own.network);
  return report;
}

void Board::import(int rank, const RankReport& report) {
  Entry& mirror = entry(rank);
  import_state(rank, report.state, report.process);
  mirror.process = report.process;
  mirror.stopped.store(report.stopped, std::memory_order_relaxed);
  mirror.calls.store(0, std::memory_order_release);  // no reader takes what is written now
  for (std::size_t i = 0; i < RankReport::calls; ++i) mirror.recent[i].store(report.recent[i]);
  mirror.calls.store(report.called, std::memory_order_release);
  const std::uint32_t waiting = mirror.waiting.load(std::memory_order_relaxed);
  if (waiting & 1) mirror.waiting.store(waiting + 1, std::memory_order_release);
  if (report.waiting) {
    mirror.wait_record.store(report.wait);
    mirror.waiting.store((waiting | 1) + (waiting & 1 ? 2 : 0), std::memory_order_release);
  }
  copy_text(mirror.network, report.network);
  mirror.unanswered_ms.store(0);
  mirror.answers.fetch_add(1, std::memory_order_release);
}

bool Board::import_state(int rank, RankState state, std::int32_t process) {
  if (state == RankState::absent) return false;
  Entry& mirror = entry(rank);
  std::uint32_t before = mirror.state.load();
  // Who is dead or gone stays so.
  do {
    if (before >= static_cast<std::uint32_t>(state) || before >= static_cast<std::uint32_t>(RankState::goodbye))
      return false;
    if (process) mirror.process = process;
  } while (!mirror.state.compare_exchange_weak(before, static_cast<std::uint32_t>(state)));
  return true;
}

bool Board::import(const Failure& failure) {
  for (const Failure& known : failures(0)) {
    const bool same_death = failure.code == TUTTI_ERROR_DEAD && known.code == failure.code && failure.channel < 0 &&
                            known.channel < 0 && known.culprit == failure.culprit;
    if (same_death || (known.code == failure.code && known.culprit == failure.culprit &&
                       known.channel == failure.channel && known.reporter == failure.reporter))
      return false;
  }
  put(failure);
  return true;
}

Board::SharedDecision* Board::decision_of(std::uint64_t key) {
  for (SharedDecision& candidate : shared_->decisions) {
    std::uint64_t expected = 0;
    if (candidate.key.compare_exchange_strong(expected, key) || expected == key) return &candidate;
  }
  return nullptr;
}

bool Board::import(const DecisionNews& news) {
  SharedDecision* decision = decision_of(news.key);
  if (!decision) return false;
  if (!news.decided) {
    bool is_new = false;
    for (int rank : news.ranks) {
      is_new = is_new || !test(decision->entered, rank);
      set(decision->entered, rank);
    }
    return is_new;
  }
  std::int32_t decider = decision->decider.load();
  const bool vacant = decider == 0 || life(decider - 1) == Life::dead;
  if (decision->decided.load() || !vacant || !decision->decider.compare_exchange_strong(decider, rank_ + 1))
    return false;
  for (auto& word : decision->survivors) word.store(0);
  for (int rank : news.ranks) set(decision->survivors, rank);
  decision->channel = news.channel;
  // The next decision here must not take the same channel.
  std::uint32_t next = shared_->next_channel.load();
  const std::uint32_t after = (news.channel & 0xffu) + 1;
  while (next < after && !shared_->next_channel.compare_exchange_weak(next, after)) {
  }
  decision->decided.store(1, std::memory_order_release);
  return true;
}

std::vector<DecisionNews> Board::decision_news(std::vector<DecisionNews>& known) const {
  std::vector<DecisionNews> news;
  for (const SharedDecision& decision : shared_->decisions) {
    const std::uint64_t key = decision.key.load();
    if (key == 0) break;
    auto found = std::find_if(known.begin(), known.end(), [&](const auto& one) { return one.key == key; });
    if (found == known.end()) found = known.insert(known.end(), DecisionNews{key, false, 0, {}});
    if (found->decided) continue;
    DecisionNews entered{key, false, 0, {}};
    for (int rank = 0; rank < size_; ++rank)
      if (test(decision.entered, rank) &&
          std::find(found->ranks.begin(), found->ranks.end(), rank) == found->ranks.end()) {
        entered.ranks.push_back(rank);
        found->ranks.push_back(rank);
      }
    if (!entered.ranks.empty()) news.push_back(std::move(entered));
    if (!decision.decided.load(std::memory_order_acquire)) continue;
    found->decided = true;
    DecisionNews decided{key, true, decision.channel, {}};
    for (int rank = 0; rank < size_; ++rank)
      if (test(decision.survivors, rank)) decided.ranks.push_back(rank);
    news.push_back(std::move(decided));
  }
  return news;
}

}  // namespace tutti
