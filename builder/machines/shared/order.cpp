#include "builder/machines/shared/order.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kLongestArgument = 160;
constexpr std::size_t kLongestMessage = 240;
constexpr std::string_view kMessage = "message: ";

bool is_argument(std::string_view text) {
  return !text.empty() && text.size() <= kLongestArgument &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-' || c == '=';
         });
}

}  // namespace

std::string order_of(const std::vector<std::string>& words) {
  const std::string verb = words.empty() ? std::string() : words.front();
  if (words.size() == 1 && verb == "shutdown") return "shutdown: graceful";
  const bool known = verb == "shutdown" || verb == "restart" || verb == "config";
  if (!known || words.size() != 2 || !is_argument(words[1])) {
    throw Error(Kind::kUsage,
                fmt::format("\"{}\" is no command for a machine", core::escaped(core::join(words, " "), 200)))
        .hint("shutdown, restart SERVICE, or config KEY=VALUE");
  }
  return fmt::format("{}: {}", verb, words[1]);
}

std::string message_order(const std::vector<std::string>& words) {
  const std::string text = core::join(words, " ");
  const auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  if (text.empty() || text.size() > kLongestMessage || !core::is_utf8(text) ||
      std::any_of(text.begin(), text.end(), is_control)) {
    throw Error(Kind::kUsage, fmt::format("a message is one line of UTF-8, at most {} bytes long, without "
                                          "control characters",
                                          kLongestMessage));
  }
  return std::string(kMessage) + text;
}

void check_allowed(const Settings& settings, const std::string& order) {
  if (!settings.known) return;
  if (!settings.shared) {
    throw Error(Kind::kUsage, fmt::format("{} has no service that takes commands, says its manifest",
                                          settings.origin.text()))
        .hint("shared: in the recipe puts it in");
  }
  const std::vector<std::string>& allowed = settings.shared_commands;
  if (order.starts_with(kMessage) || std::find(allowed.begin(), allowed.end(), order) != allowed.end())
    return;
  std::vector<std::string> shown(allowed.begin(),
                                 allowed.begin() + std::min<std::ptrdiff_t>(std::ssize(allowed), 12));
  if (shown.size() < allowed.size()) shown.emplace_back("...");
  throw Error(Kind::kUsage,
              fmt::format("{} does not allow \"{}\"", settings.origin.text(), core::escaped(order, 200)))
      .hint(allowed.empty() ? "it allows messages alone"
                            : core::escaped("it allows " + core::join(shown, ", "), 1000));
}

}  // namespace imgforge::machines
