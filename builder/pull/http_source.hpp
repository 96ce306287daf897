// Small files of a server, a catalogue's metadata among them.
#pragma once

#include <optional>
#include <string>

#include "artifacts/catalogue/client.hpp"
#include "builder/fetch/http/http.hpp"

namespace imgforge::pull {

/// A small file as text, or nothing when the server has none. Throws what else went wrong; more bytes than
/// asked for are refused (size_mismatch).
std::optional<std::string> fetch_small(fetch::Http& http, const fetch::Request& request);

/// The files below `<url>/tuf/`. As fetch_small.
catalogue::Source http_source(fetch::Http& http, std::string url);

}  // namespace imgforge::pull
