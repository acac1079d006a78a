// The output of one rank on its way to the launcher's: whole lines, each behind its label.
#pragma once

#include <functional>
#include <string>

#include "bootstrap/file_descriptor.hpp"

namespace tutti {

class OutputStream {
 public:
  using Write = std::function<bool(int destination, const std::string& text)>;

  // Reads from `source`, which must not block; `write` returns false if nobody reads the destination any more.
  OutputStream(FileDescriptor source, int destination, std::string label, Write write);

  int source() const noexcept { return source_.number(); }
  bool open() const noexcept { return static_cast<bool>(source_); }
  // Takes what is there; at the end of the stream, what remains is written as a last line.
  void relay();
  // Takes what is there and ends the stream, even if a process still holds its other end.
  void finish();

  // A line that is longer is cut: a rank that never ends a line must not fill the launcher's memory.
  static constexpr std::size_t longest_line = std::size_t{1} << 20;

 private:
  bool read_piece();
  void write_lines();
  void end();

  FileDescriptor source_;
  int destination_;
  std::string label_;
  Write write_;
  std::string pending_;  // the beginning of a line
};

}  // namespace tutti
