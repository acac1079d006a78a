// See local_store.hpp.
#include "bootstrap/local_store.hpp"

#include <condition_variable>
#include <mutex>

#include "bootstrap/store_board.hpp"
#include "error.hpp"

namespace tutti {
namespace {

struct SharedBoard {
  explicit SharedBoard(int size) : board(size) {}
  std::mutex lock;
  std::condition_variable changed;
  StoreBoard board;
};

class LocalStore final : public Store {
 public:
  LocalStore(std::shared_ptr<SharedBoard> shared, int rank) : shared_(std::move(shared)), rank_(rank) {}

  void put(std::string_view key, std::string_view value) override {
    check_store_key(key);
    check_store_value(key, value);
    const std::lock_guard hold(shared_->lock);
    shared_->board.put(key, value);
    shared_->changed.notify_all();
  }

  std::string get(std::string_view key, std::chrono::milliseconds limit) override {
    check_store_key(key);
    std::unique_lock hold(shared_->lock);
    const auto there = [&] { return shared_->board.find(key) != nullptr; };
    if (!shared_->changed.wait_for(hold, limit, there)) {
      throw error(TUTTI_ERROR_START, "the store of this process: nobody put the key \"{}\" within {} s", key,
                  static_cast<double>(limit.count()) / 1000);
    }
    return *shared_->board.find(key);
  }

  void fence(std::string_view name, std::chrono::milliseconds limit) override {
    check_store_key(name);
    std::unique_lock hold(shared_->lock);
    const auto ticket = shared_->board.enter(name, rank_);
    shared_->changed.notify_all();
    if (!shared_->changed.wait_for(hold, limit, [&] { return shared_->board.passed(name, ticket); })) {
      const auto missing = shared_->board.missing(name);
      throw error(TUTTI_ERROR_START, "the store of this process: {} {} not arrived at the fence \"{}\" within {} s",
                  rank_list(missing, shared_->board.size()), missing.size() == 1 ? "has" : "have", name,
                  static_cast<double>(limit.count()) / 1000);
    }
  }

  std::string compare_and_put(std::string_view key, std::optional<std::string_view> expected,
                              std::string_view desired) override {
    check_store_key(key);
    check_store_value(key, desired);
    const std::lock_guard hold(shared_->lock);
    shared_->changed.notify_all();
    return shared_->board.compare_and_put(key, expected, desired);
  }
  bool lasts() const noexcept override { return true; }

 private:
  std::shared_ptr<SharedBoard> shared_;
  int rank_;
};

}  // namespace

std::vector<std::unique_ptr<Store>> make_local_stores(int size) {
  if (size < 1) throw error(TUTTI_ERROR_ARGUMENT, "{} ranks are none: there must be at least 1", size);
  const auto shared = std::make_shared<SharedBoard>(size);
  std::vector<std::unique_ptr<Store>> stores;
  for (int rank = 0; rank < size; ++rank) stores.push_back(std::make_unique<LocalStore>(shared, rank));
  return stores;
}

}  // namespace tutti
