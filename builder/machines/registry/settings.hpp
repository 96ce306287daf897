// What a machine is: the one file `machine.json` of its folder. It is read strictly, as it may be damaged: a
// member that is unknown or missing, or a value that no machine can have, is a refusal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.hpp"

namespace imgforge::machines {

/// A port of the host that leads into the machine.
struct Forward {
  std::string address = "127.0.0.1";  ///< IPv4, of the host
  std::uint16_t host_port = 0;
  std::uint16_t guest_port = 0;
  std::string protocol = "tcp";  ///< or "udp"
  bool operator==(const Forward&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("address", self.address);
    visit("host_port", self.host_port);
    visit("guest_port", self.guest_port);
    visit("protocol", self.protocol);
  }
  /// "127.0.0.1:8080:80/udp"; "/tcp" is left out.
  std::string text() const;
};

/// Reads [ADDRESS:]HOST_PORT:GUEST_PORT[/tcp|/udp]. Throws kUsage.
Forward parse_forward(std::string_view text);

/// A folder of the host that the machine sees.
struct Share {
  std::string folder;  ///< absolute
  std::string tag;     ///< by which it is mounted
  bool read_only = false;
  std::string driver = "9p";  ///< or "virtiofs"
  bool operator==(const Share&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("folder", self.folder);
    visit("tag", self.tag);
    visit("read_only", self.read_only);
    visit("driver", self.driver);
  }
  bool is_virtiofs() const { return driver == "virtiofs"; }
};

/// Reads DIR[:ro][:virtiofs]; the `index`-th one gets the tag "shared", "shared1", ... Throws kUsage when
/// there is no such folder.
Share parse_share(std::string_view text, std::size_t index);

/// Memory that follows what the guest needs (supervisor/autoscale.hpp).
struct Autoscale {
  std::uint64_t least = 0;   ///< bytes
  std::uint64_t most = 0;    ///< bytes; 0: memory stays as it is
  unsigned free_below = 15;  ///< percent; with less free it is given more
  bool operator==(const Autoscale&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("least", self.least);
    visit("most", self.most);
    visit("free_below", self.free_below);
  }
  /// "256M..1G:15%"
  std::string text() const;
};

/// Reads LEAST..MOST[:PERCENT%]. Throws kUsage.
Autoscale parse_autoscale(std::string_view text);

/// A further network card, in a network of this user's machines (qemu/links.hpp).
struct Link {
  std::string network;  ///< letters, digits, '.', '_', '+', '-'
  std::string mac;
  bool operator==(const Link&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("network", self.network);
    visit("mac", self.mac);
  }
};

/// Throws kUsage for what can be no network: "user", "none", or "bridge=" and the name of an interface.
void check_network(std::string_view text);

/// What the disk stands on.
struct Origin {
  std::string kind;  ///< "release", verified before the machine was made, or "file", which nobody vouched for
  std::string store;    ///< of a release: the output folder, absolute
  std::string line;     ///< likewise
  std::string version;  ///< likewise
  std::string file;     ///< absolute
  std::string format;   ///< "qcow2", "raw", "iso"
  bool operator==(const Origin&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("kind", self.kind);
    visit("store", self.store);
    visit("line", self.line);
    visit("version", self.version);
    visit("file", self.file);
    visit("format", self.format);
  }
  bool is_release() const { return kind == "release"; }
  /// "kodeimage@v20261120", or the file's name.
  std::string text() const;
};

/// A firmware of QEMU that does nothing but start a kernel that is handed over.
inline constexpr const char* kBootRom = "qboot.rom";

struct Settings {
  unsigned schema = 1;
  std::string name;
  std::string created;      ///< "2026-11-20T01:02:03Z"
  bool disposable = false;  ///< its folder goes when it ends
  Origin origin;
  unsigned cpus = 1;
  std::uint64_t memory = 256U << 20;  ///< bytes
  unsigned max_cpus = 0;              ///< that it may get while it runs; 0: no more than `cpus`
  std::uint64_t max_memory = 0;       ///< likewise, in bytes
  std::string firmware = "bios";      ///< "uefi", "secure-boot", or "kernel": none, the kernel is handed over
  std::string cmdline;                ///< of that kernel
  std::string boot_rom;  ///< what starts that kernel: kBootRom; empty: the firmware that QEMU has by itself
  std::string network = "user";  ///< "none", "bridge=br0"
  bool graphics = false;
  std::string mac;             ///< of the network card
  std::uint16_t ssh_port = 0;  ///< of 127.0.0.1, leads to port 22; 0: none
  std::vector<Forward> forwards;
  std::vector<Share> shares;
  std::vector<Link> links;
  bool known = false;                        ///< a manifest says what is inside
  bool agent = false;                        ///< inside: the QEMU guest agent
  bool ssh = false;                          ///< inside: a server of SSH
  bool shared = false;                       ///< inside: the service of the shared folder
  std::vector<std::string> shared_commands;  ///< that it carries out: lines of builder/shared_folder
  std::vector<std::string> lacks;            ///< features that its kernel is known not to have
  std::vector<std::string> expect;           ///< patterns of the console, in order: ready
  std::string restart = "never";             ///< "on-failure"
  bool autostart = false;                    ///< `vm start --autostart` starts it
  Autoscale autoscale;
  std::string hook;  ///< who is told what happens (supervisor/hook.hpp); empty: nobody
  bool operator==(const Settings&) const = default;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("schema", self.schema);
    visit("name", self.name);
    visit("created", self.created);
    visit("disposable", self.disposable);
    visit("origin", self.origin);
    visit("cpus", self.cpus);
    visit("memory", self.memory);
    visit("max_cpus", self.max_cpus);
    visit("max_memory", self.max_memory);
    visit("firmware", self.firmware);
    visit("cmdline", self.cmdline);
    visit("boot_rom", self.boot_rom);
    visit("network", self.network);
    visit("graphics", self.graphics);
    visit("mac", self.mac);
    visit("ssh_port", self.ssh_port);
    visit("forwards", self.forwards);
    visit("shares", self.shares);
    visit("links", self.links);
    visit("known", self.known);
    visit("agent", self.agent);
    visit("ssh", self.ssh);
    visit("shared", self.shared);
    visit("shared_commands", self.shared_commands);
    visit("lacks", self.lacks);
    visit("expect", self.expect);
    visit("restart", self.restart);
    visit("autostart", self.autostart);
    visit("autoscale", self.autoscale);
    visit("hook", self.hook);
  }
  /// Whether the agent is worth waiting for: it is inside, or nobody knows.
  bool may_have_agent() const { return agent || !known; }
  /// That QEMU is started with, in bytes.
  std::uint64_t first_memory() const { return autoscale.most != 0 ? autoscale.most : memory; }
  /// Of this host, that its card is in; empty: none.
  std::string bridge() const { return network.starts_with("bridge=") ? network.substr(7) : ""; }
  /// Names are those of artifacts/manifest/kernel_features.hpp.
  bool lacks_feature(std::string_view feature) const;
  bool may_have_ssh() const { return (ssh || !known) && ssh_port != 0; }
};

/// Throws kUsage for what cannot be the name of a machine: letters, digits, '.', '_', '+', '-', at most 63,
/// beginning with a letter or digit.
void check_machine_name(std::string_view name);

/// Adds to settings of an older program the members that came later, as it was without them.
void add_later_members(core::Json& settings);

std::string print_settings(const Settings& settings);
/// Also of an older program, whose files lack some members. Throws kIntegrity.
Settings parse_settings(std::string_view text);

}  // namespace imgforge::machines
