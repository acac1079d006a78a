// See secret.hpp.
#include "bootstrap/secret.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bootstrap/file_descriptor.hpp"
#include "error.hpp"

namespace tutti {
namespace {

constexpr std::size_t shortest = 16;   // bytes: less could be guessed
constexpr std::size_t longest = 4096;  // bytes: more is another file, given by mistake

void start_sodium() {
  if (sodium_init() < 0) throw error(TUTTI_ERROR_SYSTEM, "libsodium found no source of random numbers");
}

// Reads all of a file from its beginning without moving its offset, which other processes may share.
std::string contents(int descriptor, const std::string& path) {
  std::string text(longest + 1, '\0');
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const ssize_t got = pread(descriptor, text.data() + bytes, text.size() - bytes, static_cast<off_t>(bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw error(TUTTI_ERROR_ARGUMENT, "cannot read the secret file {}: {}", path, std::strerror(errno));
    if (got == 0) break;
    bytes += static_cast<std::size_t>(got);
  }
  text.resize(bytes);
  return text;
}

}  // namespace

Secret::Secret(std::string_view text) : text_(text) {
  start_sodium();
  while (!text_.empty() && (text_.back() == '\n' || text_.back() == ' ' || text_.back() == '\r')) text_.pop_back();
  constexpr std::string_view purpose = "tutti job secret";
  crypto_generichash(key_.data(), key_.size(), reinterpret_cast<const unsigned char*>(text_.data()), text_.size(),
                     reinterpret_cast<const unsigned char*>(purpose.data()), purpose.size());
}

Secret::~Secret() {
  sodium_memzero(text_.data(), text_.size());
  sodium_memzero(key_.data(), key_.size());
}

Secret Secret::random() {
  start_sodium();
  std::array<unsigned char, 32> bytes{};
  std::array<char, 2 * bytes.size() + 1> text{};
  randombytes_buf(bytes.data(), bytes.size());
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  return Secret(std::string_view(text.data()));
}

Secret Secret::read(const std::string& path) {
  // Not blocking: a pipe given by mistake is refused below, instead of waited for.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) throw error(TUTTI_ERROR_ARGUMENT, "cannot open the secret file {}: {}", path, std::strerror(errno));
  return read(file.number(), path);
}

Secret Secret::read(int descriptor, const std::string& path) {
  struct stat facts {};
  if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    throw error(TUTTI_ERROR_ARGUMENT, "the secret file {} is not a regular file", path);
  }
  if (facts.st_uid != geteuid()) {
    throw error(TUTTI_ERROR_ARGUMENT,
                "the secret file {} belongs to user {}, but this process is user {}: use a file of your own", path,
                facts.st_uid, geteuid());
  }
  if ((facts.st_mode & 077) != 0) {
    throw error(TUTTI_ERROR_ARGUMENT,
                "the secret file {} has mode {:04o}, so others may reach it: chmod 600 it, and change the secret", path,
                facts.st_mode & 07777);
  }
  const Secret secret(contents(descriptor, path));
  if (secret.text_.size() < shortest || secret.text_.size() > longest) {
    throw error(TUTTI_ERROR_ARGUMENT, "the secret file {} holds {} bytes: it must hold {} to {}, random ones", path,
                secret.text_.size(), shortest, longest);
  }
  return secret;
}

void Secret::write(int descriptor) const {
  std::size_t bytes = 0;
  while (bytes < text_.size()) {
    const ssize_t put = ::write(descriptor, text_.data() + bytes, text_.size() - bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw error(TUTTI_ERROR_SYSTEM, "cannot write the job's secret: {}", std::strerror(errno));
    bytes += static_cast<std::size_t>(put);
  }
}

}  // namespace tutti
