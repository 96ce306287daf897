#include "builder/dashboard/session.hpp"

#include <algorithm>

namespace imgforge::dashboard {

bool Outbox::push(Kind kind, std::string_view text) {
  if (size_ + text.size() > kMost) return false;
  size_ += text.size();
  if (kind == Kind::kBytes && !messages_.empty() && messages_.back().kind == kind) {
    messages_.back().text += text;
  } else {
    messages_.push_back({kind, std::string(text)});
  }
  return true;
}

std::string_view Outbox::next(std::size_t most) const {
  const Message& first = messages_.front();
  const std::string_view rest = std::string_view(first.text).substr(first.sent);
  return first.kind == Kind::kText ? rest : rest.substr(0, most);
}

void Outbox::pop(std::size_t count) {
  Message& first = messages_.front();
  first.sent += count;
  size_ -= count;
  if (first.sent == first.text.size()) messages_.pop_front();
}

}  // namespace imgforge::dashboard
