// Finds UCX, and keeps it from what it would do to the process on being loaded; see ucx_functions.hpp.
#include "transports/ucx/ucx_functions.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "transports/tagged/library.hpp"

namespace tutti::ucx {

namespace {

// A variable of the environment that is set while this lives, unless the user has set it.
class Preset {
 public:
  Preset(const char* name, const char* value) : name_(name), ours_(std::getenv(name) == nullptr) {
    if (ours_) setenv(name, value, 1);
  }
  ~Preset() {
    if (ours_) unsetenv(name_);
  }
  Preset(const Preset&) = delete;
  Preset& operator=(const Preset&) = delete;

 private:
  const char* name_;
  bool ours_;
};

}  // namespace

const Functions& Functions::get() {
  static const Functions functions = [] {
    // UCX reads these when it is loaded: the application's signal handlers stay its own, and its calls of mmap and
    // munmap too. The hooks would tell UCX of memory that is unmapped while registered, which ours never is.
    const Preset handlers("UCX_HANDLE_ERRORS", "none"), hooks("UCX_MEM_MMAP_HOOK_MODE", "none");
    const tagged::Library services("libucs.so.0", "libucx0");
    const tagged::Library library("libucp.so.0", "libucx0");
    Functions found{};
    library.find(found.get_version, "ucp_get_version");
    library.find(found.config_read, "ucp_config_read");
    library.find(found.config_modify, "ucp_config_modify");
    library.find(found.config_release, "ucp_config_release");
    library.find(found.init_version, "ucp_init_version");
    library.find(found.cleanup, "ucp_cleanup");
    library.find(found.context_print_info, "ucp_context_print_info");
    library.find(found.worker_create, "ucp_worker_create");
    library.find(found.worker_destroy, "ucp_worker_destroy");
    library.find(found.worker_query, "ucp_worker_query");
    library.find(found.worker_release_address, "ucp_worker_release_address");
    library.find(found.worker_progress, "ucp_worker_progress");
    library.find(found.worker_flush_nbx, "ucp_worker_flush_nbx");
    library.find(found.worker_get_efd, "ucp_worker_get_efd");
    library.find(found.worker_arm, "ucp_worker_arm");
    library.find(found.ep_create, "ucp_ep_create");
    library.find(found.ep_close_nbx, "ucp_ep_close_nbx");
    library.find(found.tag_send_nbx, "ucp_tag_send_nbx");
    library.find(found.tag_recv_nbx, "ucp_tag_recv_nbx");
    library.find(found.request_cancel, "ucp_request_cancel");
    library.find(found.request_check_status, "ucp_request_check_status");
    library.find(found.request_free, "ucp_request_free");
    library.find(found.mem_map, "ucp_mem_map");
    library.find(found.mem_unmap, "ucp_mem_unmap");
    services.find(found.status_string, "ucs_status_string");
    return found;
  }();
  return functions;
}

std::string Functions::version() const {
  unsigned major = 0, minor = 0, release = 0;
  get_version(&major, &minor, &release);
  return fmt::format("{}.{}", major, minor);
}

}  // namespace tutti::ucx
