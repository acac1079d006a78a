// Starting, asking and ending the ranks of a measured job.
#include "perf/job.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "error.hpp"

namespace tutti::perf {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto start_limit = std::chrono::seconds(90);
// The longest turn is a few seconds, minutes where a library spins on shared cores; a rank that is silent for longer
// hangs.
constexpr auto answer_limit = std::chrono::minutes(10);
constexpr auto end_limit = std::chrono::seconds(5);

Error system_failure(const char* call) {
  return error(TUTTI_ERROR_SYSTEM, "{} failed: {}", call, std::strerror(errno));
}

// Variables of a launcher around tutti-perf would make a peer believe that it is one of that launcher's ranks. Settings
// that the user made for a peer stay (the set-up records them), unless mpirun has made some itself.
bool belongs_to_a_launcher(const std::string& variable) {
  if (variable.starts_with("OMPI_MCA_")) return std::getenv("OMPI_COMM_WORLD_RANK") != nullptr;
  for (const char* prefix : {"OMPI_", "PMIX_", "PMI_", "PRTE_", "HYDI_", "HYDRA_"})
    if (variable.starts_with(prefix)) return true;
  for (const char* name : {"TUTTI_RANK", "TUTTI_SIZE", "TUTTI_STORE", "TUTTI_SECRET_FILE", "RANK", "WORLD_SIZE",
                           "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"})
    if (variable.substr(0, variable.find('=')) == name) return true;
  return false;
}

std::vector<std::string> environment_of(const JobPlan& plan) {
  std::vector<std::string> result;
  for (char** at = environ; *at; ++at)
    if (plan.keeps_launcher || !belongs_to_a_launcher(*at)) result.emplace_back(*at);
  for (const auto& [name, value] : plan.environment) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::size_t page_size(const JobPlan& plan) {
  return plan.is_bound ? perf_offset_root_vector(plan.ranks) + plan.buffer_bytes : perf_offset_slots(plan.ranks);
}

bool is_file(const std::string& socket_name) { return socket_name.starts_with('/'); }

bool is_of_this_user(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

}  // namespace

std::string command_text(const JobPlan& plan) {
  std::string text;
  for (const auto& [name, value] : plan.environment) text += name + "=" + value + " ";
  for (const std::string& word : plan.commands.front()) text += word + " ";
  text.pop_back();
  return text;
}

Job::Job(JobPlan plan) : plan_(std::move(plan)), sockets_(static_cast<std::size_t>(plan_.ranks), -1) {
  listen();
  output_ = memfd_create("tutti-perf output", MFD_CLOEXEC);
  page_fd_ = memfd_create("tutti-perf page", MFD_CLOEXEC);
  page_bytes_ = page_size(plan_);
  if (output_ < 0 || page_fd_ < 0 || ftruncate(page_fd_, static_cast<off_t>(page_bytes_)) != 0)
    throw system_failure("memfd_create");
  fcntl(output_, F_SETFL, O_APPEND);
  void* page = mmap(nullptr, page_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd_, 0);
  if (page == MAP_FAILED) throw system_failure("mmap");
  page_ = static_cast<char*>(page);
  try {
    for (const auto& command : plan_.commands) spawn(command);
    accept_ranks();
  } catch (...) {
    end_processes();
    throw;
  }
}

Job::~Job() { end_processes(); }

void Job::end_processes() {
  perf_request quit{};
  quit.action = PERF_QUIT;
  for (int& socket : sockets_) {
    if (socket < 0) continue;
    (void)!send(socket, &quit, sizeof quit, MSG_NOSIGNAL);
    close(socket);
    socket = -1;
  }
  const auto limit = Clock::now() + end_limit;
  for (const pid_t child : children_) {
    int signal = SIGTERM;
    auto next = limit;
    while (waitpid(child, nullptr, WNOHANG) == 0) {
      if (Clock::now() > next) {
        kill(-child, signal);
        signal = SIGKILL;
        next = Clock::now() + end_limit;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  children_.clear();
  if (listener_ >= 0 && is_file(plan_.socket_name)) unlink(plan_.socket_name.c_str());
  if (page_) munmap(page_, page_bytes_);
  page_ = nullptr;
  for (int* fd : {&listener_, &output_, &page_fd_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
}

void Job::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t before = is_file(plan_.socket_name) ? 0 : 1;  // 1: in the abstract namespace
  if (plan_.socket_name.size() + 1 > sizeof address.sun_path)
    throw error(TUTTI_ERROR_SYSTEM, "the socket's name {} is too long", plan_.socket_name);
  std::memcpy(address.sun_path + before, plan_.socket_name.data(), plan_.socket_name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + before + plan_.socket_name.size());
  listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_, plan_.ranks) != 0)
    throw system_failure("listening on a Unix socket");
}

void Job::spawn(const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  std::vector<std::string> variables = environment_of(plan_);
  const std::vector<char*> arguments = pointers_to(words), environment = pointers_to(variables);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw system_failure("fork");
  if (child > 0) {
    children_.push_back(child);
    return;
  }
  setpgid(0, 0);  // so that a launcher and all it started can be ended together
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, 0);
  dup2(output_, 1);
  dup2(output_, 2);
  execvpe(arguments[0], arguments.data(), environment.data());
  dprintf(2, "%s: %s\n", arguments[0], std::strerror(errno));
  _exit(127);
}

void Job::fail_to_start(const std::string& why) {
  throw error(TUTTI_ERROR_START, "{}: {}\nits command: {}\nits output: {}", plan_.name, why, command_text(plan_),
              output());
}

void Job::accept_ranks() {
  const auto limit = Clock::now() + start_limit;
  for (int joined = 0; joined < plan_.ranks;) {
    pollfd event{listener_, POLLIN, 0};
    if (poll(&event, 1, 50) > 0) {
      const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      perf_hello hello{};
      if (socket < 0 || !is_of_this_user(socket) || recv(socket, &hello, sizeof hello, 0) != sizeof hello ||
          hello.protocol != PERF_PROTOCOL_VERSION) {
        close(socket);
        continue;
      }
      if (hello.size != plan_.ranks || hello.rank < 0 || hello.rank >= plan_.ranks ||
          sockets_[static_cast<std::size_t>(hello.rank)] >= 0) {
        close(socket);
        fail_to_start(fmt::format("a rank says it is rank {} of {}, but the job has {} ranks", hello.rank, hello.size,
                                  plan_.ranks));
      }
      sockets_[static_cast<std::size_t>(hello.rank)] = socket;
      hello.version[sizeof hello.version - 1] = 0;
      version_ = hello.version;
      ++joined;
      continue;
    }
    for (const pid_t child : children_) {
      siginfo_t info{};
      if (waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child)
        fail_to_start(fmt::format("it ended before its ranks had joined, {} {}",
                                  info.si_code == CLD_EXITED ? "with status" : "by signal", info.si_status));
    }
    if (Clock::now() > limit) fail_to_start(fmt::format("{} of {} ranks joined in time", joined, plan_.ranks));
  }
  for (int rank = 0; rank < plan_.ranks; ++rank) welcome(rank);
}

void Job::welcome(int rank) {
  perf_welcome text{};
  text.page_bytes = page_bytes_;
  text.buffer_bytes = plan_.buffer_bytes;
  text.more_ranks_than_cores = plan_.more_ranks_than_cores;
  iovec data{&text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &page_fd_, sizeof page_fd_);
  if (sendmsg(sockets_[static_cast<std::size_t>(rank)], &message, MSG_NOSIGNAL) < 0)
    fail_to_start(fmt::format("rank {} has gone", rank));
}

std::vector<perf_reply> Job::ask(perf_request request) {
  request.turn = ++turns_;
  for (int rank = 0; rank < plan_.ranks; ++rank)
    if (send(sockets_[static_cast<std::size_t>(rank)], &request, sizeof request, MSG_NOSIGNAL) < 0)
      throw error(TUTTI_ERROR_SYSTEM, "{}: rank {} has gone\nits output: {}", plan_.name, rank, output());
  std::vector<perf_reply> replies(static_cast<std::size_t>(plan_.ranks));
  const auto limit = Clock::now() + answer_limit;
  for (int rank = 0; rank < plan_.ranks; ++rank) {
    pollfd event{sockets_[static_cast<std::size_t>(rank)], POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit - Clock::now()).count();
    const int ready = poll(&event, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    perf_reply& reply = replies[static_cast<std::size_t>(rank)];
    if (ready <= 0 || recv(event.fd, &reply, sizeof reply, 0) != sizeof reply)
      throw error(TUTTI_ERROR_SYSTEM, "{}: rank {} {} in {} of {} elements\nits output: {}", plan_.name, rank,
                  ready == 0 ? "gave no answer" : "ended", request.collective, request.count, output());
    reply.text[sizeof reply.text - 1] = 0;
  }
  return replies;
}

std::vector<Sample> Job::samples(std::size_t count) const {
  const auto* all = reinterpret_cast<const perf_sample*>(page_ + perf_offset_samples(plan_.ranks));
  std::vector<Sample> result(count);
  for (int rank = 0; rank < plan_.ranks; ++rank) {
    const perf_sample* of_rank = all + static_cast<std::size_t>(rank) * PERF_TURN_SAMPLES;
    for (std::size_t i = 0; i < count; ++i) {
      result[i].entered = std::max(result[i].entered, of_rank[i].entered);
      result[i].left = std::max(result[i].left, of_rank[i].left);
    }
  }
  return result;
}

std::string Job::output() const {
  std::string text;
  char part[4096];
  for (off_t at = 0;;) {
    const ssize_t got = pread(output_, part, sizeof part, at);
    if (got <= 0) break;
    text.append(part, static_cast<std::size_t>(got));
    at += got;
  }
  return text;
}

}  // namespace tutti::perf
