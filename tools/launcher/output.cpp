// See output.hpp.
#include "tools/launcher/output.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace tutti {

OutputStream::OutputStream(FileDescriptor source, int destination, std::string label, Write write)
    : source_(std::move(source)), destination_(destination), label_(std::move(label)), write_(std::move(write)) {}

// False if there is nothing to read now; the stream is closed if there will be nothing any more.
bool OutputStream::read_piece() {
  std::array<char, 65536> piece;
  const ssize_t got = read(source_.number(), piece.data(), piece.size());
  if (got > 0) {
    pending_.append(piece.data(), static_cast<std::size_t>(got));
    return true;
  }
  if (got < 0 && errno == EINTR) return true;
  if (got == 0 || errno != EAGAIN) end();
  return false;
}

void OutputStream::relay() {
  if (open() && read_piece()) write_lines();
}

void OutputStream::finish() {
  while (open() && read_piece()) write_lines();
  if (open()) end();
}

void OutputStream::write_lines() {
  std::string text;
  std::size_t begin = 0;
  for (std::size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', begin)) {
    text += label_;
    text.append(pending_, begin, end + 1 - begin);
    begin = end + 1;
  }
  pending_.erase(0, begin);
  if (pending_.size() >= longest_line) {
    text += label_ + pending_ + '\n';
    pending_.clear();
  }
  // With nobody to read it, the rank is told as any writer is: by SIGPIPE.
  if (!text.empty() && !write_(destination_, text)) source_.reset();
}

void OutputStream::end() {
  source_.reset();
  if (!pending_.empty()) write_(destination_, label_ + pending_ + '\n');
  pending_.clear();
}

}  // namespace tutti
