#include "builder/pull/http_source.hpp"

#include "core/error.hpp"

namespace imgforge::pull {

std::optional<std::string> fetch_small(fetch::Http& http, const fetch::Request& request) {
  fetch::TextSink sink;
  const std::vector<fetch::Result> results = http.run({{request, &sink}}, 1);
  const auto* failure = std::get_if<fetch::Failure>(&results.front());
  if (failure == nullptr) return sink.text();
  if (failure->absent) return std::nullopt;
  core::Error error = failure->error;
  if (error.kind() == core::Kind::kUnsafe) error.reason(core::Reason::kSizeMismatch);
  throw error;
}

catalogue::Source http_source(fetch::Http& http, std::string url) {
  return [&http, url = std::move(url)](const std::string& name, std::size_t limit) {
    fetch::Request request;
    request.url = url + "/tuf/" + name;
    request.limit = limit;
    return fetch_small(http, request);
  };
}

}  // namespace imgforge::pull
