// See simulator_reference.hpp.
#include "tests/unit/simulator_reference.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <tuple>

namespace tutti::testing {

namespace {

class PlainRun {
 public:
  PlainRun(const PlainJob& job, const PlainNetwork& network) : job_(job), network_(network), states_(job.tasks.size()) {
    const auto ranks = static_cast<std::size_t>(job.ranks);
    ranks_.resize(ranks);
    for (std::size_t rank = 0; rank < ranks; ++rank)
      events_.insert({job.starts.empty() ? 0 : job.starts[rank], {What::started, static_cast<int>(rank)}});
    for (std::size_t at = 0; at < job.tasks.size(); ++at) {
      const PlainTask& task = job.tasks[at];
      Rank& rank = ranks_[static_cast<std::size_t>(task.rank)];
      rank.tasks.push_back(static_cast<int>(at));
      ++rank.open_tasks[task.window];
      if (task.kind == PlainTask::Kind::recv)
        receives_[{task.peer, task.rank, task.window, task.tag}] = static_cast<int>(at);
      if (task.kind == PlainTask::Kind::send)
        sends_[{task.rank, task.peer, task.window, task.tag}] = static_cast<int>(at);
    }
  }

  std::vector<std::int64_t> follow() {
    for (;;) {
      if (!events_.empty() && events_.begin()->first == now_) {
        const Event event = events_.begin()->second;
        events_.erase(events_.begin());
        happen(event);
        continue;
      }
      if (start_one()) continue;
      std::int64_t next = events_.empty() ? never : events_.begin()->first;
      for (Rank& rank : ranks_)
        if (const int task = best(rank); task >= 0) next = std::min(next, earliest(rank, task));
      if (next == never) break;
      now_ = next;
    }
    std::vector<std::int64_t> finished;
    for (const Rank& rank : ranks_) finished.push_back(rank.finished);
    for (const State& state : states_)
      if (!state.over) std::fill(finished.begin(), finished.end(), -1);
    return finished;
  }

 private:
  static constexpr std::int64_t never = INT64_MAX;
  enum class What { started, over, arrived, half };
  struct Event {
    What what;
    int index;
  };
  struct State {
    bool posted = false, arrived = false, waiting = false, begun = false, half = false, over = false;
    std::int64_t ready = 0;
  };
  struct Rank {
    bool started = false;
    std::int64_t processor = 0, sends = 0, receives = 0, finished = 0;
    int closed = 0;
    std::vector<int> tasks;
    std::map<int, int> open_tasks;  // by window
  };
  using Ends = std::tuple<int, int, int, int>;  // from, to, window, tag

  const PlainTask& task_of(int at) const { return job_.tasks[static_cast<std::size_t>(at)]; }
  State& state(int at) { return states_[static_cast<std::size_t>(at)]; }

  void happen(const Event& event) {
    if (event.what == What::started) {
      Rank& rank = ranks_[static_cast<std::size_t>(event.index)];
      rank.started = true;
      rank.finished = now_;
      return look_again(rank);
    }
    State& here = state(event.index);
    Rank& rank = ranks_[static_cast<std::size_t>(task_of(event.index).rank)];
    if (event.what == What::arrived) {
      here.arrived = true;
    } else if (event.what == What::half && !here.half) {
      here.half = true;
    } else {
      here.over = true;
      rank.finished = now_;
      if (--rank.open_tasks[task_of(event.index).window] == 0) ++rank.closed;
    }
    look_again(rank);
  }

  void look_again(Rank& rank) {
    if (!rank.started) return;
    for (int at : rank.tasks) {
      State& here = state(at);
      const PlainTask& task = task_of(at);
      if (here.waiting || here.begun || here.over) continue;
      if (task.window >= rank.closed + job_.in_flight) continue;
      if (!here.posted) {
        if (!std::all_of(task.requires_.begin(), task.requires_.end(), [&](int other) { return state(other).over; }))
          continue;
        here.posted = true;
      }
      if (task.kind == PlainTask::Kind::recv && !here.arrived) continue;
      here.ready = now_;
      if (task.kind == PlainTask::Kind::calc && task.duration_ps == 0) {
        here.begun = true;
        events_.insert({now_, {What::over, at}});
      } else {
        here.waiting = true;
      }
    }
  }

  std::int64_t earliest(const Rank& rank, int at) {
    const PlainTask& task = task_of(at);
    std::int64_t time = std::max(rank.processor, now_);
    if (task.kind == PlainTask::Kind::send) time = std::max(time, rank.sends);
    if (task.kind == PlainTask::Kind::recv) time = std::max(time, rank.receives);
    return time;
  }

  int best(Rank& rank) {
    int chosen = -1;
    const auto key = [&](int at) {
      return std::tuple(earliest(rank, at), state(at).ready, task_of(at).window, task_of(at).order);
    };
    for (int at : rank.tasks)
      if (state(at).waiting && (chosen < 0 || key(at) < key(chosen))) chosen = at;
    return chosen;
  }

  bool start_one() {
    for (Rank& rank : ranks_) {
      const int at = best(rank);
      if (at < 0 || earliest(rank, at) > now_) continue;
      state(at).waiting = false;
      state(at).begun = true;
      begin(rank, at);
      return true;
    }
    return false;
  }

  void begin(Rank& rank, int at) {
    const PlainTask& task = task_of(at);
    const std::int64_t further = std::max<std::int64_t>(task.bytes - 1, 0);
    const bool rendezvous = task.bytes > network_.S;
    const Ends ends = task.kind == PlainTask::Kind::send ? Ends{task.rank, task.peer, task.window, task.tag}
                                                         : Ends{task.peer, task.rank, task.window, task.tag};
    if (task.kind == PlainTask::Kind::send) {
      rank.processor = now_ + network_.o + further * network_.O;
      rank.sends = now_ + network_.g + further * network_.G;
      events_.insert({now_ + network_.o + network_.L, {What::arrived, receives_.at(ends)}});
      events_.insert({rank.processor, {rendezvous ? What::half : What::over, at}});
    } else if (task.kind == PlainTask::Kind::recv) {
      rank.processor = now_ + network_.o + further * std::max(network_.O, network_.G);
      rank.receives = now_ + network_.g + further * network_.G;
      events_.insert({rank.processor, {What::over, at}});
      if (rendezvous) events_.insert({now_, {What::half, sends_.at(ends)}});
    } else {
      rank.processor = now_ + task.duration_ps;
      events_.insert({rank.processor, {What::over, at}});
    }
  }

  const PlainJob& job_;
  const PlainNetwork& network_;
  std::int64_t now_ = 0;
  std::vector<State> states_;
  std::vector<Rank> ranks_;
  std::multimap<std::int64_t, Event> events_;
  std::map<Ends, int> receives_, sends_;
};

// Where a block ends, in a window of so many bytes cut into cache lines.
std::int64_t end_of_block(std::int64_t window, std::int64_t blocks, std::int64_t block, bool sliced) {
  if (sliced) return (block + 1) * window;
  const std::int64_t lines = ((window + blocks - 1) / blocks + 63) / 64;
  return std::min(window, (block + 1) * lines * 64);
}

std::int64_t bytes_of(const Schedule& schedule, const Step& step, std::int64_t window, bool sliced) {
  if (schedule.token) return 0;
  std::int64_t bytes = 0;
  for (const Part& part : schedule.parts_of(step))
    for (std::int64_t block = part.blocks.begin; block < part.blocks.end; ++block)
      bytes += end_of_block(window, schedule.blocks, block, sliced) -
               (block == 0 ? 0 : end_of_block(window, schedule.blocks, block - 1, sliced));
  return bytes;
}

}  // namespace

std::vector<std::int64_t> run_plainly(const PlainJob& job, const PlainNetwork& network) {
  return PlainRun(job, network).follow();
}

PlainJob job_of(const std::vector<Schedule>& schedules, const std::vector<std::int64_t>& windows, int in_flight,
                bool sliced, std::int64_t combine_ps, std::int64_t copy_ps) {
  PlainJob job{static_cast<int>(schedules.size()), in_flight, {}, {}};
  for (const Schedule& schedule : schedules)
    for (std::size_t window = 0; window < windows.size(); ++window) {
      std::vector<int> ends, gates;  // of each step: the task that ends it; one that is over when all up to it are
      const auto add = [&](PlainTask task) {
        job.tasks.push_back(std::move(task));
        return static_cast<int>(job.tasks.size()) - 1;
      };
      for (std::size_t at = 0; at < schedule.steps.size(); ++at) {
        const Step& step = schedule.steps[at];
        PlainTask task;
        task.rank = schedule.rank;
        task.peer = step.peer;
        task.tag = step.match;
        task.window = static_cast<int>(window);
        task.order = static_cast<int>(at);
        task.bytes = bytes_of(schedule, step, windows[window], sliced);
        if (at >= lookahead) task.requires_.push_back(gates[at - lookahead]);
        std::vector<int> waits;
        for (std::size_t back = 1; back <= std::min<std::size_t>(at, 64); ++back)
          if ((step.waits >> (back - 1) & 1) != 0) waits.push_back(ends[at - back]);
        const bool idle = task.bytes == 0 && !schedule.token;
        const bool posted_early = step.kind == StepKind::recv_reduce;
        if (step.kind == StepKind::send) task.kind = PlainTask::Kind::send;
        if (step.kind == StepKind::recv || posted_early) task.kind = PlainTask::Kind::recv;
        if (idle) task.kind = PlainTask::Kind::calc;
        if (!idle && step.kind == StepKind::copy) task.duration_ps = task.bytes * copy_ps;
        if (!idle && step.kind == StepKind::fold)
          task.duration_ps = task.bytes * combine_ps * std::max(1, step.source_count - 1);
        if (!idle && !posted_early) task.requires_.insert(task.requires_.end(), waits.begin(), waits.end());
        int end = add(task);
        if (posted_early && !idle) {
          task.kind = PlainTask::Kind::calc;
          task.duration_ps = task.bytes * combine_ps;
          task.requires_ = waits;
          task.requires_.push_back(end);
          end = add(task);
        }
        ends.push_back(end);
        PlainTask gate;
        gate.rank = schedule.rank;
        gate.window = static_cast<int>(window);
        gate.requires_ = {end};
        if (at > 0) gate.requires_.push_back(gates.back());
        gates.push_back(add(gate));
      }
    }
  return job;
}

PlainJob read_goal(const std::string& text) {
  static const std::regex head("num_ranks (\\d+)"), rank_line("rank (\\d+) \\{"),
      send("(\\w+): send (\\d+)b to (\\d+) tag (\\d+)"), recv("(\\w+): recv (\\d+)b from (\\d+) tag (\\d+)"),
      calc("(\\w+): calc (\\d+)"), needs("(\\w+) requires (\\w+)");
  PlainJob job;
  std::map<std::string, int> labels;
  int rank = -1;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    const auto number = [&](std::size_t at) { return std::stoll(found[at]); };
    PlainTask task;
    task.rank = rank;
    task.order = static_cast<int>(job.tasks.size());
    if (line.empty()) continue;
    if (line == "}") {
      labels.clear();
      continue;
    }
    if (std::regex_match(line, found, head)) {
      job.ranks = static_cast<int>(number(1));
      continue;
    }
    if (std::regex_match(line, found, rank_line)) {
      rank = static_cast<int>(number(1));
      continue;
    }
    if (std::regex_match(line, found, needs)) {
      job.tasks[static_cast<std::size_t>(labels.at(found[1]))].requires_.push_back(labels.at(found[2]));
      continue;
    }
    if (std::regex_match(line, found, send) || std::regex_match(line, found, recv)) {
      task.kind = line.find(": send") != std::string::npos ? PlainTask::Kind::send : PlainTask::Kind::recv;
      task.bytes = number(2);
      task.peer = static_cast<int>(number(3));
      task.tag = static_cast<int>(number(4));
    } else if (std::regex_match(line, found, calc)) {
      task.duration_ps = 1000 * number(2);
    } else {
      throw std::runtime_error("GOAL: \"" + line + "\" is neither a task nor a dependency");
    }
    labels[found[1]] = static_cast<int>(job.tasks.size());
    job.tasks.push_back(std::move(task));
  }
  return job;
}

}  // namespace tutti::testing
