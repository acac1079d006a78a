// What the launcher tells the part of a job on one host, as a line of JSON.
#pragma once

#include <string>

#include "tools/launcher/job.hpp"

namespace tutti {

struct PartOrder {
  JobOptions job;  // with its part
};

std::string fresh_secret();

// With the launcher's folder and environment, except for what belongs to a host or to who is logged in there.
std::string encode(const PartOrder& order);
// Goes to the folder and takes the environment on. Throws tutti::Error(TUTTI_ERROR_ARGUMENT) where that cannot be.
PartOrder take_on(const std::string& line);

}  // namespace tutti
