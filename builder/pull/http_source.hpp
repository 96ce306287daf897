// A catalogue's metadata over HTTP.
#pragma once

#include <string>

#include "artifacts/catalogue/client.hpp"
#include "builder/fetch/http/http.hpp"

namespace imgforge::pull {

/// The files below `<url>/tuf/`. What the server does not have is absent; other failures are thrown, and more
/// bytes than asked for are refused (size_mismatch).
catalogue::Source http_source(fetch::Http& http, std::string url);

}  // namespace imgforge::pull
