// The `tutti` command. Exit codes: 0 good, 1 the thing failed, 2 bad input.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "error.hpp"
#include "tools/commands/commands.hpp"

namespace {

constexpr int failed = 1;
constexpr int bad_input = 2;

int complain(const std::exception& failure, int code) {
  if (*failure.what() != '\0') fmt::print(stderr, "tutti: {}\n", failure.what());
  return code;
}

bool is_bad_input(const tutti::Error& failure) {
  return failure.code() == TUTTI_ERROR_ARGUMENT || failure.code() == TUTTI_ERROR_UNSUPPORTED;
}

// In reverse, as CLI11 takes them.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const bool runs = !arguments.empty() && arguments.front() == "run";
  if (runs) std::replace(arguments.begin(), arguments.end(), std::string("--"), std::string(tutti::separator));
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Tutti: collective operations between processes.", "tutti");
  app.require_subcommand(1);
  app.set_version_flag("--version",
                       fmt::format("tutti {}.{}.{}", TUTTI_VERSION_MAJOR, TUTTI_VERSION_MINOR, TUTTI_VERSION_PATCH));
  tutti::add_explain(app);
  tutti::add_info(app);
  tutti::add_run(app);
  tutti::add_schedule(app);
  tutti::add_simulate(app);
  tutti::add_topo(app);
  tutti::add_tune(app);
  tutti::add_verify(app);
  try {
    app.parse(arguments_of(argc, argv));
  } catch (const CLI::ParseError& failure) {
    return app.exit(failure) == 0 ? 0 : bad_input;
  } catch (const tutti::CommandFailed& failure) {
    return complain(failure, failed);
  } catch (const tutti::Error& failure) {
    return complain(failure, is_bad_input(failure) ? bad_input : failed);
  } catch (const std::exception& failure) {
    return complain(failure, failed);
  }
  return 0;
}
