// Requests and answers as libwebsockets has them.
#pragma once

#include <libwebsockets.h>

#include <string>
#include <vector>

#include "builder/dashboard/answer.hpp"

namespace imgforge::dashboard {

/// The value of a header; empty when it is missing.
std::string header(lws* wsi, lws_token_indexes token);
/// All of a request but its body, and whether it asks for a WebSocket.
Request request_of(lws* wsi);
/// Status line and headers in `buffer` behind LWS_PRE; their end, or null when they do not fit.
unsigned char* write_head(lws* wsi, const Answer& answer, std::vector<unsigned char>& buffer);

}  // namespace imgforge::dashboard
