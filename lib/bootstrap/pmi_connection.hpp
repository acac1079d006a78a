// This process as a client of a launcher's PMI server: lines (PMI-1) or frames (PMI-2) of key=value over a socket that
// the launcher left open (PMI_FD), or that is reached at PMI_PORT. The wire protocol is spoken here, because a PMI
// library belongs to one launcher: Debian's libpmi0 fails under hydra.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/socket.hpp"

namespace tutti {

enum class PmiVersion { one, two };

class PmiConnection {
 public:
  // The one of this process: made at the first call, ended with the process (a launcher takes a process that ends
  // without a word for a failed one). `version` is the one to ask for; a server that does not speak version one is
  // asked for the other. Throws tutti::Error(TUTTI_ERROR_START).
  static PmiConnection& of_process(PmiVersion version = PmiVersion::one);
  ~PmiConnection();
  PmiConnection(const PmiConnection&) = delete;
  PmiConnection& operator=(const PmiConnection&) = delete;

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  PmiVersion version() const noexcept { return version_; }
  // The most characters that a key and a value may have.
  std::size_t longest_key() const noexcept { return longest_key_; }
  std::size_t longest_value() const noexcept { return longest_value_; }

  // Neither key nor value may hold blanks, '=' or ';'. Others see it after the next barrier.
  void put(const std::string& key, const std::string& value);
  // nullopt if it is not there (yet).
  std::optional<std::string> get(const std::string& key);
  void barrier(std::string_view name, Deadline deadline);

 private:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  class Answer;

  explicit PmiConnection(PmiVersion version);
  void take_place_at_port();
  bool begin(PmiVersion version);
  void begin_first_version();
  void begin_second_version();
  // Sends a command and reads what answers it.
  Answer ask(std::string_view command, const Fields& fields, std::string_view answered_by, Deadline deadline);
  void send(std::string_view text);
  std::string receive_line(Deadline deadline);
  std::string receive_frame(Deadline deadline);
  std::string receive_bytes(std::size_t count, Deadline deadline);
  void receive_more(Deadline deadline);

  FileDescriptor socket_;
  std::string source_;  // "PMI_FD=7", for messages
  std::string received_;
  PmiVersion version_ = PmiVersion::one;
  bool framed_ = false;  // version two, after its first line
  int rank_ = -1;
  int size_ = 0;
  std::string space_;  // the name of the job's key-value space
  std::size_t longest_key_ = 63;
  std::size_t longest_value_ = 1023;
  int process_;
  std::mutex lock_;
};

}  // namespace tutti
