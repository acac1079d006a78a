// See function_store.hpp.
#include "bootstrap/function_store.hpp"

#include "bootstrap/parted_store.hpp"
#include "bootstrap/store_board.hpp"
#include "error.hpp"

namespace tutti {
namespace {

constexpr std::size_t room_for_part = 4095;  // bytes that tutti.h promises the caller's functions at most

class FunctionStore final : public PartedStore {
 public:
  FunctionStore(const tutti_store_functions& functions, int rank, int size)
      : PartedStore(room_for_part,
                    fmt::format("rank {} of {}: the get function given to tutti_init_from_store", rank, size)),
        functions_(functions),
        rank_(rank),
        size_(size) {}

  void fence(std::string_view name, std::chrono::milliseconds) override {
    check_store_key(name);
    if (const int code = functions_.fence(functions_.context); code != 0) {
      throw error(TUTTI_ERROR_START,
                  "rank {} of {}: the fence function given to tutti_init_from_store returned {} at \"{}\"", rank_,
                  size_, code, name);
    }
  }

  std::string compare_and_put(std::string_view key, std::optional<std::string_view>, std::string_view) override {
    throw error(TUTTI_ERROR_UNSUPPORTED,
                "the functions given to tutti_init_from_store cannot compare and put (key \"{}\")", key);
  }

 protected:
  void put_part(const std::string& key, std::string_view value) override {
    const int code = functions_.put(functions_.context, key.c_str(), value.data(), value.size());
    if (code == 0) return;
    throw error(TUTTI_ERROR_START,
                "rank {} of {}: the put function given to tutti_init_from_store returned {} for key \"{}\"", rank_,
                size_, code, key);
  }

  std::string get_part(const std::string& key, Deadline) override {
    std::string value(room(), '\0');
    std::size_t bytes = value.size();
    const int code = functions_.get(functions_.context, key.c_str(), value.data(), &bytes);
    if (code != 0) {
      throw error(TUTTI_ERROR_START,
                  "rank {} of {}: the get function given to tutti_init_from_store returned {} for key \"{}\"", rank_,
                  size_, code, key);
    }
    if (bytes > value.size()) throw torn(key);
    value.resize(bytes);
    return value;
  }

 private:
  tutti_store_functions functions_;
  int rank_;
  int size_;
};

}  // namespace

std::unique_ptr<Store> make_function_store(const tutti_store_functions& functions, int rank, int size) {
  if (functions.put == nullptr || functions.get == nullptr || functions.fence == nullptr) {
    throw error(TUTTI_ERROR_ARGUMENT,
                "tutti_init_from_store needs all three functions; put is {}, get is {}, fence is {}",
                functions.put == nullptr ? "null" : "given", functions.get == nullptr ? "null" : "given",
                functions.fence == nullptr ? "null" : "given");
  }
  if (size < 1 || rank < 0 || rank >= size) {
    throw error(TUTTI_ERROR_ARGUMENT, "rank {} of {}: there must be at least 1 rank, and ranks count from 0", rank,
                size);
  }
  return std::make_unique<FunctionStore>(functions, rank, size);
}

}  // namespace tutti
