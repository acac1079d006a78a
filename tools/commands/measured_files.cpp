// See measured_files.hpp.
#include "tools/commands/measured_files.hpp"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "error.hpp"
#include "schedule/shape.hpp"

namespace tutti {
namespace {

// Ranks fill one host after the other, as tutti-perf lays them out.
ShapePtr shape_of(int ranks, int hosts) {
  if (hosts < 2) return nullptr;
  std::vector<int> sizes;
  for (int host = 0; host < hosts; ++host) sizes.push_back(ranks / hosts + (host < ranks % hosts ? 1 : 0));
  return placed(sizes, Placement::block);
}

MeasuredCall call_of(const nlohmann::json& row, int cores) {
  MeasuredCall call;
  const int ranks = row.at("ranks"), hosts = row.at("hosts");
  constexpr int most_ranks = 1 << 20;
  if (ranks < 1 || ranks > most_ranks || hosts < 1 || hosts > ranks)
    throw error(TUTTI_ERROR_ARGUMENT, "a result has {} ranks on {} hosts", ranks, hosts);
  call.question.kind = parse_kind(row.at("collective").get<std::string>());
  call.question.count = row.at("bytes");
  call.question.size = ranks;
  call.question.shape = shape_of(ranks, hosts);
  call.machine = described_machine(ranks, cores);
  call.machine.max_message = 0;  // it was sent
  if (hosts > 1) call.machine.network = described_network();
  call.setting = row.at("algorithm").get<std::string>() + row.value("parameters", "");
  const double microseconds = row.at("median_us");
  constexpr double most_us = 1e12;
  if (!(microseconds > 0) || microseconds > most_us)
    throw error(TUTTI_ERROR_ARGUMENT, "a result's median_us is {}", microseconds);
  call.time_ps = std::llround(microseconds * 1e6);
  return call;
}

MeasuredFile measured_of(const nlohmann::json& content) {
  MeasuredFile file;
  const nlohmann::json& setup = content.at("setup");
  file.version = setup.at("tutti");
  file.processor = setup.at("cpu");
  const int cores = setup.at("cores");
  file.transport = setup.at("options").at("transport");
  bool several = false;
  for (const nlohmann::json& row : content.at("results")) {
    if (row.at("library") != "tutti" || !row.at("algorithm").is_string() || !row.at("median_us").is_number()) continue;
    file.calls.push_back(call_of(row, cores));
    several = several || row.at("hosts").get<int>() > 1;
  }
  if (file.transport.empty()) file.transport = several ? "shm and a network" : "shm";
  return file;
}

}  // namespace

MeasuredFile read_measured(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) throw error(TUTTI_ERROR_ARGUMENT, "{} cannot be read", path);
  try {
    return measured_of(nlohmann::json::parse(stream));
  } catch (const nlohmann::json::exception& problem) {
    throw error(TUTTI_ERROR_ARGUMENT, "{} is not a file that tutti-perf --json wrote: {}", path, problem.what());
  } catch (const Error& problem) {
    throw error(TUTTI_ERROR_ARGUMENT, "{}: {}", path, problem.what());
  }
}

}  // namespace tutti
