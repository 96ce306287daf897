// file: URLs, read by imgforge itself: regular files only, opened without blocking, with the same size checks
// as an answer of a server.
#pragma once

#include "builder/fetch/http/http.hpp"

namespace imgforge::fetch {

/// Copies the file into the sink. The result has no validators: a local file is read again each time.
Result transfer_file(const Transfer& transfer, const core::CancelToken& cancel);

}  // namespace imgforge::fetch
