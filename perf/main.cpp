// tutti-perf: measures collectives beside other libraries and beside what the machine can do.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "error.hpp"
#include "perf/launched.hpp"
#include "perf/limits.hpp"
#include "perf/lossy.hpp"
#include "perf/options.hpp"
#include "perf/plans.hpp"
#include "perf/replay.hpp"
#include "perf/session.hpp"

namespace {

using namespace tutti::perf;

constexpr int failed = 1, bad_input = 2;

struct Words {
  std::string what;
  std::string file;
  bool bytes_given = false;
};

void declare(CLI::App& app, Words& words, Options& o) {
  app.add_option("what", words.what,
                 "allreduce, broadcast, barrier, reduce, reduce-scatter, allgather or alltoall; topk-allreduce, "
                 "quantised-allreduce or "
                 "reproducible-allreduce, beside the dense allreduce; bounds: the machine's limits; replay: "
                 "measure again what FILE holds")
      ->required();
  app.add_option("file", words.file, "for replay: a file that --json wrote");
  app.add_option("-n,--ranks", o.ranks, "ranks (default: one for each core)");
  app.add_option("--bytes", o.bytes, "sizes of the whole vector: 8:64M or 1K,5000,3M")->capture_default_str();
  app.add_option("--type", o.type, "element type, such as float32, float64, bfloat16, int32")->capture_default_str();
  app.add_option("--op", o.op, "sum, avg, prod, min, max, land, lor, lxor, band, bor, bxor")->capture_default_str();
  app.add_option("--root", o.root, "root of broadcast and reduce")->capture_default_str();
  app.add_option("--density", o.densities, "of topk-allreduce: the share that each rank selects, such as 0.001,0.01")
      ->delimiter(',');
  app.add_option("--bits", o.bits, "of quantised-allreduce: 8, 4, 2, 16 (bfloat16), or several")->delimiter(',');
  app.add_option(
      "--distribution", o.distribution,
      "of these calls' inputs: uniform, gaussian (default), heavy-tail, or a FILE of recorded numbers (.npy or "
      "raw float32)");
  app.add_flag("--dense-result", o.dense_result, "of topk-allreduce: a whole vector, not pairs");
  app.add_option("--algorithm", o.algorithm, "force one of ours, or `all`: each of them beside the choice");
  app.add_option("--transport", o.transport, "what TUTTI_TRANSPORT takes, such as shm");
  app.add_flag("--in-place", o.in_place, "input and output are one buffer");
  app.add_flag("--nonblocking", o.nonblocking, "time begin and wait, and how much of it computation hides");
  app.add_option("--against", o.against, "peers: openmpi, mpich, openmpi5, mpich5, or NAME=PREFIX of any MPI")
      ->delimiter(',');
  app.add_option("--launches", o.launches, "how often all jobs are started anew")->capture_default_str();
  app.add_option("--seconds", o.seconds, "limit for each candidate of a cell")->capture_default_str();
  app.add_option("--samples", o.samples, "limit for each candidate of a cell")->capture_default_str();
  app.add_option("--interval", o.interval_share, "sample until the 99 % interval is within this many per cent")
      ->capture_default_str();
  app.add_option("--csv", o.csv, "write the rows as CSV");
  app.add_option("--json", o.json, "write the rows and the set-up as JSON");
  app.add_option("--raw", o.raw, "write every sample as lines of JSON; for replay: read them from there");
  app.footer("Exit status: 0 good; 1 a measurement failed, a result was wrong, or replay differs; 2 bad input.");
}

int run(const CLI::App& app, const Words& words, Options& o) {
  if (app.count("--ranks") == 0) o.ranks = static_cast<int>(cores_for_ranks().size());
  if (words.what == "replay") {
    if (words.file.empty()) throw tutti::error(TUTTI_ERROR_ARGUMENT, "replay needs a file: tutti-perf replay F.json");
    return replay(words.file, o.raw);
  }
  if (!words.file.empty())
    throw tutti::error(TUTTI_ERROR_ARGUMENT, "'{}' is not expected: only replay takes a file", words.file);
  if (words.what == "bounds") {
    if (!app.count("--bytes")) o.bytes = "64K,1M,16M,64M";
    return show_limits(o);
  }
  o.collective = words.what;
  if (o.collective == "barrier" && app.count("--bytes"))
    throw tutti::error(TUTTI_ERROR_ARGUMENT, "barrier moves no bytes: leave --bytes out");
  if (is_lossy(o.collective) && o.distribution.empty()) o.distribution = "gaussian";
  // The ranks of a launcher need not have this folder.
  if (std::filesystem::exists(o.distribution)) o.distribution = std::filesystem::absolute(o.distribution).string();
  const std::optional<LaunchedRank> launched = launched_rank();
  if (!launched) return publish(run_session(o));
  if (app.count("--ranks") && o.ranks != launched->size)
    throw tutti::error(TUTTI_ERROR_ARGUMENT, "-n {} under a launcher that started {} ranks: leave -n out", o.ranks,
                       launched->size);
  o.ranks = launched->size;
  o.launches = 1;  // the launcher starts the ranks, and only once
  check(o);
  if (launched->rank > 0) become_driver(*launched, o);
  return publish(run_session(o, launched));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures collectives: ours, other libraries' in the same rounds, and what this machine can do."};
  Words words;
  Options options;
  declare(app, words, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : bad_input;
  }
  try {
    return run(app, words, options);
  } catch (const tutti::Error& problem) {
    std::cerr << "tutti-perf: " << problem.what() << '\n';
    return problem.code() == TUTTI_ERROR_ARGUMENT ? bad_input : failed;
  } catch (const std::exception& problem) {
    std::cerr << "tutti-perf: " << problem.what() << '\n';
    return failed;
  }
}
