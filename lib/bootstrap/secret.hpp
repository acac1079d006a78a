// The secret that the ranks of one job share and nobody else knows. It lies in a file that belongs to the
// user and that nobody else may read; all keys are derived from it.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace tutti {

class Secret {
 public:
  using Key = std::array<unsigned char, 32>;

  // Reads a secret's file. Throws tutti::Error(TUTTI_ERROR_ARGUMENT) if it is not a file of ours, if others
  // may read it, or if it holds less than 16 bytes.
  static Secret read(const std::string& path);
  // Reads from an open descriptor, with the same checks; `path` is for messages.
  static Secret read(int descriptor, const std::string& path);
  static Secret random();
  // From the text that a file holds; blanks at its end do not count.
  explicit Secret(std::string_view text);
  ~Secret();
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;

  // Writes the text to an open descriptor from which read() takes it.
  void write(int descriptor) const;
  const Key& key() const noexcept { return key_; }

 private:
  std::string text_;
  Key key_{};
};

}  // namespace tutti
