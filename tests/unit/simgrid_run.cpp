// See simgrid_run.hpp. Each rank is an actor that does what the library's executor does: it starts every step whose
// waits are over, up to the lookahead, and waits for any end.
#include "tests/unit/simgrid_run.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <map>
#include <set>
#include <simgrid/s4u.hpp>
#include <stdexcept>

namespace tutti::testing {

namespace {

namespace sg = simgrid::s4u;

std::int64_t bytes_of(const Schedule& schedule, const Step& step, std::int64_t bytes_per_block) {
  std::int64_t blocks = 0;
  for (const Part& part : schedule.parts_of(step)) blocks += part.blocks.count();
  return blocks * bytes_per_block;
}

class RankActor {
 public:
  RankActor(const Schedule& schedule, std::int64_t bytes_per_block)
      : schedule_(schedule), bytes_per_block_(bytes_per_block), over_(schedule.steps.size()), begun_(over_.size()) {}

  void operator()() {
    for (;;) {
      while (start_what_may()) {
      }
      if (comms_.empty()) break;
      const auto ended = static_cast<std::ptrdiff_t>(sg::Comm::wait_any(comms_));
      arrived_.insert(steps_[static_cast<std::size_t>(ended)]);
      comms_.erase(comms_.begin() + ended);
      steps_.erase(steps_.begin() + ended);
    }
    if (oldest_ < over_.size()) throw std::runtime_error("the schedule deadlocks in SimGrid");
  }

 private:
  bool waits_over(std::size_t at) const {
    for (std::uint64_t left = schedule_.steps[at].waits; left != 0; left &= left - 1)
      if (!over_[at - static_cast<std::size_t>(std::countr_zero(left)) - 1]) return false;
    return true;
  }

  bool start_what_may() {
    bool moved = false;
    for (std::size_t at = oldest_; at < std::min(over_.size(), oldest_ + lookahead); ++at) {
      const Step& step = schedule_.steps[at];
      if (!begun_[at] && (step.kind == StepKind::recv_reduce || waits_over(at))) moved = begun_[at] = start(at);
      const bool message = step.peer >= 0;
      if (begun_[at] && !over_[at] && (!message || arrived_.contains(at)) && waits_over(at)) moved = over_[at] = true;
    }
    while (oldest_ < over_.size() && over_[oldest_]) ++oldest_;
    return moved;
  }

  bool start(std::size_t at) {
    const Step& step = schedule_.steps[at];
    if (step.peer < 0) return true;
    const bool sends = step.kind == StepKind::send;
    const int from = sends ? schedule_.rank : step.peer, to = sends ? step.peer : schedule_.rank;
    sg::Mailbox* const box = sg::Mailbox::by_name(fmt::format("{}>{}:{}", from, to, step.match));
    const std::int64_t bytes = bytes_of(schedule_, step, bytes_per_block_);
    comms_.push_back(sends ? box->put_async(this, static_cast<std::uint64_t>(bytes))
                           : box->get_async<void>(&received_));
    steps_.push_back(at);
    return true;
  }

  const Schedule& schedule_;
  std::int64_t bytes_per_block_;
  std::vector<bool> over_, begun_;
  std::set<std::size_t> arrived_;
  std::size_t oldest_ = 0;
  std::vector<sg::CommPtr> comms_;
  std::vector<std::size_t> steps_;  // of comms_
  void* received_ = nullptr;
};

// A zone with the routes that the schedules need.
std::vector<sg::Host*> build_platform(const std::vector<Schedule>& schedules, const Seats& seats) {
  const Network& network = *seats.network;
  sg::NetZone* const zone = sg::create_full_zone("world");
  std::vector<sg::Host*> hosts;
  for (const Schedule& schedule : schedules)
    hosts.push_back(zone->create_host(fmt::format("rank{}", schedule.rank), 1e9)->seal());
  std::map<std::int64_t, const sg::Link*> links;
  std::set<std::pair<int, int>> routed;
  std::vector<std::int64_t> path;
  // A communication looks at the route of both directions.
  const auto add_route = [&](int from, int to) {
    if (!routed.insert({from, to}).second) return;
    route(seats, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to), path);
    std::vector<sg::LinkInRoute> way;
    for (const std::int64_t id : path) {
      const sg::Link*& link = links[id];
      if (link == nullptr) {
        const Network::Link rate = network.link(id);
        link = zone->create_link(fmt::format("link{}", id), static_cast<double>(rate.bytes_per_second))
                   ->set_latency(static_cast<double>(rate.latency_ps) * 1e-12)
                   ->seal();
      }
      way.emplace_back(link);
    }
    zone->add_route(hosts[static_cast<std::size_t>(from)]->get_netpoint(),
                    hosts[static_cast<std::size_t>(to)]->get_netpoint(), nullptr, nullptr, way, false);
  };
  for (const Schedule& schedule : schedules)
    for (const Step& step : schedule.steps)
      if (step.kind == StepKind::send) {
        add_route(schedule.rank, step.peer);
        add_route(step.peer, schedule.rank);
      }
  zone->seal();
  return hosts;
}

double run_here(const std::vector<Schedule>& schedules, const Seats& seats, std::int64_t bytes_per_block) {
  char name[] = "simgrid_run", quiet[] = "--log=root.threshold:error";
  char* arguments[] = {name, quiet, nullptr};
  int count = 2;
  sg::Engine engine(&count, arguments);
  sg::Engine::set_config("network/model:CM02");
  sg::Engine::set_config("network/weight-S:0");
  sg::Engine::set_config("network/crosstraffic:0");
  const std::vector<sg::Host*> hosts = build_platform(schedules, seats);
  for (const Schedule& schedule : schedules)
    sg::Actor::create(fmt::format("rank{}", schedule.rank), hosts[static_cast<std::size_t>(schedule.rank)],
                      RankActor(schedule, bytes_per_block));
  engine.run();
  return sg::Engine::get_clock();
}

}  // namespace

double run_in_simgrid(const std::vector<Schedule>& schedules, const Seats& seats,
                      std::int64_t bytes_per_block) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    double time = -1;
    try {
      time = run_here(schedules, seats, bytes_per_block);
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "SimGrid: %s\n", failure.what());
    }
    const bool written = write(ends[1], &time, sizeof time) == sizeof time;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  double time = -1;
  const bool told = read(ends[0], &time, sizeof time) == sizeof time;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!told || status != 0 || time < 0) throw std::runtime_error("SimGrid's process failed");
  return time;
}

}  // namespace tutti::testing
