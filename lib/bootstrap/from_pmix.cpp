// The identity from PMIx: Open MPI's mpirun, PRRTE, srun --mpi=pmix. Addresses go through the launcher's own servers,
// so no port and no secret are needed.
#include <atomic>
#include <charconv>
#include <chrono>
#include <thread>

#include "bootstrap/environment.hpp"
#include "bootstrap/from_environment.hpp"
#include "bootstrap/pmix_client.hpp"
#include "bootstrap/store_board.hpp"
#include "error.hpp"

namespace tutti {
namespace {

class PmixStore final : public Store {
 public:
  explicit PmixStore(PmixClient& client, int session) : client_(client), prefix_(fmt::format("tutti-{}:", session)) {}

  void put(std::string_view key, std::string_view value) override {
    check_store_key(key);
    check_store_value(key, value);
    client_.put(full(key), value);
  }

  std::string get(std::string_view key, std::chrono::milliseconds limit) override {
    check_store_key(key);
    const Deadline deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
      if (auto value = find(key)) return std::move(*value);
      if (std::chrono::steady_clock::now() >= deadline) {
        throw error(TUTTI_ERROR_START,
                    "rank {} of {}: nobody put the key \"{}\" into the launcher's PMIx store, or no fence followed, "
                    "within {} s",
                    client_.rank(), client_.size(), key, static_cast<double>(limit.count()) / 1000);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  void fence(std::string_view name, std::chrono::milliseconds limit) override {
    check_store_key(name);
    client_.fence(name, std::chrono::steady_clock::now() + limit);
  }

  std::string compare_and_put(std::string_view key, std::optional<std::string_view>, std::string_view) override {
    throw error(TUTTI_ERROR_UNSUPPORTED, "the launcher's PMIx store cannot compare and put (key \"{}\")", key);
  }

  bool compares() const noexcept override { return false; }

 private:
  // PMIx asks for a key by the rank that put it. Servers of version 3 cannot search for it (they end with an error), so
  // we do: most keys end with their rank's number, or are rank 0's.
  std::optional<std::string> find(std::string_view key) {
    const auto name = full(key);
    const int likely = number_at_end(key);
    for (const int owner : {likely, 0}) {
      if (auto value = client_.get(name, owner)) return value;
    }
    for (int owner = 1; owner < client_.size(); ++owner) {
      if (owner == likely) continue;
      if (auto value = client_.get(name, owner)) return value;
    }
    return std::nullopt;
  }

  int number_at_end(std::string_view key) const {
    const auto digits = key.substr(key.find_last_not_of("0123456789") + 1);
    int number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number < client_.size() ? number : 0;
  }

  std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  PmixClient& client_;
  std::string prefix_;
};

}  // namespace

std::optional<Identity> identify_from_pmix() {
  if (!environment_text("PMIX_RANK") || !environment_text("PMIX_NAMESPACE")) return std::nullopt;
  auto& client = PmixClient::of_process();
  // All ranks begin their communicators in one order: the k-th of each meet, apart from what the others left.
  static std::atomic<int> sessions = 0;
  Identity identity;
  identity.rank = client.rank();
  identity.size = client.size();
  identity.store = std::make_unique<PmixStore>(client, sessions++);
  identity.how = "PMIx";
  return identity;
}

}  // namespace tutti
