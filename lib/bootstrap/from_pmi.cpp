// The identity from PMI: hydra's mpiexec (MPICH and its kin), srun --mpi=pmi2. Addresses go through the launcher's own
// servers, so no port and no secret are needed.
#include <sodium.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "bootstrap/environment.hpp"
#include "bootstrap/from_environment.hpp"
#include "bootstrap/parted_store.hpp"
#include "bootstrap/pmi_connection.hpp"
#include "bootstrap/store_board.hpp"
#include "error.hpp"

namespace tutti {
namespace {

// Letters, digits, '-' and '_': what every server takes in keys and values.
std::string encoded(std::string_view bytes) {
  constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    variant);
  text.pop_back();  // the byte that ends it in C
  return text;
}

std::optional<std::string> decoded(const std::string& text) {
  std::string bytes(text.size(), '\0');
  std::size_t length = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(), nullptr,
                        &length, nullptr, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
    return std::nullopt;
  }
  bytes.resize(length);
  return bytes;
}

// Bytes of which `longest` characters can tell; no more than keeps a line short.
std::size_t room_in(std::size_t longest) { return std::min<std::size_t>(longest, 8192) / 4 * 3; }

class PmiStore final : public PartedStore {
 public:
  PmiStore(PmiConnection& connection, int session)
      : PartedStore(room_in(connection.longest_value()), "the launcher's PMI store"),
        connection_(connection),
        session_(session) {
    constexpr std::size_t least_key = 23, least_value = 64;
    if (connection.longest_key() < least_key || connection.longest_value() < least_value) {
      throw error(TUTTI_ERROR_START,
                  "the launcher's PMI server takes keys of {} characters and values of {}: too short, {} and {} are "
                  "needed",
                  connection.longest_key(), connection.longest_value(), least_key, least_value);
    }
  }

  void fence(std::string_view name, std::chrono::milliseconds limit) override {
    check_store_key(name);
    connection_.barrier(name, std::chrono::steady_clock::now() + limit);
  }

 protected:
  void put_part(const std::string& key, std::string_view value) override {
    connection_.put(short_key(key), encoded(value));
  }

  std::string get_part(const std::string& key, Deadline deadline) override {
    const auto name = short_key(key);
    while (true) {
      if (const auto text = connection_.get(name)) {
        if (auto value = decoded(*text)) return std::move(*value);
        throw torn(key);
      }
      if (std::chrono::steady_clock::now() >= deadline) {
        throw error(TUTTI_ERROR_START,
                    "rank {} of {}: nobody put the key \"{}\" into the launcher's PMI store, or no fence followed, in "
                    "time",
                    connection_.rank(), connection_.size(), key);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  // Servers take keys of 63 characters or less: 22 tell 16 bytes, and no two keys of a job share so many.
  std::string short_key(const std::string& key) const {
    const std::string full = fmt::format("tutti {} {}", session_, key);
    std::array<unsigned char, 16> hash{};
    crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(full.data()), full.size(),
                       nullptr, 0);
    return fmt::format("t{}", encoded({reinterpret_cast<const char*>(hash.data()), hash.size()}));
  }

  PmiConnection& connection_;
  int session_;
};

}  // namespace

std::optional<Identity> identify_from_pmi() {
  const bool by_descriptor = environment_text("PMI_FD") && environment_text("PMI_RANK") && environment_text("PMI_SIZE");
  if (!by_descriptor && !environment_text("PMI_PORT")) return std::nullopt;
  if (sodium_init() < 0) throw error(TUTTI_ERROR_SYSTEM, "libsodium found no source of random numbers");
  auto& connection = PmiConnection::of_process();
  // All ranks begin their communicators in one order: the k-th of each meet, apart from what the others left.
  static std::atomic<int> sessions = 0;
  Identity identity;
  identity.rank = connection.rank();
  identity.size = connection.size();
  identity.store = std::make_unique<PmiStore>(connection, sessions++);
  identity.how = connection.version() == PmiVersion::one ? "PMI" : "PMI-2";
  return identity;
}

}  // namespace tutti
