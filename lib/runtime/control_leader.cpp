// See control_leader.hpp: sleeping, connections and who is at their other ends. What they say is control_news.cpp.
#include "runtime/control_leader.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "bootstrap/log.hpp"
#include "error.hpp"

namespace tutti {

using namespace std::chrono_literals;

namespace {

// Without any event, everything is looked at once in so long.
constexpr auto between_rounds = 250ms;
// How long a node's leader is waited for before the node hangs on another one, and between two tries.
constexpr auto patience = 300ms;
constexpr auto between_climbs = 20ms;
// For connecting and for the handshake, which a leader's thread answers at once.
constexpr auto handshake_limit = 500ms;
// A stranger who does not prove the secret is sent away after this.
constexpr auto proof_limit = 5s;
constexpr std::size_t most_strangers = 64;
// What a rank that leaves may take to tell the others.
constexpr auto farewell = 500ms;
// So many nodes hang on one.
constexpr int branches = 8;

}  // namespace

ControlLeader::ControlLeader(Board& board, int socket, std::chrono::milliseconds timeout)
    : board_(board), listening_(socket), timeout_(timeout), node_(board.at_node(board.rank())) {
  const auto addresses = control::Addresses::parse(board.text());
  if (!addresses || addresses->ports.size() != static_cast<std::size_t>(board.size()) ||
      addresses->processes.size() != addresses->ports.size())
    throw error(TUTTI_ERROR_INTERNAL, "the control board holds no addresses of the other nodes");
  addresses_ = *addresses;
  secret_.emplace(addresses_.secret);
  members_.resize(addresses_.hosts.size());
  for (int rank = 0; rank < board.size(); ++rank)
    members_[static_cast<std::size_t>(board.at_node(rank))].push_back(rank);
  // A name that the kernel gives, in no file system.
  bell_ = FileDescriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socklen_t length = sizeof name;
  if (bell_ && bind(bell_.number(), reinterpret_cast<const sockaddr*>(&name), sizeof name.sun_family) == 0 &&
      getsockname(bell_.number(), reinterpret_cast<sockaddr*>(&name), &length) == 0)
    board.set_bell(std::string(name.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1));
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the application's signals are for its own threads
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ControlLeader::finish() {
  if (!thread_.joinable()) return;
  ending_ = true;
  board_.ring();
  thread_.join();
}

void ControlLeader::run() {
  set_log_rank(board_.rank());
  adopt();
  while (!ending_) {
    climb();
    const bool all = Clock::now() >= next_round_;
    if (all) next_round_ = Clock::now() + between_rounds;
    spread_news();
    look_at_locals(all);
    look_at_suspects();
    ask();
    bury();
    connected_ = connected_ || node_ == 0 ||
                 std::any_of(neighbours_.begin(), neighbours_.end(),
                             [](const auto& neighbour) { return neighbour->upwards && neighbour->node >= 0; });
    if (!ending_) sleep();
  }
  // The others must hear of all goodbyes of this node, and of what was announced last.
  const auto limit = Clock::now() + farewell;
  while (!is_upwards_known() && Clock::now() < limit) {
    climb();
    std::this_thread::sleep_for(1ms);
  }
  spread_news();
  look_at_locals(true);
  const auto owes = [](const auto& neighbour) { return !neighbour->lost && neighbour->connection.owes(); };
  while (std::any_of(neighbours_.begin(), neighbours_.end(), owes) && Clock::now() < limit) {
    bury();
    std::this_thread::sleep_for(1ms);
  }
  for (const auto& neighbour : neighbours_) shutdown(neighbour->connection.socket(), SHUT_WR);
}

// What was known here before this rank became the leader, and whom to watch.
void ControlLeader::adopt() {
  for (int rank = 0; rank < board_.size(); ++rank) {
    if (board_.is_here(rank)) {
      const int process = board_.process(rank);
      Local local{rank, FileDescriptor(), false};
      if (rank != board_.rank() && process > 0)
        local.process = FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
      locals_.push_back(std::move(local));
    } else if (board_.state(rank) >= RankState::goodbye) {
      ended_.push_back({rank, board_.state(rank), board_.process(rank)});
    }
  }
}

void ControlLeader::sleep() {
  std::vector<pollfd> events{{bell_.number(), POLLIN, 0}, {listening_, POLLIN, 0}};
  for (const auto& neighbour : neighbours_)
    events.push_back({neighbour->connection.socket(),
                      static_cast<short>(neighbour->connection.owes() ? POLLIN | POLLOUT : POLLIN), 0});
  const std::size_t processes = events.size();
  for (const Local& local : locals_)
    if (local.process && !local.told) events.push_back({local.process.number(), POLLIN, 0});
  const auto limit =
      is_upwards_known() && suspects_.empty() ? between_rounds : std::chrono::milliseconds(between_climbs);
  if (poll(events.data(), events.size(), static_cast<int>(limit.count())) <= 0) return;
  char nothing;
  if (events[0].revents)
    while (recv(bell_.number(), &nothing, sizeof nothing, 0) >= 0) {
    }
  const std::size_t count = neighbours_.size();
  if (events[1].revents) accept_some();
  for (std::size_t i = 0; i < count; ++i)
    if (events[i + 2].revents) read(*neighbours_[i]);
  const bool ended = std::any_of(events.begin() + static_cast<std::ptrdiff_t>(processes), events.end(),
                                 [](const pollfd& event) { return event.revents != 0; });
  if (ended) next_round_ = {};
}

// ---- connections ----

void ControlLeader::tune(int socket) const {
  const int seconds = static_cast<int>(std::max<std::chrono::milliseconds::rep>(timeout_.count() / 1000, 1));
  const int idle = std::max(seconds / 4, 1), interval = std::max(seconds / 8, 1), questions = 6;
  const auto silence = static_cast<unsigned>(std::max<std::chrono::milliseconds::rep>(timeout_.count() * 7 / 8, 500));
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &questions, sizeof questions);
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof silence);
}

void ControlLeader::accept_some() {
  while (true) {
    FileDescriptor socket(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    const auto strangers = std::count_if(neighbours_.begin(), neighbours_.end(),
                                         [](const auto& neighbour) { return neighbour->node < 0; });
    if (static_cast<std::size_t>(strangers) >= most_strangers + members_.size()) continue;
    const int number = socket.number();
    neighbours_.push_back(std::make_unique<Neighbour>(StoreConnection(std::move(socket), *secret_)));
    tune(number);
  }
}

void ControlLeader::read(Neighbour& neighbour) {
  errno = 0;
  bool alive = neighbour.connection.read();
  while (const auto bytes = neighbour.connection.next_message()) {
    auto message = control::decode(*bytes, board_.size());
    const bool hello = message && std::holds_alternative<control::Hello>(*message);
    if (!message || hello != (neighbour.node < 0)) {
      log(LogLevel::warning, "the control plane closes {}: what it says cannot be understood",
          neighbour.connection.peer());
      neighbour.lost = true;
      return;
    }
    take(neighbour, *message);
    if (neighbour.lost) return;
    errno = 0;
    alive = neighbour.connection.read();
  }
  if (!neighbour.connection.refusal().empty())
    log(LogLevel::info, "the control plane refused {}: {}", neighbour.connection.peer(),
        neighbour.connection.refusal());
  if (alive && neighbour.connection.flush()) return;
  neighbour.lost = true;
  neighbour.silent = errno == ETIMEDOUT || errno == EHOSTUNREACH || errno == ENETUNREACH;
}

// Those that ended, and strangers who said nothing for too long; what is owed to the others is sent.
void ControlLeader::bury() {
  for (std::size_t i = 0; i < neighbours_.size();) {
    Neighbour& neighbour = *neighbours_[i];
    errno = 0;
    if (!neighbour.lost && neighbour.connection.owes() && !neighbour.connection.flush()) {
      neighbour.lost = true;
      neighbour.silent = errno == ETIMEDOUT || errno == EHOSTUNREACH || errno == ENETUNREACH;
    }
    if (neighbour.node < 0 && Clock::now() - neighbour.since > proof_limit) neighbour.lost = true;
    if (!neighbour.lost) {
      ++i;
      continue;
    }
    const std::unique_ptr<Neighbour> gone = std::move(neighbours_[i]);
    neighbours_.erase(neighbours_.begin() + static_cast<std::ptrdiff_t>(i));
    std::erase_if(via_, [&](const auto& way) { return way.second == gone.get(); });
    if (gone->node < 0 || board_.state(gone->rank) >= RankState::goodbye) continue;
    if (gone->silent) {
      log(LogLevel::info, "node {} gives no sign of life", gone->node);
      for (int rank : members_[static_cast<std::size_t>(gone->node)]) end(rank, RankState::dead, 0, nullptr);
    } else {
      const auto grace = has_others(gone->node, gone->rank) ? patience : 0ms;
      suspects_.push_back({gone->rank, gone->process, Clock::now() + grace});
    }
  }
}

bool ControlLeader::has_others(int node, int but) const {
  const std::vector<int>& ranks = members_[static_cast<std::size_t>(node)];
  return std::any_of(ranks.begin(), ranks.end(),
                     [&](int rank) { return rank != but && board_.state(rank) < RankState::goodbye; });
}

// ---- the way up ----

bool ControlLeader::is_upwards_known() const {
  return std::any_of(neighbours_.begin(), neighbours_.end(),
                     [](const auto& neighbour) { return neighbour->upwards && !neighbour->lost; }) ||
         candidates().empty();
}

// The nodes to hang on, most wanted first.
std::vector<int> ControlLeader::candidates() const {
  std::vector<int> nodes;
  for (int node = node_; node > 0;) nodes.push_back(node = (node - 1) / branches);
  for (int node = 0; node < node_; ++node)
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
  std::erase_if(nodes, [&](int node) { return !has_others(node, -1); });
  return nodes;
}

std::string ControlLeader::wanted() const {
  const auto parent = static_cast<std::size_t>((node_ - 1) / branches);
  const int rank = members_[parent].front();
  std::string text =
      fmt::format("rank {} listens at port {} of", rank, addresses_.ports[static_cast<std::size_t>(rank)]);
  for (const std::string& host : addresses_.hosts[parent]) text += " " + host;
  return text;
}

void ControlLeader::climb() {
  if (is_upwards_known()) {
    alone_since_.reset();
    return;
  }
  const auto now = Clock::now();
  if (now < next_climb_) return;
  next_climb_ = now + between_climbs;
  if (!alone_since_) alone_since_ = now;
  // The longer it takes, the farther away a node may be.
  auto allowed = 1 + (now - *alone_since_) / patience;
  for (int node : candidates()) {
    if (allowed-- <= 0) return;
    std::unique_ptr<Neighbour> reached = reach(node);
    if (!reached) continue;
    neighbours_.push_back(std::move(reached));
    greet(*neighbours_.back());
    return;
  }
  for (int node : candidates()) probe(node);
  // Nobody below this node is left, or can be reached: it is the top until somebody answers.
  if (now - *alone_since_ > 10 * patience) next_climb_ = now + 1s;
}

// Asks the system of a node of which nothing is heard. Where all its processes have ended, nobody was left to tell;
// where its host gives no sign of life for TUTTI_TIMEOUT, it counts as dead.
void ControlLeader::probe(int node) {
  Quiet& quiet = quiet_[node];
  const auto now = Clock::now();
  if (now < quiet.next) return;
  quiet.next = now + patience;
  const auto index = static_cast<std::size_t>(node);
  bool silent = false;
  for (int rank : members_[index]) {
    if (board_.state(rank) >= RankState::goodbye) continue;
    for (const std::string& host : addresses_.hosts[index]) {
      const auto connected =
          try_connect({host, addresses_.ports[static_cast<std::size_t>(rank)], false}, Clock::now() + handshake_limit);
      if (std::holds_alternative<FileDescriptor>(connected)) {
        quiet_.erase(node);
        return;
      }
      silent = silent || std::get<std::string>(connected) != std::strerror(ECONNREFUSED);
    }
    if (silent) break;
  }
  auto& since = silent ? quiet.silent : quiet.refused;
  (silent ? quiet.refused : quiet.silent).reset();
  if (!since) since = now;
  if (now - *since < (silent ? timeout_ : std::chrono::milliseconds(2 * patience))) return;
  quiet_.erase(node);
  for (int rank : members_[index]) end(rank, RankState::dead, 0, nullptr);
}

std::unique_ptr<ControlLeader::Neighbour> ControlLeader::reach(int node) {
  const auto index = static_cast<std::size_t>(node);
  for (int rank : members_[index]) {
    if (board_.state(rank) >= RankState::goodbye) continue;
    for (const std::string& host : addresses_.hosts[index]) {
      const StoreAddress address{host, addresses_.ports[static_cast<std::size_t>(rank)], false};
      auto connected = try_connect(address, Clock::now() + handshake_limit);
      auto* socket = std::get_if<FileDescriptor>(&connected);
      if (!socket) continue;
      const auto handshake = shake_hands(socket->number(), *secret_, Clock::now() + handshake_limit);
      if (!handshake) continue;
      auto neighbour = std::make_unique<Neighbour>(StoreConnection(std::move(*socket), *handshake));
      tune(neighbour->connection.socket());
      neighbour->upwards = true;
      log(LogLevel::debug, "node {} hangs on node {}, rank {}, at {}", node_, node, rank, address.text());
      return neighbour;
    }
  }
  return nullptr;
}

}  // namespace tutti
