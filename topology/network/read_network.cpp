// Which form a description has is seen from its content.
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "topology/network/forms.hpp"
#include "topology/network/toml_document.hpp"
#include "topology/network/limits.hpp"
#include "topology/network/lines.hpp"

namespace tutti {

std::string text_of_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) throw error(TUTTI_ERROR_ARGUMENT, "{}: cannot be opened: {}", path, std::strerror(errno));
  std::string text;
  char buffer[1 << 16];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get())) {
    text.append(buffer, got);
    if (text.size() > most_bytes_of_a_file)
      throw error(TUTTI_ERROR_ARGUMENT, "{}: is larger than {} MiB: no description of a network is", path,
                  most_bytes_of_a_file >> 20);
  }
  if (std::ferror(file.get()) != 0)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: cannot be read: {}", path, std::strerror(errno));
  return text;
}

namespace {

bool begins_as(std::string_view line, std::string_view start) {
  return line.size() >= start.size() && std::equal(start.begin(), start.end(), line.begin(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
         });
}

}  // namespace

// The first line that is neither empty nor a comment tells.
Form form_of(std::string_view text) {
  Form form = Form::toml;
  bool told = false;
  for_each_line(text, [&](std::string_view line, std::int64_t) {
    if (told || line.empty() || line.front() == '#') return;
    told = true;
    for (const std::string_view start : {"SwitchName=", "BlockName=", "BlockSizes=", "PlanningBlockSize="})
      if (begins_as(line, start)) form = Form::slurm;
    for (const std::string_view start : {"vendid=", "devid=", "sysimgguid=", "switchguid=", "caguid=", "Switch\t",
                                         "Switch ", "Ca\t", "Ca ", "Hca\t", "Hca "})
      if (line.starts_with(start)) form = Form::infiniband;
  });
  return form;
}

Network parse_network(std::string_view text, const std::string& name) {
  switch (form_of(text)) {
    case Form::slurm:
      return network_of_slurm(text, name, {});
    case Form::infiniband:
      return network_of_infiniband(text, name, {});
    case Form::toml:
      break;
  }
  return network_of_toml(text, name);
}

Network read_network(const std::string& path) { return parse_network(text_of_file(path), path); }

}  // namespace tutti
