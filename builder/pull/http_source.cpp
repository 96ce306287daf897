#include "builder/pull/http_source.hpp"

#include "core/error.hpp"

namespace imgforge::pull {

catalogue::Source http_source(fetch::Http& http, std::string url) {
  return [&http, url = std::move(url)](const std::string& name,
                                       std::size_t limit) -> std::optional<std::string> {
    fetch::TextSink sink;
    fetch::Request request;
    request.url = url + "/tuf/" + name;
    request.limit = limit;
    const auto results = http.run({{request, &sink}}, 1);
    const auto* failure = std::get_if<fetch::Failure>(&results.front());
    if (failure == nullptr) return sink.text();
    if (failure->absent) return std::nullopt;
    core::Error error = failure->error;
    if (error.kind() == core::Kind::kUnsafe) error.reason(core::Reason::kSizeMismatch);
    throw error;
  };
}

}  // namespace imgforge::pull
