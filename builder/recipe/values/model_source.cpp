#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <regex>

#include "builder/recipe/values/model.hpp"
#include "builder/recipe/values/types.hpp"
#include "core/percent.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

bool matches(const std::string& text, const char* pattern, std::smatch* found = nullptr) {
  const std::regex expression(pattern, std::regex::ECMAScript);
  std::smatch unused;
  return std::regex_match(text, found == nullptr ? unused : *found, expression);
}

bool climbs(const std::string& path) {
  const std::vector<std::string> parts = core::split(path, '/');
  return std::any_of(parts.begin(), parts.end(),
                     [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
}

/// Takes a text apart; what is left empty was wrong.
struct Parser {
  ModelSource source;
  std::string fault;

  explicit Parser(std::string_view text) {
    source.text = text;
    const std::string all(text);
    const auto scheme_end = all.find("://");
    const std::string scheme = scheme_end == std::string::npos ? "" : all.substr(0, scheme_end);
    const std::string rest = scheme_end == std::string::npos ? all : all.substr(scheme_end + 3);
    if (scheme == "https" || scheme == "http") {
      url(all);
    } else if (scheme == "hf") {
      hugging_face(rest);
    } else if (scheme == "oci") {
      oci(rest);
    } else if (scheme == "ollama") {
      ollama(rest);
    } else if (scheme == "file" || scheme.empty()) {
      file(all, scheme);
    } else {
      fault = "has the unknown scheme " + core::escaped(scheme, 20) + "; known: https, file, hf, oci, ollama";
    }
  }

  void url(const std::string& all) {
    const std::size_t query = std::min(all.find('?'), all.size());
    source.kind = SourceKind::kUrl;
    source.location = source.text = all.substr(0, query);
    source.query = all.substr(query);
    // A query may hold all that a path may, and further question marks.
    std::string as_path = source.query;
    std::replace(as_path.begin(), as_path.end(), '?', '/');
    fault = url_fault(source.location + as_path);
    std::smatch page;
    if (fault.empty() &&
        matches(source.location,
                "https://(www\\.)?(huggingface\\.co|hf\\.co)/([^/]+/[^/]+)/blob/([^/]+)/(.+)", &page))
      fault = fmt::format("is the page about a file: the file itself is hf://{}@{}/{}", page[3].str(),
                          page[4].str(), page[5].str());
  }

  /// hf://[ORGANISATION/]REPOSITORY[@REVISION]/PATH. Names of files are as people gave them, with blanks,
  /// brackets and quotes, and as browsers show them, with % escapes.
  void hugging_face(const std::string& rest) {
    source.kind = SourceKind::kHuggingFace;
    constexpr const char* kName = "[A-Za-z0-9][A-Za-z0-9._-]{0,95}";
    constexpr const char* kRevision =
        "refs(?:/|%2[Ff])(?:pr|convert)(?:/|%2[Ff])[A-Za-z0-9._-]{1,128}|[A-Za-z0-9._-]{1,128}";
    std::smatch found;
    const bool with_revision =
        matches(rest, fmt::format("({0}(?:/{0})?)@({1})/(.+)", kName, kRevision).c_str(), &found);
    if (!with_revision && !matches(rest, fmt::format("({0}/{0})()/(.+)", kName).c_str(), &found)) {
      fault =
          "must be written as hf://ORGANISATION/REPOSITORY@REVISION/PATH, or hf://REPOSITORY@REVISION/PATH";
      return;
    }
    source.location = found[1];
    source.reference = with_revision ? unescaped(found[2]) : "main";
    source.path = unescaped(found[3]);
    if (!fault.empty()) return;
    if (climbs(source.path) || climbs(source.location) || climbs(source.reference)) {
      fault = "has an empty part, \".\" or \"..\" in its path";
    } else if (source.path.size() > 512) {
      fault = "has a path of more than 512 bytes";
    } else if (found[3].str().find_first_of("?\\") != std::string::npos) {
      fault =
          "has a \"?\" or \"\\\" in its path: a query is of no use here, and %3F stands for the character";
    }
  }

  /// % escapes replaced by what they stand for; a lone % stands for itself.
  std::string unescaped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::optional<char> byte = core::escaped_byte(text, i);
      out += byte.value_or(text[i]);
      if (byte) i += 2;
    }
    const bool odd = std::any_of(out.begin(), out.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    if (odd || !core::is_utf8(out)) fault = "has control characters or no UTF-8 in its path";
    return out;
  }

  void oci(const std::string& rest) {
    source.kind = SourceKind::kOci;
    std::smatch found;
    if (!matches(rest,
                 "([A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?)/([a-z0-9]+([._/-]+[a-z0-9]+)*)"
                 "(:([A-Za-z0-9_][A-Za-z0-9._-]{0,127})|@(sha256:[0-9a-f]{64}))?",
                 &found)) {
      fault = "must be written as oci://REGISTRY/REPOSITORY:TAG or oci://REGISTRY/REPOSITORY@sha256:HEX";
      return;
    }
    source.host = found[1];
    source.location = found[3];
    source.reference = found[6].matched ? found[6].str() : found[7].matched ? found[7].str() : "latest";
    if (climbs(source.location)) fault = "has an empty part, \".\" or \"..\" in its path";
    const bool is_docker_hub = source.host == "docker.io" || source.host == "index.docker.io";
    if (is_docker_hub && source.location.find('/') == std::string::npos)
      source.location = "library/" + source.location;
  }

  void ollama(const std::string& rest) {
    source.kind = SourceKind::kOllama;
    std::smatch found;
    if (!matches(rest,
                 "(([A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?)/([A-Za-z0-9][A-Za-z0-9._-]{0,79})/"
                 "|([A-Za-z0-9][A-Za-z0-9._-]{0,79})/)?([A-Za-z0-9][A-Za-z0-9._-]{0,79})"
                 "(:([A-Za-z0-9_][A-Za-z0-9._-]{0,79}))?",
                 &found)) {
      fault =
          "must be written as ollama://NAME:TAG, ollama://NAMESPACE/NAME:TAG or "
          "ollama://HOST/NAMESPACE/NAME:TAG";
      return;
    }
    source.host = found[2].matched ? found[2].str() : "registry.ollama.ai";
    const std::string space = found[4].matched   ? found[4].str()
                              : found[5].matched ? found[5].str()
                                                 : "library";
    source.location = space + "/" + found[6].str();
    source.reference = found[8].matched ? found[8].str() : "latest";
  }

  void file(const std::string& all, const std::string& scheme) {
    source.kind = SourceKind::kFile;
    if (!scheme.empty()) {
      fault = url_fault(all);
      source.location = all.substr(all.find("://") + 3);
      if (fault.empty() && source.location.find('%') != std::string::npos)
        fault = "must be written without % escapes: as a path";
      return;
    }
    source.location = all.starts_with("file:") ? all.substr(5) : all;
    const std::string relative =
        source.location.starts_with('/') ? source.location.substr(1) : source.location;
    if (source.location.empty() || climbs(relative)) fault = "has an empty part, \".\" or \"..\" in its path";
  }
};

}  // namespace

std::string model_source_fault(std::string_view text) {
  return Parser(text).fault;
}

std::string Model::with_query(const std::string& url) const {
  const auto is_it = [&](const ModelSource& one) {
    return one.kind == SourceKind::kUrl && one.location == url;
  };
  // Of a URL that stands in both, the mirror's query counts.
  const auto mirror = std::find_if(mirrors.begin(), mirrors.end(), is_it);
  if (mirror != mirrors.end()) return url + mirror->query;
  return is_it(source) ? url + source.query : url;
}

ModelSource parse_model_source(std::string_view text) {
  Parser parser(text);
  if (parser.fault.empty()) return std::move(parser.source);
  throw core::Error(core::Kind::kUsage,
                    fmt::format("the source \"{}\" {}", core::escaped(text, 100), parser.fault));
}

}  // namespace imgforge::recipe
