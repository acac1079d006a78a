// Where tutti-perf finds what belongs to it, in a build folder and when it is installed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tutti::perf {

// The driver of "tutti" or "bound".
std::filesystem::path driver_program(const std::string& library);
// The command `tutti`, whose `run` starts our ranks.
std::filesystem::path tutti_command();
// The folder with the driver's sources, from which a peer's driver is compiled.
std::filesystem::path driver_sources();
// A folder for compiled drivers of peers: in the build folder, or the user's cache.
std::filesystem::path driver_cache();
// Folders in which tools/peers may have put the peers.
std::vector<std::filesystem::path> peer_folders();

// What a command prints on both outputs, and its exit status; nothing of it reaches the terminal.
struct Printed {
  int status = 0;
  std::string text;
};
Printed run_command(const std::vector<std::string>& words);

}  // namespace tutti::perf
