/* One rank of a measured job. It joins the job through its library, reports to tutti-perf, and then sleeps in recv(2)
 * until tutti-perf asks it to check, time or weigh a call. The same code runs for every library. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "accuracy.h"
#include "data.h"
#include "measure.h"

struct driver {
  struct library* library;
  struct measure measure;
  struct buffers buffers;
  struct distribution* distribution; /* the one that was asked for last */
  char distribution_name[PERF_TEXT_ROOM];
  int socket;
};

static void fail(const char* what) {
  fprintf(stderr, "tutti-perf driver: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* The value after `name` on the command line, or NULL. */
static const char* argument(int argc, char** argv, const char* name) {
  for (int i = 1; i + 1 < argc; ++i)
    if (strcmp(argv[i], name) == 0) return argv[i + 1];
  return NULL;
}

/* The rank as the launcher's environment tells it, before the library has started; -1 where it does not. */
static int rank_from_environment(int argc, char** argv) {
  static const char* const names[] = {"TUTTI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "RANK"};
  const char* text = argument(argc, argv, "--rank");
  for (size_t i = 0; !text && i < sizeof names / sizeof names[0]; ++i) text = getenv(names[i]);
  return text ? atoi(text) : -1;
}

/* Binds rank r to the r-th core of the list "0,1,...", or, where ranks outnumber cores, to the whole list. Done here
 * and not by the launchers, so that it is the same for every library. */
static void bind_to_cores(const char* list, int rank, int share) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int index = 0;
  for (const char* at = list; *at; ++index) {
    char* end;
    long core = strtol(at, &end, 10);
    if (share || index == rank) CPU_SET((size_t)core, &set);
    at = *end == ',' ? end + 1 : end;
    if (end == at) break;
  }
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity");
}

/* The name is one of the abstract namespace, which leaves nothing in any folder; or, beginning with a slash, a file:
 * the hosts of a cluster of namespaces share no names. */
static int connect_to(const char* name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(name);
  if (length + 1 > sizeof address.sun_path) {
    fprintf(stderr, "tutti-perf driver: the name '%s' is too long for a socket\n", name);
    exit(1);
  }
  const size_t before = name[0] == '/' ? 0 : 1;
  memcpy(address.sun_path + before, name, length);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + before + length);
  /* Under another launcher this rank may be here before the one that listens. */
  for (int tries = 0; connect(fd, (struct sockaddr*)&address, bytes) != 0; ++tries) {
    if (errno != ECONNREFUSED || tries == 300) fail("no tutti-perf answers on this machine");
    usleep(100000);
  }
  return fd;
}

static char* receive_page(struct driver* driver, struct perf_welcome* welcome) {
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {welcome, sizeof *welcome};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(driver->socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *welcome)
    fail("tutti-perf sent no welcome");
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) fail("tutti-perf sent no shared page");
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  char* page = mmap(NULL, welcome->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) fail("mmap of the shared page");
  close(fd);
  return page;
}

/* Aligned to huge pages for every library, so that chance does not give one of them better memory. */
static void* allocate(uint64_t bytes) {
  const uint64_t huge_page = 2u << 20;
  void* memory = aligned_alloc(huge_page, (bytes + huge_page) / huge_page * huge_page);
  if (!memory) fail("no memory for a vector");
  return memory;
}

static void join(struct driver* driver, const char* name, int rank, int size) {
  driver->socket = connect_to(name);
  struct perf_hello hello = {.protocol = PERF_PROTOCOL_VERSION, .rank = rank, .size = size, .pid = getpid()};
  library_version(driver->library, hello.version, sizeof hello.version);
  if (send(driver->socket, &hello, sizeof hello, MSG_NOSIGNAL) < 0) fail("tutti-perf has gone");
  struct perf_welcome welcome;
  char* page = receive_page(driver, &welcome);
  driver->buffers.in = allocate(welcome.buffer_bytes);
  driver->buffers.out = allocate(welcome.buffer_bytes);
  driver->measure = (struct measure){.library = driver->library,
                                     .page = page,
                                     .rank = rank,
                                     .size = size,
                                     .more_ranks_than_cores = welcome.more_ranks_than_cores};
  measure_calibrate(&driver->measure);
  library_share(driver->library, page, welcome.more_ranks_than_cores);
}

/* Returns 1 with the reason in the reply where there is no such distribution. */
static int open_distribution(struct driver* driver, const struct perf_request* request, struct perf_reply* reply) {
  if (driver->distribution && strcmp(driver->distribution_name, request->distribution) == 0) return 0;
  distribution_close(driver->distribution);
  driver->distribution = distribution_open(request->distribution, reply->text, sizeof reply->text);
  memcpy(driver->distribution_name, request->distribution, sizeof driver->distribution_name);
  return driver->distribution == NULL;
}

/* The call is made here also after the timing: what a residual held during it is not known. */
static void check_accuracy(struct driver* driver, const struct perf_request* request, struct perf_reply* reply) {
  const struct measure* m = &driver->measure;
  reply->failed = open_distribution(driver, request, reply);
  if (reply->failed) return;
  accuracy_fill(request, driver->distribution, &driver->buffers, m->rank, m->size);
  reply->failed = library_call(driver->library);
  if (reply->failed) return;
  library_result(driver->library);
  if (accuracy_check(request, driver->distribution, driver->buffers.out, m->size, reply)) {
    reply->failed = 1;
    snprintf(reply->text, sizeof reply->text, "no memory to compare the result in");
    return;
  }
  reply->wire_bytes = library_wire_bytes(driver->library);
}

static void check(struct driver* driver, const struct perf_request* request, struct perf_reply* reply) {
  struct measure* m = &driver->measure;
  if (!library_has_results(driver->library)) {
    reply->correct = 1;
  } else if (request->distribution[0]) {
    check_accuracy(driver, request, reply);
  } else if (strcmp(request->collective, "barrier") == 0) {
    int outcome = measure_check_barrier(m);
    reply->failed = outcome < 0;
    reply->correct = outcome == 1;
    if (outcome == 0) snprintf(reply->text, sizeof reply->text, "a rank left the barrier before all had entered it");
  } else {
    /* In place every timed call overwrites its own input, so its last output is no longer known. */
    if (request->action == PERF_CHECK || request->in_place) {
      data_fill(request, &driver->buffers, m->rank, m->size);
      reply->failed = library_call(driver->library);
    }
    if (!reply->failed)
      reply->correct = data_check(request, &driver->buffers, m->rank, m->size, reply->text, sizeof reply->text);
  }
}

static void answer(struct driver* driver, const struct perf_request* request, struct perf_reply* reply) {
  measure_begin_turn(&driver->measure, request->turn);
  if (library_prepare(driver->library, request, &driver->buffers, reply->text, sizeof reply->text)) {
    reply->failed = 1;
    return;
  }
  switch (request->action) {
    case PERF_CHECK:
    case PERF_RECHECK:
      check(driver, request, reply);
      break;
    case PERF_TIME:
      reply->failed = measure_time(&driver->measure, request);
      break;
    case PERF_CPU:
      reply->cpu_ns = measure_cpu(&driver->measure, request);
      reply->failed = reply->cpu_ns < 0;
      break;
    default:
      reply->failed = library_choice(driver->library, reply->text, sizeof reply->text);
      break;
  }
  if (!reply->failed || reply->text[0]) return;
  const char* reason = library_reason(driver->library);
  snprintf(reply->text, sizeof reply->text, "%s", reason[0] ? reason : "another rank's call failed");
}

int main(int argc, char** argv) {
  const char* name = argument(argc, argv, "--socket");
  const char* cores = argument(argc, argv, "--cores");
  const char* share = argument(argc, argv, "--share-cores");
  if (!name || !cores || !share) {
    fprintf(stderr, "tutti-perf driver: started by tutti-perf alone, with --socket, --cores and --share-cores\n");
    return 2;
  }
  struct driver driver = {0};
  int rank = rank_from_environment(argc, argv);
  int size = 0;
  /* Before the library starts, so that its memory is first touched where the rank will run. */
  if (rank >= 0) bind_to_cores(cores, rank, atoi(share));
  driver.library = library_start(&argc, &argv, &rank, &size);
  bind_to_cores(cores, rank, atoi(share));
  join(&driver, name, rank, size);
  for (;;) {
    struct perf_request request;
    if (recv(driver.socket, &request, sizeof request, 0) != (ssize_t)sizeof request) break;
    if (request.action == PERF_QUIT) break;
    struct perf_reply reply = {0};
    answer(&driver, &request, &reply);
    if (send(driver.socket, &reply, sizeof reply, MSG_NOSIGNAL) < 0) break;
  }
  library_stop(driver.library);
  distribution_close(driver.distribution);
  return 0;
}
