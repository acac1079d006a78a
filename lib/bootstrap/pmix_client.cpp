// See pmix_client.hpp. Structures are filled in and freed by hand, because the header's macros call functions of the
// library, and nothing here may need it at link time.
#include "bootstrap/pmix_client.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bootstrap/environment.hpp"
#include "bootstrap/log.hpp"
#include "error.hpp"

namespace tutti {

struct PmixClient::Library {
  decltype(&PMIx_Init) init = nullptr;
  decltype(&PMIx_Finalize) finalize = nullptr;
  decltype(&PMIx_Put) put = nullptr;
  decltype(&PMIx_Commit) commit = nullptr;
  decltype(&PMIx_Fence_nb) fence = nullptr;
  decltype(&PMIx_Get) get = nullptr;
  decltype(&PMIx_Error_string) error_string = nullptr;
};

namespace {

constexpr const char* library_name = "libpmix.so.2";
constexpr int fetch_seconds = 60;  // for what is known to be there

template <class Function>
void find_function(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) throw error(TUTTI_ERROR_START, "{} has no function {}: it is too old", library_name, name);
}

pmix_info_t flag_info(const char* key) {
  pmix_info_t info{};
  std::strncpy(info.key, key, sizeof info.key - 1);
  info.value.type = PMIX_BOOL;
  info.value.data.flag = true;
  return info;
}

// If the program has brought a PMIx of its own (an MPI does), that one: a process is one client. Else the launcher's
// own, where it says where that is; a client of one version and a server of another one exchange complaints at least.
void* open_library() {
  if (void* const loaded = dlopen(library_name, RTLD_NOW | RTLD_NOLOAD)) return loaded;
  if (const auto prefix = environment_text("PMIX_PREFIX")) {
    for (const char* folder : {"lib", "lib/openmpi", "lib64"}) {
      const auto path = fmt::format("{}/{}/{}", *prefix, folder, library_name);
      if (void* const opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return opened;
    }
  }
  if (void* const opened = dlopen(library_name, RTLD_NOW | RTLD_LOCAL)) return opened;
  throw error(TUTTI_ERROR_START,
              "the launcher speaks PMIx (PMIX_RANK is set), but {} cannot be opened: {}. On Debian: apt-get install "
              "libpmix2; elsewhere set LD_LIBRARY_PATH to its folder",
              library_name, dlerror());
}

void release(pmix_value_t* value) {
  if (value == nullptr) return;
  if (value->type == PMIX_BYTE_OBJECT) std::free(value->data.bo.bytes);
  if (value->type == PMIX_STRING) std::free(value->data.string);
  std::free(value);
}

using Value = std::unique_ptr<pmix_value_t, decltype(&release)>;

// What a fence that is given up leaves to the library's thread.
struct Completion {
  std::mutex lock;
  std::condition_variable changed;
  bool done = false;
  pmix_status_t status = PMIX_SUCCESS;
  pmix_info_t collect = flag_info(PMIX_COLLECT_DATA);  // the library may read it until it is done
};

// What every rank puts before its n-th fence.
std::string fence_key(int number) { return fmt::format("tutti-fence-{}", number); }

void complete(pmix_status_t status, void* context) {
  const std::unique_ptr<std::shared_ptr<Completion>> own(static_cast<std::shared_ptr<Completion>*>(context));
  const std::lock_guard hold((*own)->lock);
  (*own)->status = status;
  (*own)->done = true;
  (*own)->changed.notify_all();
}

}  // namespace

PmixClient& PmixClient::of_process() {
  logs(LogLevel::warning);  // what the end of this may still need must be made before it
  static PmixClient client;
  return client;
}

PmixClient::PmixClient() : process_(getpid()) {
  void* const handle = open_library();
  static Library library;
  find_function(handle, "PMIx_Init", library.init);
  find_function(handle, "PMIx_Finalize", library.finalize);
  find_function(handle, "PMIx_Put", library.put);
  find_function(handle, "PMIx_Commit", library.commit);
  find_function(handle, "PMIx_Fence_nb", library.fence);
  find_function(handle, "PMIx_Get", library.get);
  find_function(handle, "PMIx_Error_string", library.error_string);
  library_ = &library;
  check(library_->init(&self_, nullptr, 0), "PMIx_Init");
  size_ = job_size();
  fetched_.resize(static_cast<std::size_t>(size_));
  if (self_.rank >= static_cast<std::uint32_t>(size_)) {
    throw error(TUTTI_ERROR_START, "PMIx says that this is rank {} of {}", self_.rank, size_);
  }
}

PmixClient::~PmixClient() {
  if (getpid() == process_) library_->finalize(nullptr, 0);  // a forked child is no client
}

void PmixClient::check(pmix_status_t status, std::string_view what) const {
  if (status == PMIX_SUCCESS) return;
  throw error(TUTTI_ERROR_START, "rank {} on {}: {} failed: {} ({})", self_.rank, host_name(), what,
              library_->error_string(status), status);
}

int PmixClient::job_size() {
  pmix_proc_t job = self_;
  job.rank = PMIX_RANK_WILDCARD;
  pmix_value_t* found = nullptr;
  check(library_->get(&job, PMIX_JOB_SIZE, nullptr, 0, &found), "PMIx_Get of the job's size");
  const Value value(found, &release);
  if (value == nullptr || value->type != PMIX_UINT32 || value->data.uint32 == 0 || value->data.uint32 > 1u << 30) {
    throw error(TUTTI_ERROR_START, "PMIx told no number of ranks that can be");
  }
  return static_cast<int>(value->data.uint32);
}

void PmixClient::put(const std::string& key, std::string_view value) {
  pmix_value_t wrapped{};
  wrapped.type = PMIX_BYTE_OBJECT;
  wrapped.data.bo.bytes = const_cast<char*>(value.data());
  wrapped.data.bo.size = value.size();
  const std::lock_guard hold(lock_);
  check(library_->put(PMIX_GLOBAL, key.c_str(), &wrapped), fmt::format("PMIx_Put of \"{}\"", key));
}

std::optional<std::string> PmixClient::get(const std::string& key, int owner) {
  const std::lock_guard hold(lock_);
  fetch(owner);
  // What the owner has put is here now; a server that does not have this key must not go and ask.
  const pmix_info_t immediate = flag_info(PMIX_IMMEDIATE);
  const auto process = process_of(owner);
  pmix_value_t* found = nullptr;
  const auto status = library_->get(&process, key.c_str(), &immediate, 1, &found);
  const Value value(found, &release);
  if (status == PMIX_ERR_NOT_FOUND || status == PMIX_ERR_TIMEOUT) return std::nullopt;
  check(status, fmt::format("PMIx_Get of \"{}\"", key));
  if (value == nullptr || value->type != PMIX_BYTE_OBJECT) {
    throw error(TUTTI_ERROR_START, "PMIx_Get of \"{}\" returned what no rank had put", key);
  }
  return std::string(value->data.bo.bytes, value->data.bo.size);
}

pmix_proc_t PmixClient::process_of(int rank) const {
  pmix_proc_t process = self_;
  process.rank = static_cast<pmix_rank_t>(rank);
  return process;
}

// A fence should bring what all ranks have put, but not every server does that (PRRTE 3 does not across hosts). Asking
// for one key that the rank is known to have put brings its others too.
void PmixClient::fetch(int rank) {
  auto& fetched = fetched_[static_cast<std::size_t>(rank)];
  if (fetched == fences_ || rank == this->rank()) return;
  const auto process = process_of(rank);
  pmix_info_t limit{};
  std::strncpy(limit.key, PMIX_TIMEOUT, sizeof limit.key - 1);
  limit.value.type = PMIX_INT;
  limit.value.data.integer = fetch_seconds;
  pmix_value_t* found = nullptr;
  const auto status = library_->get(&process, fence_key(fences_).c_str(), &limit, 1, &found);
  const Value value(found, &release);
  check(status, fmt::format("PMIx_Get of what rank {} has put", rank));
  fetched = fences_;
}

void PmixClient::fence(std::string_view name, Deadline deadline) {
  const auto completion = std::make_shared<Completion>();
  const int number = fences_ + 1;
  put(fence_key(number), "");
  {
    const std::lock_guard hold(lock_);
    check(library_->commit(), "PMIx_Commit");
    auto share = std::make_unique<std::shared_ptr<Completion>>(completion);
    const auto status = library_->fence(nullptr, 0, &completion->collect, 1, &complete, share.get());
    if (status != PMIX_OPERATION_SUCCEEDED) {
      check(status, fmt::format("PMIx_Fence at the fence \"{}\"", name));
      static_cast<void>(share.release());  // complete() has it
    } else {
      fences_ = number;
      return;
    }
  }
  std::unique_lock hold(completion->lock);
  if (!completion->changed.wait_until(hold, deadline, [&] { return completion->done; })) {
    throw error(TUTTI_ERROR_START,
                "rank {} on {}: not all {} ranks arrived at the fence \"{}\" in time; PMIx does not tell which",
                self_.rank, host_name(), size_, name);
  }
  check(completion->status, fmt::format("PMIx_Fence at the fence \"{}\"", name));
  fences_ = number;
}

}  // namespace tutti
