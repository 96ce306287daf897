#include "builder/machines/group/member.hpp"

#include <algorithm>

#include "builder/machines/registry/settings.hpp"
#include "builder/machines/supervisor/duties/ladder.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using recipe::Node;
namespace fs = std::filesystem;

constexpr unsigned kMostReplicas = 50;

std::string one_of(const Node& node, const std::vector<std::string>& names) {
  std::string text = recipe::word(node);
  if (std::find(names.begin(), names.end(), text) != names.end()) return text;
  throw recipe::usage_error(node, "one of " + core::join(names, ", ") + " is expected here");
}

std::string size_text(const Node& node) {
  return recipe::at_place(node, [](const std::string& text) {
    core::Bytes::parse(text);
    return text;
  });
}

/// The texts of a list, each of which `check` takes.
template <class Check>
std::vector<std::string> checked_words(const Node& node, Check&& check) {
  std::vector<std::string> out;
  recipe::words(node);
  for (const Node& item : node.items()) out.push_back(recipe::at_place(item, check));
  return out;
}

fs::path below(const fs::path& folder, const std::string& text) {
  return (folder / text).lexically_normal();
}

/// { memory: [256M, 1G], when: { free_below: 15% } }
std::string autoscale_of(const Node& node) {
  struct Parts {
    std::vector<std::string> memory;
    std::string free_below;
  } parts;
  static const recipe::Fields<Parts> when{
      {"free_below", [](Parts& p, const Node& n) { p.free_below = ":" + recipe::word(n); }}};
  static const recipe::Fields<Parts> fields{
      {"memory", [](Parts& p, const Node& n) { p.memory = recipe::words(n); }},
      {"when", [](Parts& p, const Node& n) { recipe::read_fields(p, n, when); }}};
  recipe::read_fields(parts, node, fields);
  if (parts.memory.size() != 2)
    throw recipe::usage_error(node, "memory: [LEAST, MOST] says between what it follows");
  try {
    return parse_autoscale(parts.memory[0] + ".." + parts.memory[1] + parts.free_below).text();
  } catch (core::Error& error) {
    error.at(node.mark());
    throw;
  }
}

recipe::Fields<Member> member_fields(const fs::path& folder) {
  const auto take_source = [](Member& member, const Node& node, std::string source) {
    if (!member.wanted.source.empty())
      throw recipe::usage_error(node, "a machine stands on a release or on an image, not on both");
    member.wanted.source = std::move(source);
  };
  return {
      {"release",
       [=](Member& m, const Node& n) {
         const std::string text = recipe::word(n);
         if (text.find('/') != std::string::npos)
           throw recipe::usage_error(n, "this is a path and no release: write image");
         take_source(m, n, text);
       }},
      {"image",
       [=](Member& m, const Node& n) { take_source(m, n, below(folder, recipe::word(n)).native()); }},
      {"memory", [](Member& m, const Node& n) { m.wanted.memory = size_text(n); }},
      {"cpus", [](Member& m, const Node& n) { m.wanted.cpus = recipe::number(n, 1, 255); }},
      {"disk-size", [](Member& m, const Node& n) { m.wanted.disk_size = size_text(n); }},
      {"forward",
       [](Member& m, const Node& n) {
         m.wanted.forwards =
             checked_words(n, [](const std::string& text) { return parse_forward(text).text(); });
       }},
      {"share",
       [=](Member& m, const Node& n) {
         m.wanted.shares =
             checked_words(n, [&](const std::string& text) { return below(folder, text).native(); });
       }},
      {"network",
       [](Member& m, const Node& n) {
         m.wanted.network = recipe::at_place(n, [](const std::string& text) {
           check_network(text);
           return text;
         });
       }},
      {"networks", [](Member& m, const Node& n) { m.wanted.networks = checked_words(n, machine_name); }},
      {"firmware",
       [](Member& m, const Node& n) {
         m.wanted.firmware = one_of(n, {"bios", "uefi"});
       }},
      {"graphics", [](Member& m, const Node& n) { m.wanted.graphics = recipe::yes_or_no(n); }},
      {"restart",
       [](Member& m, const Node& n) {
         m.wanted.restart = one_of(n, {"never", "on-failure"});
       }},
      {"autoscale", [](Member& m, const Node& n) { m.wanted.autoscale = autoscale_of(n); }},
      {"hook", [](Member& m, const Node& n) { m.wanted.hook = recipe::word(n); }},
      {"replicas", [](Member& m, const Node& n) { m.replicas = recipe::number(n, 1, kMostReplicas); }},
      {"after",
       [](Member& m, const Node& n) {
         if (n.kind() != recipe::NodeKind::kMapping)
           throw recipe::usage_error(n, "machines and their states are expected here, such as db: ready");
         for (const recipe::Entry& entry : n.entries())
           m.after.emplace_back(entry.key, one_of(entry.value, state_names()));
       }},
  };
}

}  // namespace

std::string machine_name(const std::string& text) {
  check_machine_name(text);
  return text;
}

Member read_member(const Node& key, const Node& value, const fs::path& folder) {
  Member member;
  member.wanted.member = key.text();
  recipe::at_place(key, machine_name);
  recipe::read_fields(member, value, member_fields(folder));
  if (member.wanted.source.empty()) throw recipe::usage_error(key, "it stands on no release and no image");
  if (member.replicas > 1 && !member.wanted.forwards.empty())
    throw recipe::usage_error(key, "its replicas would all want the same port of this host");
  if (member.wanted.network != "user" && !member.wanted.forwards.empty())
    throw recipe::usage_error(key, "a port leads into the network \"user\", and it has another one or none");
  return member;
}

}  // namespace imgforge::machines
