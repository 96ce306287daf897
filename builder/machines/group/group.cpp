#include "builder/machines/group/group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/machines/registry/settings.hpp"
#include "builder/machines/supervisor/ladder.hpp"
#include "builder/recipe/document/plain_values.hpp"
#include "core/atomic_file.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using recipe::Node;
namespace fs = std::filesystem;

constexpr unsigned kMostReplicas = 50;
constexpr std::size_t kMostMachines = 200;

/// A member of the group as it is written: one machine, or several alike.
struct Member {
  Wanted wanted;
  unsigned replicas = 1;
  std::vector<std::pair<Node, std::string>> after;  ///< the member's name where it stands, and the state
};

struct File {
  std::string name;
  fs::path folder;
  std::vector<std::pair<Node, Node>> members;
};

/// A name as machines have it.
std::string named(const std::string& text) {
  check_machine_name(text);
  return text;
}

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
      {"networks", [](Member& m, const Node& n) { m.wanted.networks = checked_words(n, named); }},
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

Member read_member(const Node& key, const Node& value, const fs::path& folder) {
  Member member;
  member.wanted.member = key.text();
  recipe::at_place(key, named);
  recipe::read_fields(member, value, member_fields(folder));
  if (member.wanted.source.empty()) throw recipe::usage_error(key, "it stands on no release and no image");
  if (member.replicas > 1 && !member.wanted.forwards.empty())
    throw recipe::usage_error(key, "its replicas would all want the same port of this host");
  if (member.wanted.network != "user" && !member.wanted.forwards.empty())
    throw recipe::usage_error(key, "a port leads into the network \"user\", and it has another one or none");
  return member;
}

File read_file(const recipe::Document& document, const fs::path& folder) {
  static const recipe::Fields<File> fields{
      {"group",
       [](File&, const Node& n) {
         if (recipe::word(n) != "1")
           throw recipe::usage_error(n, "this is a group of another kind than 1, the one this program knows");
       }},
      {"name", [](File& f, const Node& n) { f.name = recipe::at_place(n, named); }},
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
  Json json = lasting();
  json.update({{"memory", memory},
               {"cpus", cpus},
               {"forwards", forwards},
               {"shares", shares},
               {"network", network},
               {"networks", networks},
               {"firmware", firmware},
               {"graphics", graphics},
               {"restart", restart},
               {"autoscale", autoscale},
               {"hook", hook}});
  return json;
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

Membership membership_of(const fs::path& folder) {
  const fs::path file = folder / kGroupFile;
  std::error_code error;
  if (fs::symlink_status(file, error).type() == fs::file_type::not_found) return {};
  const auto damaged = [&](const std::string& why) {
    return Error(Kind::kIntegrity, core::escaped(file.native()) + " is damaged: " + core::escaped(why, 160));
  };
  const std::string text = core::read_text_file(file, 1 << 20);
  try {
    const Json json = core::parse_json(text, kGroupFile);
    if (json.at("schema") != 1) throw Error(Kind::kIntegrity, "schema is not 1");
    return {json.at("group").get<std::string>(), json.at("wanted")};
  } catch (const Json::exception& fault) {
    throw damaged(fault.what());
  } catch (const Error& fault) {
    throw damaged(fault.message());
  }
}

void keep_membership(const fs::path& folder, const std::string& group, const Wanted& wanted) {
  core::write_file_atomically(
      folder / kGroupFile,
      core::print_json(
          {{"schema", 1}, {"group", group}, {"member", wanted.member}, {"wanted", wanted.record()}}),
      0600);
}

}  // namespace imgforge::machines
