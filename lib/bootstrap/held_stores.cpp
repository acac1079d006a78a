// See held_stores.hpp.
#include "bootstrap/held_stores.hpp"

#include <map>
#include <memory>
#include <mutex>

#include "bootstrap/log.hpp"
#include "bootstrap/tcp_store_server.hpp"

namespace tutti {
namespace {

struct HeldStores {
  std::mutex lock;
  std::map<std::string, std::unique_ptr<TcpStoreServer>> servers;
  std::map<std::string, Secret> secrets;
};

HeldStores& held() {
  host_name();  // the servers' threads log until they end, so what that needs must be made before, to be unmade after
  logs(LogLevel::warning);
  static HeldStores stores;
  return stores;
}

}  // namespace

StoreAddress hold_store(const StoreAddress& address, int size, const std::function<Secret()>& secret) {
  auto& stores = held();
  const std::lock_guard hold(stores.lock);
  auto& server = stores.servers[address.text()];
  if (!server) {
    Listener listener(address.host, address.port);
    server = std::make_unique<TcpStoreServer>(std::move(listener), secret(), size);
  }
  return server->reached_at();
}

std::optional<Secret> remembered_secret(const StoreAddress& address) {
  auto& stores = held();
  const std::lock_guard hold(stores.lock);
  const auto found = stores.secrets.find(address.text());
  if (found == stores.secrets.end()) return std::nullopt;
  return found->second;
}

void remember_secret(const StoreAddress& address, const Secret& secret) {
  auto& stores = held();
  const std::lock_guard hold(stores.lock);
  stores.secrets.insert_or_assign(address.text(), secret);
}

}  // namespace tutti
