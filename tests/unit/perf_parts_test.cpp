// The parts of tutti-perf that need no job: sizes, options, bounds, inputs with known results, result files.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "error.hpp"
#include "perf/bound.hpp"
#include "perf/energy.hpp"
#include "perf/options.hpp"
#include "perf/results.hpp"
#include "perf/sizes.hpp"
#include "tests/catch.hpp"

extern "C" {
#include "perf/driver/data.h"
}

using namespace tutti::perf;
using Sizes = std::vector<std::uint64_t>;

namespace {

Options options_for(const std::string& collective, int ranks, const std::string& bytes = "64") {
  Options options;
  options.collective = collective;
  options.ranks = ranks;
  options.bytes = bytes;
  return options;
}

std::string refusal(const Options& options) {
  try {
    check(options);
  } catch (const tutti::Error& problem) {
    return problem.code() == TUTTI_ERROR_ARGUMENT ? problem.what() : "wrong code";
  }
  return "accepted";
}

Series measured(const std::string& library, const std::string& part, double us) {
  Series series;
  series.library = library;
  series.part = part;
  series.us = std::vector<double>(20, us);
  series.launch = std::vector<int>(20, 0);
  return series;
}

}  // namespace

TEST_CASE("a range of sizes is every power of two in it, a list is itself in rising order") {
  CHECK(parse_sizes("8:64") == Sizes{8, 16, 32, 64});
  CHECK(parse_sizes("5:33") == Sizes{8, 16, 32});
  CHECK(parse_sizes("3M,1K,5000") == Sizes{1024, 5000, 3 << 20});
  CHECK(parse_sizes("8:16,12,16") == Sizes{8, 12, 16});
  CHECK(parse_sizes("1G") == Sizes{1u << 30});
}

TEST_CASE("a size that cannot be read is refused with the part that is wrong") {
  for (const char* text : {"", ",", "8,", "x", "1:x", "8x", "8KB", "-8", "0", "64:8", "5:7", "1e3",
                           "9999999999999999999", "1048577G", "8:16:32", " 8"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_sizes(text), tutti::Error);
  }
  CHECK_THROWS_WITH(parse_sizes("8,12Q"), ContainsSubstring("'12Q'") && ContainsSubstring("8:64M"));
}

TEST_CASE("sizes are shown in binary units") {
  CHECK(size_text(8) == "8 B");
  CHECK(size_text(64 << 10) == "64 KiB");
  CHECK(size_text(7 << 19) == "3.5 MiB");
}

TEST_CASE("bad options are refused, each with its reason") {
  CHECK(refusal(options_for("allreduce", 2)) == "accepted");
  CHECK_THAT(refusal(options_for("alltoallv", 2)), ContainsSubstring("alltoallv"));
  CHECK_THAT(refusal(options_for("allreduce", 0)), ContainsSubstring("0 ranks"));
  CHECK_THAT(refusal(options_for("allreduce", 2, "6")), ContainsSubstring("6 B"));
  Options options = options_for("allreduce", 2);
  options.type = "float33";
  CHECK_THAT(refusal(options), ContainsSubstring("float33"));
  options = options_for("allreduce", 2);
  options.op = "xor";
  CHECK_THAT(refusal(options), ContainsSubstring("'xor'"));
  options.op = "bxor";
  CHECK_THAT(refusal(options), ContainsSubstring("integers"));
  options = options_for("broadcast", 2);
  options.root = 2;
  CHECK_THAT(refusal(options), ContainsSubstring("root 2"));
  options = options_for("broadcast", 2);
  options.in_place = true;
  CHECK_THAT(refusal(options), ContainsSubstring("--in-place"));
  options = options_for("allreduce", 2);
  options.op = "avg";
  options.against = {"openmpi"};
  CHECK_THAT(refusal(options), ContainsSubstring("no average"));
}

TEST_CASE("bytes are those of the whole vector, and blocks are whole") {
  CHECK(cells_of(options_for("allreduce", 3)).at(0).count == 16);
  const Cell gathered = cells_of(options_for("allgather", 3)).at(0);
  CHECK(gathered.count == 6);
  CHECK(gathered.bytes == 72);
  CHECK(cells_of(options_for("allgather", 3, "4,8,12")).size() == 1);
  CHECK(cells_of(options_for("barrier", 3)).at(0).bytes == 0);
}

TEST_CASE("options come back from a result file as they went in") {
  Options options = options_for("reduce", 5, "1K");
  options.against = {"openmpi", "mine=/opt/mpi"};
  options.in_place = true;
  const Options again = options_from_json({{"options", to_json(options)}}, "f.json");
  CHECK(to_json(again) == to_json(options));
  CHECK_THROWS_WITH(options_from_json(nlohmann::json::object(), "f.json"), ContainsSubstring("f.json"));
}

TEST_CASE("the bound is the fastest copy and pass together, and never less than a hop") {
  const Options options = options_for("allreduce", 2, "1M");
  std::vector<Series> parts = {measured("bound", "copy-all", 30), measured("bound", "copy-all", 20),
                               measured("bound", "pass", 50), measured("bound", "hop", 0.2)};
  CHECK(bound_us(options, 2, 1, parts) == Approx(70));
  parts.back() = measured("bound", "hop", 400);  // there and back
  CHECK(bound_us(options, 2, 1, parts) == Approx(200));
}

TEST_CASE("where ranks share cores the bound counts the switches that cannot be avoided") {
  const std::vector<Series> parts = {measured("bound", "switch", 2)};       // one microsecond each
  CHECK(bound_us(options_for("allreduce", 8), 2, 1, parts) == Approx(6));   // 4 ranks a core, in and out
  CHECK(bound_us(options_for("allreduce", 8), 2, 10, parts) == Approx(3));  // leaving one call is entering the next
  CHECK(bound_us(options_for("broadcast", 8), 2, 1, parts) == Approx(3));
  CHECK(bound_us(options_for("broadcast", 8), 2, 10, parts) == Approx(0));
}

TEST_CASE("an allreduce must copy its vector and pass 2(p-1)/p of it") {
  const Options options = options_for("allreduce", 4, "1M");
  std::uint64_t copied = 0, passed = 0;
  for (const BoundPart& part : bound_parts(options, {1 << 20, 1 << 18}, false)) {
    if (part.part == "copy-all") copied = part.bytes;
    if (part.part == "pass") passed = part.bytes;
  }
  CHECK(copied == 1 << 20);
  CHECK(passed == 3 << 19);
}

TEST_CASE("bytes are passed in several windows at every size") {
  for (std::uint64_t bytes = 4096; bytes <= 64 << 20; bytes *= 2) {
    int windows = 0;
    for (const BoundPart& part : bound_parts(options_for("allreduce", 2), {bytes, bytes / 4}, false))
      windows += part.part == "pass";
    INFO(bytes);
    CHECK(windows >= 2);
    CHECK(windows <= 3);
  }
}

TEST_CASE("the check of results accepts what a collective promises and nothing else, for every type and operation") {
  for (const char* type : {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
                           "bfloat16", "float32", "float64", "complex64", "complex128"}) {
    for (const char* op : {"sum", "avg", "prod", "min", "max", "land", "lor", "lxor", "band", "bor", "bxor"}) {
      char text[PERF_TEXT_ROOM] = "";
      if (data_supported("allreduce", type, op, text, sizeof text)) continue;
      INFO(type << " " << op);
      perf_request request{};
      request.count = 2000;
      request.seed = 3;
      std::strcpy(request.collective, "allreduce");
      std::strcpy(request.type, type);
      std::strcpy(request.op, op);
      const std::size_t bytes = request.count * data_type_bytes(type);
      std::vector<char> in(bytes), out(bytes);
      const buffers memory{in.data(), out.data()};
      data_fill(&request, &memory, 0, 1);
      CHECK_FALSE(data_check(&request, &memory, 0, 1, text, sizeof text));  // the rubbish of the fill
      CHECK_THAT(std::string(text), ContainsSubstring("element 0"));
      const bool is_logical = op[0] == 'l';
      if (is_logical) continue;  // one rank's logical result is not its input
      out = in;
      CHECK(data_check(&request, &memory, 0, 1, text, sizeof text));
      out[1500 * data_type_bytes(type)] ^= 1;
      CHECK_FALSE(data_check(&request, &memory, 0, 1, text, sizeof text));
      CHECK_THAT(std::string(text), ContainsSubstring("element 1500"));
    }
  }
}

TEST_CASE("the sum of all ranks' inputs is what the check expects") {
  constexpr int ranks = 5;
  perf_request request{};
  request.count = 3000;
  std::strcpy(request.collective, "allreduce");
  std::strcpy(request.type, "float32");
  std::strcpy(request.op, "sum");
  std::vector<float> in(request.count), out(request.count), sum(request.count, 0);
  const buffers memory{in.data(), out.data()};
  bool ranks_differ = false;
  for (int rank = 0; rank < ranks; ++rank) {
    const std::vector<float> before = in;
    data_fill(&request, &memory, rank, ranks);
    ranks_differ |= rank > 0 && before != in;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += in[i];
  }
  out = sum;
  char text[PERF_TEXT_ROOM] = "";
  CHECK(ranks_differ);
  CHECK(data_check(&request, &memory, 2, ranks, text, sizeof text));
  out = in;
  CHECK_FALSE(data_check(&request, &memory, 2, ranks, text, sizeof text));
}

TEST_CASE("energy counters are added up, and a wrapped one is followed") {
  const auto folder = std::filesystem::temp_directory_path() / ("tutti-energy-" + std::to_string(getpid()));
  const auto write = [&](const std::string& zone, const std::string& file, long value) {
    std::filesystem::create_directories(folder / zone);
    std::ofstream(folder / zone / file) << value << '\n';
  };
  write("intel-rapl:0", "energy_uj", 1000000);
  write("intel-rapl:0", "max_energy_range_uj", 5000000);
  write("intel-rapl:1", "energy_uj", 4000000);
  write("intel-rapl:1", "max_energy_range_uj", 5000000);
  write("intel-rapl:1:0", "energy_uj", 0);  // a part of a package, already counted in it
  const EnergyMeter meter(folder);
  write("intel-rapl:0", "energy_uj", 3000000);
  write("intel-rapl:1", "energy_uj", 500000);
  write("intel-rapl:1:0", "energy_uj", 9000000);
  CHECK(meter.joules().value() == Approx(2.0 + 1.5));
  std::filesystem::remove_all(folder);
  CHECK_FALSE(EnergyMeter(folder).joules().has_value());
}

TEST_CASE("a row bears every field that readers of the file rely on") {
  Results results;
  results.options = options_for("allreduce", 2);
  results.setup = {{"cores", 2}};
  results.jobs = {{"tutti", "Tutti 1", "", ""}, {"openmpi", "Open MPI 4", "", ""}};
  CellResult cell{{64, 16}, {measured("tutti", "", 10), measured("openmpi", "", 25)}, {}, 5};
  cell.libraries[0].algorithm = "ring";
  cell.libraries[0].chosen = true;
  results.cells = {cell};
  const nlohmann::json rows = to_json(results).at("results");
  REQUIRE(rows.size() == 2);
  for (const char* field : {"library", "version", "collective", "algorithm", "chosen",   "transport", "ranks",
                            "hosts",   "bytes",   "type",       "op",        "in_place", "median_us", "low_us",
                            "high_us", "p99_us",  "samples",    "batch",     "cpu_us",   "bound_us",  "correct"}) {
    INFO(field);
    CHECK(rows[0].contains(field));
    CHECK(rows[1].contains(field));
  }
  CHECK(rows[0]["algorithm"] == "ring");
  CHECK(rows[1]["algorithm"].is_null());
  CHECK(rows[1]["chosen"] == false);
  const std::string table = table_text(results);
  CHECK_THAT(table, ContainsSubstring("2.50x") && ContainsSubstring("50 %") && ContainsSubstring("Geometric mean"));
  std::ostringstream csv, raw;
  write_csv(csv, results);
  write_raw(raw, results);
  CHECK_THAT(csv.str(), ContainsSubstring("collective,bytes,library") && ContainsSubstring("\"openmpi\""));
  CHECK(nlohmann::json::parse(raw.str().substr(0, raw.str().find('\n'))).at("us").size() == 20);
}

TEST_CASE("a wrong result is marked in the table and in the file") {
  Results results;
  results.options = options_for("allreduce", 2);
  results.setup = {{"cores", 2}};
  CellResult cell{{64, 16}, {measured("tutti", "", 10)}, {}, 0};
  cell.libraries[0].correct = false;
  cell.libraries[0].complaint = "rank 1: element 3 is wrong";
  results.cells = {cell};
  CHECK(to_json(results).at("results")[0].at("correct") == false);
  CHECK_THAT(table_text(results), ContainsSubstring("WRONG") && ContainsSubstring("element 3 is wrong"));
}
