// See job.hpp. One thread sleeps in poll on the ranks' output and the launcher's signals; another one serves the store.
#include "tools/launcher/job.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "bootstrap/log.hpp"
#include "bootstrap/tcp_store_server.hpp"
#include "error.hpp"
#include "tools/launcher/binding.hpp"
#include "tools/launcher/guard.hpp"
#include "tools/launcher/output.hpp"
#include "tools/launcher/rank_process.hpp"
#include "tools/launcher/signals.hpp"

extern char** environ;

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

// In memory, so that nothing is left of it however the launcher ends; ranks open it through the launcher's /proc entry,
// which the kernel shows to this user alone.
FileDescriptor secret_file(const Secret& secret) {
  FileDescriptor file(memfd_create("tutti-secret", MFD_CLOEXEC));
  if (!file || fchmod(file.number(), 0600) != 0) {
    throw error(TUTTI_ERROR_SYSTEM, "run: memfd_create failed: {}", std::strerror(errno));
  }
  secret.write(file.number());
  return file;
}

bool asks_to_end(int number) { return number == SIGINT || number == SIGTERM || number == SIGHUP; }

struct Pipe {
  FileDescriptor reading;
  FileDescriptor writing;
};

Pipe output_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw error(TUTTI_ERROR_SYSTEM, "run: pipe2 failed: {}", std::strerror(errno));
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

class Job {
 public:
  explicit Job(const JobOptions& options);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  bool run();

 private:
  struct Rank {
    pid_t pid = -1;
    bool own_group = true;
    bool ended = false;  // but not reaped: until the job ends, its number must stay its own
  };

  void start_rank(int rank);
  std::vector<std::string> environment_of(int rank) const;
  int number_of(int rank) const { return rank + (options_.part ? options_.part->first : 0); }  // in the whole job
  bool write_all(int destination, const std::string& text);
  void wait_and_relay();
  void take_signals();
  void take_orders();
  void give_up();
  void see_who_ended();
  void report(int rank, const siginfo_t& info);
  void pass_on(const signalfd_siginfo& info);
  void signal_ranks(int number, bool from_terminal);
  void signal_rank(const Rank& rank, int number);
  void end_ranks();
  void kill_after_grace();
  bool all_ended() const;
  int milliseconds_to_sleep() const;

  JobOptions options_;
  std::vector<CpuMask> masks_;
  Signals signals_;
  Guard guard_;
  Secret secret_;
  FileDescriptor secret_file_ = secret_file(secret_);
  std::optional<Listener> listener_;
  std::string store_;
  std::unique_ptr<TcpStoreServer> server_;
  FileDescriptor nothing_{open("/dev/null", O_RDWR | O_CLOEXEC)};
  std::vector<Rank> ranks_;
  std::vector<OutputStream> outputs_;
  bool failed_ = false;
  int orders_ = options_.part ? options_.part->orders : -1;
  std::string order_;  // the beginning of a line
  int passed_on_ = 0;  // the last signal that asked the ranks to end
  std::optional<Clock::time_point> kill_at_;
  bool killed_ = false;
};

Job::Job(const JobOptions& options)
    : options_(options),
      masks_(bind_ranks(options.ranks, options.binding)),
      secret_(options.part ? Secret(options.part->secret) : Secret::random()) {
  if (options.part) {
    store_ = options.part->store;
  } else {
    listener_.emplace("127.0.0.1", std::uint16_t{0});
    store_ = listener_->reached_at().text() + "?held-by=launcher";
  }
}

// Reached with ranks alive only if a later one could not be started.
Job::~Job() {
  for (const auto& rank : ranks_) {
    if (!rank.ended) signal_rank(rank, SIGKILL);
    waitpid(rank.pid, nullptr, 0);
  }
}

std::vector<std::string> Job::environment_of(int rank) const {
  std::vector<std::string> variables = {
      fmt::format("TUTTI_RANK={}", number_of(rank)),
      fmt::format("TUTTI_SIZE={}", options_.part ? options_.part->size : options_.ranks),
      fmt::format("TUTTI_STORE={}", store_),
      fmt::format("TUTTI_SECRET_FILE=/proc/{}/fd/{}", getpid(), secret_file_.number()),
  };
  const auto own = variables.size();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('=') + 1);
    const bool replaced = std::any_of(variables.begin(), variables.begin() + static_cast<std::ptrdiff_t>(own),
                                      [&](const std::string& variable) { return variable.starts_with(name); });
    if (!replaced) variables.emplace_back(text);
  }
  return variables;
}

void Job::start_rank(int rank) {
  RankProcess process;
  process.command = options_.command;
  process.environment = environment_of(rank);
  process.signals = signals_.before();
  if (!masks_.empty()) process.mask = &masks_[static_cast<std::size_t>(rank)];
  const bool reads = rank == 0 && !options_.part;
  if (!reads) process.input = nothing_.number();
  // A terminal may be read by the launcher's own process group only.
  process.own_group = !reads || isatty(STDIN_FILENO) == 0;
  // A single rank without a label needs nothing between it and the terminal.
  const bool direct = options_.ranks == 1 && !options_.label;
  Pipe output;
  Pipe errors;
  if (!direct) {
    output = output_pipe();
    errors = output_pipe();
    process.output = output.writing.number();
    process.error = errors.writing.number();
  }
  const pid_t pid = start(process);
  ranks_.push_back({pid, process.own_group, false});
  if (process.own_group) guard_.watch(pid);
  if (direct) return;
  const auto label = options_.label ? fmt::format("[{}] ", number_of(rank)) : std::string();
  const auto write = [this](int destination, const std::string& text) { return write_all(destination, text); };
  outputs_.emplace_back(std::move(output.reading), STDOUT_FILENO, label, write);
  outputs_.emplace_back(std::move(errors.reading), STDERR_FILENO, label, write);
}

// Goes on taking signals while the reader of our output is slow. A pipe that is ready takes PIPE_BUF bytes at once.
bool Job::write_all(int destination, const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    pollfd entries[] = {{destination, POLLOUT, 0}, {signals_.descriptor(), POLLIN, 0}};
    poll(entries, 2, milliseconds_to_sleep());
    take_signals();
    if (entries[0].revents == 0) continue;
    const ssize_t written = write(destination, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool Job::run() {
  for (int rank = 0; rank < options_.ranks; ++rank) start_rank(rank);
  if (listener_) server_ = std::make_unique<TcpStoreServer>(std::move(*listener_), secret_, options_.ranks);
  while (!all_ended()) wait_and_relay();
  // What the ranks left running has no part in a job that failed.
  if (failed_) {
    for (const auto& rank : ranks_) {
      if (rank.own_group) kill(-rank.pid, SIGKILL);
    }
  }
  for (auto& output : outputs_) output.finish();
  return !failed_;
}

void Job::wait_and_relay() {
  // A descriptor of -1 is skipped: a closed output, no orders.
  std::vector<pollfd> entries{{signals_.descriptor(), POLLIN, 0}, {orders_, POLLIN, 0}};
  for (const auto& output : outputs_) entries.push_back({output.source(), POLLIN, 0});
  poll(entries.data(), entries.size(), milliseconds_to_sleep());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (entries[i + 2].revents != 0) outputs_[i].relay();
  }
  if (entries[1].revents != 0) take_orders();
  take_signals();
}

void Job::take_signals() {
  while (const auto info = signals_.next()) {
    if (info->ssi_signo == SIGCHLD) {
      see_who_ended();
    } else {
      pass_on(*info);
    }
  }
  kill_after_grace();
}

// Of the launcher of the whole job. Without it, or when another part has failed, ours has too: nobody need be told.
void Job::take_orders() {
  std::array<char, 256> piece;
  const ssize_t got = read(orders_, piece.data(), piece.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got > 0) order_.append(piece.data(), static_cast<std::size_t>(got));
  for (std::size_t end = order_.find('\n'); end != std::string::npos; end = order_.find('\n')) {
    const std::string line = order_.substr(0, end);
    order_.erase(0, end + 1);
    constexpr std::string_view signal = "signal ";
    if (line.starts_with(signal)) {
      const int number = std::atoi(line.c_str() + signal.size());
      signal_ranks(number, false);
      if (asks_to_end(number)) passed_on_ = number;
    } else {
      give_up();
    }
  }
  if (got <= 0) {
    orders_ = -1;
    give_up();
  }
}

void Job::give_up() {
  failed_ = true;
  end_ranks();
}

void Job::see_who_ended() {
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    siginfo_t info{};
    if (ranks_[i].ended) continue;
    const auto id = static_cast<id_t>(ranks_[i].pid);
    if (waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) continue;
    ranks_[i].ended = true;
    if (info.si_code != CLD_EXITED || info.si_status != 0) report(static_cast<int>(i), info);
  }
}

// Names the first failure; those that follow from it, or from our ending the ranks, would only hide it.
void Job::report(int rank, const siginfo_t& info) {
  if (!failed_) {
    const auto how = info.si_code == CLD_EXITED ? fmt::format("ended with status {}", info.si_status)
                                                : fmt::format("was killed by {}", signal_text(info.si_status));
    const auto after = passed_on_ == 0 ? "" : fmt::format(" after {} was passed on", signal_text(passed_on_));
    const auto others = all_ended() ? "" : "; ending the others";
    write_all(STDERR_FILENO, fmt::format("tutti run: rank {} (pid {}, {}) {}{}{}\n", number_of(rank), info.si_pid,
                                         host_name(), how, after, others));
  }
  failed_ = true;
  end_ranks();
}

void Job::pass_on(const signalfd_siginfo& info) {
  const int number = static_cast<int>(info.ssi_signo);
  const bool from_terminal = info.ssi_code == SI_KERNEL;
  signal_ranks(number, from_terminal);
  if (asks_to_end(number) && passed_on_ != 0) end_ranks();  // asked twice: no more patience
  if (asks_to_end(number)) passed_on_ = number;
  if (number == SIGTSTP) kill(getpid(), SIGSTOP);
}

void Job::signal_ranks(int number, bool from_terminal) {
  for (const auto& rank : ranks_) {
    // The terminal has told its own group already.
    if (!rank.ended && (rank.own_group || !from_terminal)) signal_rank(rank, number);
  }
}

void Job::signal_rank(const Rank& rank, int number) { kill(rank.own_group ? -rank.pid : rank.pid, number); }

void Job::end_ranks() {
  if (kill_at_) return;
  kill_at_ = Clock::now() + options_.grace;
  signal_ranks(SIGTERM, false);
  signal_ranks(SIGCONT, false);  // one that is stopped must wake to hear it
}

void Job::kill_after_grace() {
  if (!kill_at_ || killed_ || Clock::now() < *kill_at_ || all_ended()) return;
  killed_ = true;
  signal_ranks(SIGKILL, false);
  const auto count = std::count_if(ranks_.begin(), ranks_.end(), [](const Rank& rank) { return !rank.ended; });
  write_all(STDERR_FILENO, fmt::format("tutti run: {} rank{} had not ended {} s after SIGTERM and {} killed\n", count,
                                       count == 1 ? "" : "s", static_cast<double>(options_.grace.count()) / 1000,
                                       count == 1 ? "was" : "were"));
}

bool Job::all_ended() const {
  return std::all_of(ranks_.begin(), ranks_.end(), [](const Rank& rank) { return rank.ended; });
}

int Job::milliseconds_to_sleep() const {
  if (!kill_at_ || killed_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*kill_at_ - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

}  // namespace

bool run_job(const JobOptions& options) { return Job(options).run(); }

}  // namespace tutti
