#include "builder/dashboard/wire.hpp"

namespace imgforge::dashboard {
namespace {

// The page's own policy: nothing from elsewhere, no script or style inside the document. The pictures are
// those that noVNC makes of a pointer.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src "
    "'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

std::string header(lws* wsi, lws_token_indexes token) {
  const int length = lws_hdr_total_length(wsi, token);
  if (length <= 0) return {};
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  const int got = lws_hdr_copy(wsi, text.data(), length + 1, token);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

Request request_of(lws* wsi) {
  Request request;
  for (const auto& [token, method] :
       {std::pair{WSI_TOKEN_GET_URI, "GET"}, std::pair{WSI_TOKEN_POST_URI, "POST"},
        std::pair{WSI_TOKEN_DELETE_URI, "DELETE"}}) {
    request.path = header(wsi, token);
    if (request.path.empty()) continue;
    request.method = method;
    break;
  }
  request.query = header(wsi, WSI_TOKEN_HTTP_URI_ARGS);
  request.host = header(wsi, WSI_TOKEN_HOST);
  request.origin = header(wsi, WSI_TOKEN_ORIGIN);
  request.cookie = header(wsi, WSI_TOKEN_HTTP_COOKIE);
  request.authorization = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
  return request;
}

unsigned char* write_head(lws* wsi, const Answer& answer, std::vector<unsigned char>& buffer) {
  unsigned char* at = buffer.data() + LWS_PRE;
  unsigned char* end = buffer.data() + buffer.size();
  const auto add = [&](const std::string& name, const std::string& value) {
    return lws_add_http_header_by_name(wsi, reinterpret_cast<const unsigned char*>(name.c_str()),
                                       reinterpret_cast<const unsigned char*>(value.c_str()),
                                       static_cast<int>(value.size()), &at, end) == 0;
  };
  bool fits = lws_add_http_header_status(wsi, static_cast<unsigned>(answer.status), &at, end) == 0 &&
              add("content-type:", answer.type) && add("content-security-policy:", kPolicy) &&
              add("x-content-type-options:", "nosniff") &&
              add("cross-origin-resource-policy:", "same-origin") && add("referrer-policy:", "no-referrer") &&
              add("cache-control:", "no-store");
  for (const auto& [name, value] : answer.headers) fits = fits && add(name, value);
  fits = fits && lws_add_http_header_content_length(wsi, answer.body.size(), &at, end) == 0 &&
         lws_finalize_http_header(wsi, &at, end) == 0;
  return fits ? at : nullptr;
}

}  // namespace imgforge::dashboard
