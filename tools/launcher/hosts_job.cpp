// See hosts_job.hpp. The launcher's side.
#include "tools/launcher/hosts_job.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>

#include "bootstrap/log.hpp"
#include "bootstrap/tcp_store_server.hpp"
#include "error.hpp"
#include "tools/launcher/guard.hpp"
#include "tools/launcher/output.hpp"
#include "tools/launcher/part_order.hpp"
#include "tools/launcher/rank_process.hpp"
#include "tools/launcher/route.hpp"
#include "tools/launcher/signals.hpp"

extern char** environ;

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

// Beyond the grace of the ranks: what a part takes to end them and to say so.
constexpr std::chrono::seconds parting{5};

struct Pipe {
  FileDescriptor reading;
  FileDescriptor writing;
};

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw error(TUTTI_ERROR_SYSTEM, "run: pipe2 failed: {}", std::strerror(errno));
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

std::string own_program() {
  std::string path(PATH_MAX, '\0');
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) throw error(TUTTI_ERROR_SYSTEM, "run: /proc/self/exe cannot be read: {}", std::strerror(errno));
  path.resize(static_cast<std::size_t>(length));
  return path;
}

// For the shell that an agent hands its words to.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char letter : word) text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

bool is_this_host(const std::string& name) { return name == host_name() || name == "localhost"; }

class HostsJob {
 public:
  HostsJob(const JobOptions& options, const HostsOptions& hosts);
  ~HostsJob();
  HostsJob(const HostsJob&) = delete;
  HostsJob& operator=(const HostsJob&) = delete;
  bool run();

 private:
  struct Part {
    JobHost host;
    pid_t pid = -1;
    bool ended = false;
    FileDescriptor orders;
  };

  void start(const JobHost& host);
  std::string store_for(const JobHost& host) const;
  void order(Part& part, const std::string& line);
  void order_all(const std::string& line);
  void wait_and_relay();
  void take_signals();
  void see_who_ended();
  void report(const Part& part, int status);
  void end_parts();
  bool all_ended() const;
  bool write_all(int destination, const std::string& text);
  int milliseconds_to_sleep() const;

  JobOptions options_;
  HostsOptions hosts_;
  std::string program_ = own_program();
  Signals signals_;
  Guard guard_;
  std::string secret_ = fresh_secret();
  // No address and not localhost, so it listens on all interfaces: each host may reach another of them.
  Listener listener_{"any interface", 0};
  std::uint16_t port_ = listener_.reached_at().port;
  std::unique_ptr<TcpStoreServer> server_;
  std::vector<Part> parts_;
  std::vector<OutputStream> outputs_;
  bool failed_ = false;
  bool bad_input_ = false;
  bool asked_to_end_ = false;
  std::optional<Clock::time_point> kill_at_;
};

HostsJob::HostsJob(const JobOptions& options, const HostsOptions& hosts) : options_(options), hosts_(hosts) {}

HostsJob::~HostsJob() {
  for (auto& part : parts_) {
    if (!part.ended) kill(-part.pid, SIGKILL);
    waitpid(part.pid, nullptr, 0);
  }
}

std::string HostsJob::store_for(const JobHost& host) const {
  const std::string own = !hosts_.address.empty()   ? hosts_.address
                          : is_this_host(host.name) ? std::string("127.0.0.1")
                                                    : address_towards(host.name);
  return StoreAddress{own, port_, true}.text() + "?held-by=launcher";
}

void HostsJob::start(const JobHost& host) {
  RankProcess process;
  if (is_this_host(host.name)) {
    process.command = {program_, "run-part"};
  } else {
    process.command = hosts_.agent;
    process.command.push_back(host.name);
    process.command.push_back(quoted(program_) + " run-part");
  }
  for (char** entry = environ; *entry != nullptr; ++entry) process.environment.emplace_back(*entry);
  process.signals = signals_.before();
  Pipe orders = make_pipe();
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  process.input = orders.reading.number();
  process.output = output.writing.number();
  process.error = errors.writing.number();
  Part part;
  part.host = host;
  part.pid = tutti::start(process);
  guard_.watch(part.pid);
  part.orders = std::move(orders.writing);
  const auto write = [this](int destination, const std::string& text) { return write_all(destination, text); };
  for (auto* pipe : {&output, &errors}) {
    fcntl(pipe->reading.number(), F_SETFL, O_NONBLOCK);
    outputs_.emplace_back(std::move(pipe->reading), pipe == &output ? STDOUT_FILENO : STDERR_FILENO, "", write);
  }
  PartOrder told;
  told.job = options_;
  told.job.ranks = host.ranks;
  told.job.part = JobPart{host.first, options_.ranks, store_for(host), secret_, -1};
  order(part, encode(told));
  parts_.push_back(std::move(part));
}

// To an agent that is gone nothing need be said.
void HostsJob::order(Part& part, const std::string& line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(part.orders.number(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void HostsJob::order_all(const std::string& line) {
  for (auto& part : parts_) {
    if (!part.ended) order(part, line);
  }
}

bool HostsJob::run() {
  // The store first: a part may be faster than the next agent.
  server_ = std::make_unique<TcpStoreServer>(std::move(listener_), Secret(secret_), options_.ranks);
  for (const auto& host : hosts_.hosts) start(host);
  while (!all_ended()) wait_and_relay();
  for (auto& output : outputs_) output.finish();
  if (bad_input_) throw Error(TUTTI_ERROR_ARGUMENT, "");  // the part has said what is wrong
  return !failed_;
}

void HostsJob::wait_and_relay() {
  std::vector<pollfd> entries{{signals_.descriptor(), POLLIN, 0}};
  for (const auto& output : outputs_) entries.push_back({output.source(), POLLIN, 0});  // a closed one is -1: skipped
  poll(entries.data(), entries.size(), milliseconds_to_sleep());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (entries[i + 1].revents != 0) outputs_[i].relay();
  }
  take_signals();
}

void HostsJob::take_signals() {
  while (const auto info = signals_.next()) {
    const int number = static_cast<int>(info->ssi_signo);
    if (number == SIGCHLD) {
      see_who_ended();
      continue;
    }
    const bool asks_to_end = number == SIGINT || number == SIGTERM || number == SIGHUP;
    if (asks_to_end && asked_to_end_) {
      end_parts();  // asked twice: no more patience
    } else {
      order_all(fmt::format("signal {}\n", number));
    }
    asked_to_end_ |= asks_to_end;
    if (number == SIGTSTP) kill(getpid(), SIGSTOP);
  }
  if (kill_at_ && Clock::now() >= *kill_at_) {
    for (const auto& part : parts_) {
      if (!part.ended) kill(-part.pid, SIGKILL);
    }
  }
}

void HostsJob::see_who_ended() {
  for (auto& part : parts_) {
    siginfo_t info{};
    if (part.ended) continue;
    if (waitid(P_PID, static_cast<id_t>(part.pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
      continue;
    part.ended = true;
    const int status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    if (status != 0) report(part, status);
  }
}

// A part ends with 1 or 2 when it has said what failed; anything else is the agent's, or a host's that has gone.
void HostsJob::report(const Part& part, int status) {
  constexpr int failed = 1, bad_input = 2;
  if (!failed_ && status == bad_input) bad_input_ = true;
  if (!failed_ && status != failed && status != bad_input) {
    const auto agent =
        is_this_host(part.host.name) ? std::string("tutti run-part") : fmt::format("{}", hosts_.agent.front());
    write_all(
        STDERR_FILENO,
        fmt::format("tutti run: host {} (ranks {} to {}): {} ended with status {}: the host cannot be reached, or "
                    "{} cannot be run there; ending the others\n",
                    part.host.name, part.host.first, part.host.first + part.host.ranks - 1, agent, status, program_));
  }
  failed_ = true;
  end_parts();
}

void HostsJob::end_parts() {
  if (kill_at_) return;
  kill_at_ = Clock::now() + options_.grace + parting;
  order_all("end\n");
}

bool HostsJob::all_ended() const {
  return std::all_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.ended; });
}

bool HostsJob::write_all(int destination, const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = write(destination, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd entry{destination, POLLOUT, 0};
      poll(&entry, 1, -1);
      continue;
    }
    if (written < 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

int HostsJob::milliseconds_to_sleep() const {
  if (!kill_at_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*kill_at_ - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

}  // namespace

bool run_job_on_hosts(const JobOptions& options, const HostsOptions& hosts) { return HostsJob(options, hosts).run(); }

}  // namespace tutti
