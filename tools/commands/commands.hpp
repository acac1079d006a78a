// The subcommands of `tutti`. Each lies in a file of its own and adds itself: its options and a callback that runs it.
// A new one is a file, a declaration here and a line in main.cpp.
//
// A callback returns if all is good. It throws CommandFailed if the thing it was asked for failed (exit code 1),
// and tutti::Error with TUTTI_ERROR_ARGUMENT or TUTTI_ERROR_UNSUPPORTED for bad input (exit code 2; any other code
// gives 1).
#pragma once

#include <CLI/CLI.hpp>
#include <stdexcept>

namespace tutti {

// The command did its work, and the answer is no. The message, if there is one, goes to stderr.
class CommandFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Stands for a "--" on the command line, which CLI11 would otherwise take from `tutti run -- PROGRAM` for itself.
inline constexpr const char* separator = "\x1d--";

void add_explain(CLI::App& app);
void add_info(CLI::App& app);
void add_run(CLI::App& app);
void add_schedule(CLI::App& app);
void add_simulate(CLI::App& app);
void add_topo(CLI::App& app);
void add_tune(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace tutti
