// See pmi_connection.hpp. What each command looks like:
//   version one:  "cmd=get kvsname=kvs_7 key=a\n"      answered by "cmd=get_result rc=0 value=b\n"
//   version two:  "    24cmd=kvs-get;key=a;"           answered by " 45cmd=kvs-get-response;found=TRUE;value=b;rc=0;"
#include "bootstrap/pmi_connection.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>

#include "bootstrap/environment.hpp"
#include "bootstrap/log.hpp"
#include "error.hpp"

namespace tutti {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t frame_digits = 6;           // that begin a frame: how long the rest is
constexpr std::size_t longest_answer = 1u << 20;  // bytes: a server that sends more speaks something else
constexpr std::size_t longest_line = 1000;        // bytes: Slurm reads a command into a buffer of 1024, and no more
constexpr std::size_t words_of_put = 64;          // bytes of a put beside the value and the name of its space
constexpr std::chrono::seconds answer_limit{60};  // for what needs no other rank
constexpr std::chrono::seconds parting_limit{2};  // for the answer to our leave

Deadline soon() { return Clock::now() + answer_limit; }

std::optional<long long> number_in(const std::string& text) {
  long long value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// An MPI of this program speaks over the same descriptor, and takes the leave for both: after the first leave the
// launcher hears nothing more.
bool mpi_takes_leave() {
  const auto initialized = reinterpret_cast<int (*)(int*)>(dlsym(RTLD_DEFAULT, "MPI_Initialized"));
  int flag = 0;
  return initialized != nullptr && initialized(&flag) == 0 && flag != 0;
}

}  // namespace

class PmiConnection::Answer {
 public:
  Answer(std::string_view text, char separator) : text_(text) {
    while (!text.empty()) {
      const auto end = std::min(text.find(separator), text.size());
      const auto field = text.substr(0, end);
      if (const auto equals = field.find('='); equals != std::string_view::npos)
        fields_.emplace_back(field.substr(0, equals), field.substr(equals + 1));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  const std::string* find(std::string_view name) const {
    const auto found =
        std::find_if(fields_.begin(), fields_.end(), [&](const auto& field) { return field.first == name; });
    return found == fields_.end() ? nullptr : &found->second;
  }

  bool is(std::string_view name, std::string_view value) const {
    const auto* found = find(name);
    return found != nullptr && *found == value;
  }

  // Absent counts as good: not all answers of all servers have it.
  bool good() const { return find("rc") == nullptr || is("rc", "0"); }

  long long number(std::string_view name, long long least, long long most) const {
    const auto* found = find(name);
    const auto value = found == nullptr ? std::nullopt : number_in(*found);
    if (!value || *value < least || *value > most) {
      throw error(TUTTI_ERROR_START, "the launcher's PMI server answered \"{}\" where {} from {} to {} was expected",
                  text_, name, least, most);
    }
    return *value;
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  Fields fields_;
};

PmiConnection& PmiConnection::of_process(PmiVersion version) {
  logs(LogLevel::warning);  // what the end of this may still need must be made before it
  static PmiConnection connection(version);
  return connection;
}

PmiConnection::PmiConnection(PmiVersion version) : process_(getpid()) {
  constexpr long long most = std::numeric_limits<int>::max();
  if (const auto descriptor = environment_integer("PMI_FD")) {
    source_ = fmt::format("PMI_FD={}", *descriptor);
    // The variable's own descriptor stays open to what this process starts: it may be what the launcher meant.
    socket_ = FileDescriptor(fcntl(static_cast<int>(*descriptor), F_DUPFD_CLOEXEC, 3));
    if (!socket_) {
      throw error(TUTTI_ERROR_START,
                  "{} is no open descriptor of this process: something between the launcher and it has closed it",
                  source_);
    }
    rank_ = static_cast<int>(environment_integer("PMI_RANK", 0, most).value_or(-1));
    size_ = static_cast<int>(environment_integer("PMI_SIZE", 1, most).value_or(0));
  } else {
    take_place_at_port();
  }
  if (!begin(version) && (version == PmiVersion::two || !begin(PmiVersion::two))) {
    throw error(TUTTI_ERROR_START, "the PMI server at {} speaks neither version 1 nor version 2 of the protocol",
                source_);
  }
  if (rank_ < 0 || size_ < 1 || rank_ >= size_) {
    throw error(TUTTI_ERROR_START, "the PMI server at {} says that this is rank {} of {}", source_, rank_, size_);
  }
}

PmiConnection::~PmiConnection() {
  if (getpid() != process_ || mpi_takes_leave()) return;  // a forked child has no place in the job
  try {
    ask("finalize", {}, framed_ ? "finalize-response" : "finalize_ack", Clock::now() + parting_limit);
  } catch (const Error& failure) {
    log(LogLevel::debug, "leaving the launcher: {}", failure.what());
  }
}

// A server that is reached by its address gives each process its place by the number in PMI_ID.
void PmiConnection::take_place_at_port() {
  const auto address = environment_text("PMI_PORT").value();
  source_ = "PMI_PORT=" + address;
  const auto colon = address.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : number_in(address.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535 || colon == 0) {
    throw error(TUTTI_ERROR_ARGUMENT, "PMI_PORT=\"{}\" is wrong: it must be host:port, as a launcher sets it", address);
  }
  auto connected = try_connect({address.substr(0, colon), static_cast<std::uint16_t>(*port), true}, soon());
  if (const auto* trouble = std::get_if<std::string>(&connected)) {
    throw error(TUTTI_ERROR_START, "the launcher's PMI server at {} cannot be reached: {}", source_, *trouble);
  }
  socket_ = std::move(std::get<FileDescriptor>(connected));
  ask("initack", {{"pmiid", std::to_string(environment_integer("PMI_ID").value_or(0))}}, "initack", soon());
  // Three lines: cmd=set size=4, cmd=set rank=0, cmd=set debug=0.
  constexpr long long most = std::numeric_limits<int>::max();
  for (int line = 0; line < 3; ++line) {
    const Answer answer(receive_line(soon()), ' ');
    if (answer.find("size")) size_ = static_cast<int>(answer.number("size", 1, most));
    if (answer.find("rank")) rank_ = static_cast<int>(answer.number("rank", 0, most));
  }
}

// False if the server does not speak this version.
bool PmiConnection::begin(PmiVersion version) {
  const bool first = version == PmiVersion::one;
  const auto number = first ? "1" : "2";
  const auto answer =
      ask("init", {{"pmi_version", number}, {"pmi_subversion", first ? "1" : "0"}}, "response_to_init", soon());
  if (!answer.good() || !answer.is("pmi_version", number)) return false;
  version_ = version;
  first ? begin_first_version() : begin_second_version();
  return true;
}

void PmiConnection::begin_first_version() {
  constexpr long long most = 1 << 20;
  const auto limits = ask("get_maxes", {}, "maxes", soon());
  // Their numbers count the byte that ends a text in C.
  longest_key_ = static_cast<std::size_t>(limits.number("keylen_max", 2, most) - 1);
  longest_value_ = static_cast<std::size_t>(limits.number("vallen_max", 2, most) - 1);
  const auto name = ask("get_my_kvsname", {}, "my_kvsname", soon());
  if (name.find("kvsname") == nullptr) {
    throw error(TUTTI_ERROR_START, "the PMI server at {} names no key-value space: \"{}\"", source_, name.text());
  }
  space_ = *name.find("kvsname");
  const std::size_t taken = words_of_put + std::min(space_.size(), longest_line / 2);
  longest_value_ = std::min(longest_value_, longest_line - taken);
}

// Version two has limits of its own (64 and 1024 with the byte that ends a text), and one space for a job.
void PmiConnection::begin_second_version() {
  constexpr long long most = std::numeric_limits<int>::max();
  framed_ = true;
  Fields fields = {{"threaded", "FALSE"}};
  if (const auto job = environment_text("PMI_JOBID")) fields.insert(fields.begin(), {"pmijobid", *job});
  if (rank_ >= 0) fields.insert(fields.begin(), {"pmirank", std::to_string(rank_)});
  const auto answer = ask("fullinit", fields, "fullinit-response", soon());
  rank_ = static_cast<int>(answer.number("rank", 0, most));
  size_ = static_cast<int>(answer.number("size", 1, most));
  const auto job = ask("job-getid", {}, "job-getid-response", soon());
  if (job.find("jobid") != nullptr) space_ = *job.find("jobid");
}

PmiConnection::Answer PmiConnection::ask(std::string_view command, const Fields& fields, std::string_view answered_by,
                                         Deadline deadline) {
  const char separator = framed_ ? ';' : ' ';
  std::string text = fmt::format("cmd={}", command);
  for (const auto& [name, value] : fields) text += fmt::format("{}{}={}", separator, name, value);
  text += framed_ ? ';' : '\n';
  send(framed_ ? fmt::format("{:{}}{}", text.size(), frame_digits, text) : text);
  Answer answer(framed_ ? receive_frame(deadline) : receive_line(deadline), separator);
  if (!answer.is("cmd", answered_by)) {
    throw error(TUTTI_ERROR_START, "the PMI server at {} answered \"{}\" to the command {}, not {}", source_,
                answer.text(), command, answered_by);
  }
  return answer;
}

void PmiConnection::send(std::string_view text) {
  if (send_all(socket_.number(), text, soon()) == Transfer::done) return;
  throw error(TUTTI_ERROR_START, "rank {} on {}: the connection to the launcher's PMI server ({}) was lost", rank_,
              host_name(), source_);
}

// The descriptor is shared with what this process starts, so it is not made to block or not to block.
void PmiConnection::receive_more(Deadline deadline) {
  std::array<char, 4096> piece;
  while (true) {
    pollfd entry{socket_.number(), POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int ready = poll(&entry, 1, static_cast<int>(std::clamp<long long>(left, 0, 3'600'000)));
    if (ready == 0 && left <= 0) {
      throw error(TUTTI_ERROR_START, "rank {} on {}: the launcher's PMI server ({}) gave no answer in time", rank_,
                  host_name(), source_);
    }
    if (ready <= 0) continue;
    const ssize_t got = recv(socket_.number(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) {
      throw error(TUTTI_ERROR_START, "rank {} on {}: the launcher's PMI server ({}) has closed the connection", rank_,
                  host_name(), source_);
    }
    received_.append(piece.data(), static_cast<std::size_t>(got));
    return;
  }
}

std::string PmiConnection::receive_line(Deadline deadline) {
  auto end = received_.find('\n');
  while (end == std::string::npos) {
    if (received_.size() > longest_answer) {
      throw error(TUTTI_ERROR_START, "the PMI server at {} sent a line that does not end", source_);
    }
    receive_more(deadline);
    end = received_.find('\n');
  }
  std::string line = received_.substr(0, end);
  received_.erase(0, end + 1);
  return line;
}

std::string PmiConnection::receive_bytes(std::size_t count, Deadline deadline) {
  while (received_.size() < count) receive_more(deadline);
  std::string bytes = received_.substr(0, count);
  received_.erase(0, count);
  return bytes;
}

std::string PmiConnection::receive_frame(Deadline deadline) {
  std::string digits = receive_bytes(frame_digits, deadline);
  std::erase(digits, ' ');  // hydra writes them to the right, Slurm to the left
  const auto length = number_in(digits);
  if (!length || *length < 0) {
    throw error(TUTTI_ERROR_START, "the PMI server at {} sent \"{}\" where a frame's length was expected", source_,
                digits);
  }
  return receive_bytes(static_cast<std::size_t>(*length), deadline);
}

void PmiConnection::put(const std::string& key, const std::string& value) {
  const std::lock_guard hold(lock_);
  const auto answer = framed_ ? ask("kvs-put", {{"key", key}, {"value", value}}, "kvs-put-response", soon())
                              : ask("put", {{"kvsname", space_}, {"key", key}, {"value", value}}, "put_result", soon());
  if (!answer.good()) {
    throw error(TUTTI_ERROR_START, "rank {} on {}: the launcher's PMI server did not take the key {}: \"{}\"", rank_,
                host_name(), key, answer.text());
  }
}

std::optional<std::string> PmiConnection::get(const std::string& key) {
  const std::lock_guard hold(lock_);
  const auto answer =
      framed_ ? ask("kvs-get", {{"jobid", space_}, {"srcid", "-1"}, {"key", key}}, "kvs-get-response", soon())
              : ask("get", {{"kvsname", space_}, {"key", key}}, "get_result", soon());
  const auto* value = answer.find("value");
  if (!answer.good() || value == nullptr || answer.is("found", "FALSE")) return std::nullopt;
  return *value;
}

void PmiConnection::barrier(std::string_view name, Deadline deadline) {
  const std::lock_guard hold(lock_);
  try {
    const auto answer =
        framed_ ? ask("kvs-fence", {}, "kvs-fence-response", deadline) : ask("barrier_in", {}, "barrier_out", deadline);
    if (answer.good()) return;
    throw error(TUTTI_ERROR_START, "the launcher's PMI server answered \"{}\"", answer.text());
  } catch (const Error& failure) {
    throw error(TUTTI_ERROR_START, "at the fence \"{}\" of {} ranks: {} (PMI does not tell which ranks are missing)",
                name, size_, failure.what());
  }
}

}  // namespace tutti
