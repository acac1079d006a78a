// This process as a client of the launcher's PMIx server (Open MPI's mpirun, PRRTE, srun --mpi=pmix). The library is
// opened when such a launcher is there, so that programs started otherwise neither need nor load it.
#pragma once

#include <pmix.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/socket.hpp"

namespace tutti {

class PmixClient {
 public:
  // The one of this process: opened and joined at the first call, left when the process ends (a launcher takes a
  // process that ends without leaving for a failed one). Throws tutti::Error(TUTTI_ERROR_START), which names the
  // library's Debian package where it is missing.
  static PmixClient& of_process();
  ~PmixClient();
  PmixClient(const PmixClient&) = delete;
  PmixClient& operator=(const PmixClient&) = delete;

  int rank() const noexcept { return static_cast<int>(self_.rank); }
  int size() const noexcept { return size_; }

  // Seen by others after the next fence.
  void put(const std::string& key, std::string_view value);
  // nullopt if this rank has not put it before the last fence.
  std::optional<std::string> get(const std::string& key, int owner);
  void fence(std::string_view name, Deadline deadline);

 private:
  struct Library;
  PmixClient();
  void check(pmix_status_t status, std::string_view what) const;
  int job_size();
  pmix_proc_t process_of(int rank) const;
  void fetch(int rank);

  const Library* library_;
  pmix_proc_t self_{};
  int size_ = 0;
  std::atomic<int> fences_ = 0;  // passed; all ranks pass them in one order
  std::vector<int> fetched_;     // for each rank: the fence after which all that it put was brought here
  int process_;
  std::mutex lock_;
};

}  // namespace tutti
