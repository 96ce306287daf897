// Errors as JSON: the same members wherever a program reads them (--json, --progress json, the report of a
// machine's process, the dashboard's API).
#pragma once

#include <string>

#include "core/error.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::core {

/// {"code", "message", "reason"?, "file"?, "line"?, "column"?, "while"?, "output"?, "hint"?}.
Json error_body(const Error& error);
/// {"schema": 1, "error": ...} with that, in one line with its newline; bytes that are no UTF-8 become
/// U+FFFD.
std::string error_line(const Error& error);

/// The error that another process of this program said so: kind, message, context, output and hint. An
/// unknown code is kInternal.
Error error_of(const Json& body);

}  // namespace imgforge::core
