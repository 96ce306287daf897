// A command of QEMU's monitor as it is sent (QEMU Machine Protocol, docs/interop/qmp-spec).
#pragma once

#include <string>

#include "core/json.hpp"

namespace imgforge::machines {

/// {"execute": ..., "arguments": ...}, the latter only when there are some.
inline core::Json qmp_request(const std::string& command,
                              const core::Json& arguments = core::Json::object()) {
  core::Json request{{"execute", command}};
  if (!arguments.empty()) request["arguments"] = arguments;
  return request;
}

}  // namespace imgforge::machines
