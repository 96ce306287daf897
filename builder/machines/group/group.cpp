#include "builder/machines/group/group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/machines/group/member.hpp"
#include "builder/machines/registry/settings.hpp"
#include "builder/recipe/document/plain_values.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Json;
using recipe::Node;
namespace fs = std::filesystem;

constexpr std::size_t kMostMachines = 200;

struct File {
  std::string name;
  fs::path folder;
  std::vector<std::pair<Node, Node>> members;
};

File read_file(const recipe::Document& document, const fs::path& folder) {
  static const recipe::Fields<File> fields{
      {"group",
       [](File&, const Node& n) {
         if (recipe::word(n) != "1")
           throw recipe::usage_error(n, "this is a group of another kind than 1, the one this program knows");
       }},
      {"name", [](File& f, const Node& n) { f.name = recipe::at_place(n, machine_name); }},
      {"machines",
       [](File& f, const Node& n) {
         if (n.kind() != recipe::NodeKind::kMapping || n.entries().empty())
           throw recipe::usage_error(n, "machines by their names are expected here");
         for (const recipe::Entry& entry : n.entries()) f.members.emplace_back(entry.key, entry.value);
       }},
  };
  const Node& root = document.root();
  if (root.find("group") == nullptr)
    throw recipe::usage_error(root, "this is no group of machines: it does not begin with `group: 1`");
  File file;
  file.folder = folder;
  recipe::read_fields(file, root, fields);
  if (file.name.empty()) throw recipe::usage_error(root, "the group has no name");
  if (file.members.empty()) throw recipe::usage_error(root, "the group has no machines");
  return file;
}

std::vector<std::string> names_of(const std::string& group, const Member& member) {
  if (member.replicas == 1) return {group + "-" + member.wanted.member};
  std::vector<std::string> names;
  for (unsigned i = 1; i <= member.replicas; ++i)
    names.push_back(fmt::format("{}-{}-{}", group, member.wanted.member, i));
  return names;
}

/// Each behind those that it waits for; else in the order of the file.
std::vector<Member> in_order(std::vector<Member> members, const Node& root) {
  std::vector<Member> ordered;
  std::set<std::string> done;
  while (!members.empty()) {
    const auto next = std::find_if(members.begin(), members.end(), [&](const Member& member) {
      return std::all_of(member.after.begin(), member.after.end(),
                         [&](const auto& wait) { return done.contains(wait.first.text()); });
    });
    if (next == members.end()) {
      std::vector<std::string> names;
      for (const Member& member : members) names.push_back(member.wanted.member);
      throw recipe::usage_error(root, "these machines wait for each other: " + core::join(names, ", "));
    }
    done.insert(next->wanted.member);
    ordered.push_back(std::move(*next));
    members.erase(next);
  }
  return ordered;
}

Group group_of(const File& file, const Node& root) {
  std::vector<Member> members;
  std::map<std::string, std::vector<std::string>> names;
  std::set<std::string> all;
  for (const auto& [key, value] : file.members) {
    members.push_back(read_member(key, value, file.folder));
    names[key.text()] = names_of(file.name, members.back());
    for (const std::string& name : names[key.text()]) {
      recipe::at_place(key, [&](const std::string& text) {
        check_machine_name(name);
        return text;
      });
      if (!all.insert(name).second)
        throw recipe::usage_error(key, "two machines would have the name " + name);
    }
  }
  if (all.size() > kMostMachines)
    throw recipe::usage_error(root, fmt::format("{} machines are more than {}", all.size(), kMostMachines));
  for (const Member& member : members) {
    for (const auto& [key, state] : member.after) {
      if (!names.contains(key.text()))
        throw recipe::usage_error(key, "there is no machine of that name in the group");
    }
  }
  Group group{file.name, {}};
  for (const Member& member : in_order(std::move(members), root)) {
    for (const std::string& name : names.at(member.wanted.member)) {
      Wanted wanted = member.wanted;
      wanted.name = name;
      for (std::string& network : wanted.networks) network = file.name + "." + network;
      for (const auto& [key, state] : member.after)
        for (const std::string& other : names.at(key.text())) wanted.after[other] = state;
      group.machines.push_back(std::move(wanted));
    }
  }
  return group;
}

}  // namespace

Json Wanted::lasting() const {
  return {{"source", source}, {"disk_size", disk_size}};
}

Json Wanted::record() const {
  return core::write_record(static_cast<const Wishes&>(*this));
}

Group parse_group(std::string_view text, const std::string& name, const fs::path& folder) {
  return recipe::as_usage([&] {
    const recipe::Document document = recipe::Document::parse(text, name);
    return group_of(read_file(document, folder), document.root());
  });
}

Group load_group(const fs::path& file) {
  return recipe::as_usage([&] {
    const recipe::Document document = recipe::Document::load(file);
    return group_of(read_file(document, fs::absolute(file).parent_path()), document.root());
  });
}

}  // namespace imgforge::machines
