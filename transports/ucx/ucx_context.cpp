// From a wish to UCX's own settings; see ucx_context.hpp.
#include "transports/ucx/ucx_context.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "bootstrap/log.hpp"
#include "error.hpp"

namespace tutti::ucx {

namespace {

// Transports that reach no other node.
bool is_network(const std::string& resource) {
  for (const char* inside : {"self/", "posix/", "sysv/", "cma/", "knem/", "xpmem/", "cuda", "rocm", "gdr", "ze_"})
    if (resource.starts_with(inside)) return false;
  return true;
}

bool any_network(ucp_context_h context) {
  const std::vector<std::string> all = resources(context);
  return std::any_of(all.begin(), all.end(), is_network);
}

void set(ucp_config_t* config, const char* name, const std::string& value) {
  const Functions& functions = Functions::get();
  if (const ucs_status_t status = functions.config_modify(config, name, value.c_str()); status != UCS_OK)
    throw error(TUTTI_ERROR_START, "UCX {} does not take {}={}: {}", functions.version(), name, value,
                functions.status_string(status));
}

// Null where UCX finds nothing for it.
ucp_context_h try_context(const NetworkWish& wish, ucs_status_t& status) {
  const Functions& functions = Functions::get();
  ucp_config_t* config = nullptr;
  status = functions.config_read(nullptr, nullptr, &config);
  if (status != UCS_OK) return nullptr;
  ucp_context_h context = nullptr;
  try {
    if (!wish.provider.empty()) set(config, "TLS", wish.provider);
    if (!wish.interfaces.empty()) set(config, "NET_DEVICES", fmt::format("{}", fmt::join(wish.interfaces, ",")));
    ucp_params_t parameters{};
    parameters.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_MT_WORKERS_SHARED;
    parameters.features = UCP_FEATURE_TAG | UCP_FEATURE_WAKEUP;
    status = functions.init_version(UCP_API_MAJOR, UCP_API_MINOR, &parameters, config, &context);
  } catch (...) {
    functions.config_release(config);
    throw;
  }
  functions.config_release(config);
  return status == UCS_OK ? context : nullptr;
}

// UCX speaks over every device that it is not kept from.
NetworkWish without_avoided(const NetworkWish& wish, ucp_context_h context) {
  NetworkWish narrower = wish;
  narrower.avoided.clear();
  if (!wish.interfaces.empty() || wish.avoided.empty()) return narrower;
  std::vector<std::string> devices;
  for (const std::string& name : resources(context)) {
    if (!is_network(name)) continue;
    const std::string device = name.substr(name.find('/') + 1);
    const bool is_avoided = std::find(wish.avoided.begin(), wish.avoided.end(), device) != wish.avoided.end();
    const bool is_known = std::find(devices.begin(), devices.end(), device) != devices.end();
    if (!is_avoided && device != "lo" && !is_known) devices.push_back(device);
  }
  narrower.interfaces = std::move(devices);
  return narrower;
}

std::string listed() {
  ucs_status_t status;
  ucp_context_h all = try_context({}, status);
  if (all == nullptr) return "nothing";
  std::vector<std::string> names = resources(all);
  Functions::get().cleanup(all);
  std::erase_if(names, [](const std::string& name) { return !is_network(name); });
  return names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::vector<std::string> resources(ucp_context_h context) {
  char* text = nullptr;
  std::size_t bytes = 0;
  std::FILE* stream = open_memstream(&text, &bytes);
  if (stream == nullptr) return {};
  Functions::get().context_print_info(context, stream);
  std::fclose(stream);
  std::vector<std::string> found;
  std::istringstream lines(std::string(text, bytes));
  std::free(text);
  // "#   resource 1  :  md 1  dev 1  flags -- tcp/eth0"
  for (std::string line; std::getline(lines, line);) {
    if (line.find("resource") == std::string::npos) continue;
    const std::string last = line.substr(line.find_last_of(' ') + 1);
    if (last.find('/') != std::string::npos) found.push_back(last);
  }
  return found;
}

ucp_context_h make_context(const NetworkWish& wish) {
  const Functions& functions = Functions::get();
  ucs_status_t status;
  ucp_context_h context = try_context(wish, status);
  if (context && any_network(context)) {
    const NetworkWish narrower = without_avoided(wish, context);
    if (narrower.interfaces != wish.interfaces) {
      functions.cleanup(context);
      return make_context(narrower);
    }
    std::vector<std::string> names = resources(context);
    std::erase_if(names, [](const std::string& name) { return !is_network(name); });
    log(LogLevel::info, "UCX: {}", fmt::join(names, ", "));
    return context;
  }
  if (context) functions.cleanup(context);
  throw error(TUTTI_ERROR_START,
              "UCX {} offers no {} on {}{}; it has: {} (TUTTI_TRANSPORT=ucx:TRANSPORT, TUTTI_INTERFACE)",
              functions.version(), wish.provider.empty() ? "network" : "transport '" + wish.provider + "'",
              wish.interfaces.empty() ? "any interface" : fmt::format("{}", fmt::join(wish.interfaces, ", ")),
              status == UCS_OK ? "" : fmt::format(" ({})", functions.status_string(status)), listed());
}

}  // namespace tutti::ucx
