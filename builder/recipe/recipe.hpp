// What the user asked for, resolved: one profile of a recipe with every override applied and every value
// typed. Parsing and resolving make it; the planner and the guest read it. Values that can still turn out
// wrong later keep the place in the recipe they came from, so that a failure in the guest points at the line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "builder/recipe/values/model.hpp"
#include "builder/recipe/vex.hpp"
#include "core/bytes.hpp"
#include "core/content.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"

namespace imgforge::recipe {

/// A text with the place it stands at.
struct Marked {
  std::string value;
  core::Mark mark;
};

/// Alpine's mini root file system, or one of its ISO images. `release` is a branch ("3.22") or an exact
/// version
/// ("3.22.2").
struct AlpineBase {
  std::string release;
  std::string flavor = "minirootfs";  ///< or "virt-iso", "standard-iso", ...
  std::string arch = "x86_64";
  std::vector<std::string> mirrors;  ///< https, http or file URLs, tried in order; never empty once resolved
  /// The recipe's own ones, where this build fetches from others; else empty.
  std::vector<std::string> replaced_mirrors;
  std::optional<core::Digest> digest;  ///< pin of the recipe (sha256 or sha512)
  core::Mark mark;

  /// Those of the image, whatever this build fetches from.
  const std::vector<std::string>& image_mirrors() const {
    return replaced_mirrors.empty() ? mirrors : replaced_mirrors;
  }
  /// An ISO image is remastered; no root file system is built.
  bool is_iso() const { return flavor.ends_with(kIsoSuffix); }
  /// What the mirror calls the flavor: "minirootfs", "virt".
  std::string mirror_flavor() const {
    return is_iso() ? flavor.substr(0, flavor.size() - kIsoSuffix.size()) : flavor;
  }
  static constexpr std::string_view kIsoSuffix = "-iso";
};

/// The host's static busybox with the host's Debian kernel and modules; needs no network.
struct EmbeddedBase {
  std::string arch = "x86_64";
  core::Mark mark;
};

using Base = std::variant<AlpineBase, EmbeddedBase>;

struct Packages {
  /// Repository URLs, or names below the base's mirrors and branch ("main", "community").
  std::vector<Marked> repositories;
  std::vector<Marked>
      keys;  ///< paths of public key files, absolute or made absolute from the recipe's folder
  std::vector<core::Digest> key_digests;  ///< sha256 of each of `keys`, in their order
  std::vector<Marked> add;  ///< apk world syntax: name, name=version, name<version, name@tag is refused
  std::vector<Marked> remove;
  /// Lines of the image's /etc/apk/repositories. Empty: `repositories` at the recipe's first mirror.
  std::vector<Marked> image_repositories;
};

/// A file of the image. `content` is final: templates are expanded.
struct FileEntry {
  std::string path;  ///< absolute in the image, no "..", no trailing slash
  core::Content content;
  std::uint32_t mode = 0644;
  std::string owner = "root";
  std::string group = "root";
  core::Mark mark;
};

struct DirectoryEntry {
  std::string path;
  std::uint32_t mode = 0755;
  std::string owner = "root";
  std::string group = "root";
  core::Mark mark;
};

struct LinkEntry {
  std::string path;
  std::string target;
  core::Mark mark;
};

struct User {
  std::string name;
  std::optional<std::uint32_t> uid;
  std::string password_hash;  ///< crypt(3) text; empty: locked
  bool passwordless = false;  ///< `password: none`: an empty password field (console log-in without password)
  std::string shell = "/bin/sh";
  std::string home;  ///< empty: /home/<name>, /root for root
  std::vector<std::string> ssh_keys;
  std::vector<std::string> groups;
  core::Mark mark;
};

struct Group {
  std::string name;
  std::optional<std::uint32_t> gid;
  core::Mark mark;
};

/// A service enabled in an OpenRC runlevel.
struct Service {
  std::string runlevel;
  std::string name;
  core::Mark mark;
};

struct Kernel {
  std::string package;  ///< whose kernel boots: "linux-lts"; empty: the newest; embedded: ignored
  std::vector<std::string> cmdline;            ///< words added to the kernel command line
  std::vector<std::string> initramfs_modules;  ///< loaded before the root file system is looked for
};

enum class Toggle { kOff, kOn };

/// What the boot loaders show.
struct BootMenu {
  unsigned timeout = 0;  ///< seconds; 0: no menu
  Toggle recovery = Toggle::kOn;
  Toggle recovery_by_default = Toggle::kOff;
  Toggle quiet = Toggle::kOff;
};

enum class RootMode { kReadOnly, kWritable };  ///< kReadOnly: tmpfs overlay over a read-only root

struct Disk {
  core::Bytes size = core::gib(1);
  std::string root_filesystem = "ext4";
  RootMode root_mode = RootMode::kReadOnly;
};

struct Requirements {
  core::Bytes memory = core::mib(128);
  unsigned cpus = 1;
};

struct RunStep {
  std::string script;  ///< POSIX shell text, run as root in the guest without network, `set -e`
  core::Mark mark;
};

/// Compression of the clusters of a qcow2.
enum class Qcow2Compression { kZstd, kZlib, kNone };

/// Network card of a virtual machine: QEMU's own translation, a bridge of the host, or no card.
enum class VmNetwork { kUser, kBridge, kNone };

/// Settings of the format vm beyond `requirements`.
struct VirtualMachine {
  VmNetwork network = VmNetwork::kUser;
  core::Bytes maximum_memory = core::mib(512);  ///< up to which memory can be added while it runs
};

/// How systemd-boot puts the keys into firmware that is in setup mode (its option secure-boot-enroll).
enum class Enrolment { kOff, kManual, kForce };

struct SecureBoot {
  Marked keys;  ///< name of the user's keys, or path of their folder when it has a slash
  Enrolment enrolment = Enrolment::kManual;
};

/// What the image does at its first start: questions, network, models (builder/first_boot).
struct FirstBoot {
  std::string name;                    ///< of the folders /etc/<name> and /var/lib/<name>
  std::vector<std::string> questions;  ///< in the order in which they are asked
  std::vector<std::string> update;  ///< URLs of the list of models; its signature is at the URL + ".minisig"
  unsigned attempts = 0;            ///< of a download that does not move
  unsigned longest_wait = 0;        ///< seconds between two of them
  std::optional<unsigned> serial;   ///< of the list of models; none: made from the build's time
  std::string shared;               ///< 9p mount tag of the folder that the host shares
  std::string log;                  ///< path in the image
};

/// A key that the machine's host may set to one of some values.
struct SharedKey {
  std::string key;
  std::vector<std::string> values;
};

/// What the host may ask of the machine through the shared folder (builder/shared_folder).
struct SharedFolder {
  bool shutdown = false;
  std::vector<std::string> services;  ///< that may be restarted
  std::vector<SharedKey> config;
  /// The lines of host-to-vm.txt that this allows, without their numbers: "restart: voice-service".
  std::vector<std::string> lines() const;
};

struct ResolvedRecipe {
  ResolvedRecipe();
  ResolvedRecipe(const ResolvedRecipe&);
  ResolvedRecipe(ResolvedRecipe&&) noexcept;
  ResolvedRecipe& operator=(const ResolvedRecipe&);
  ResolvedRecipe& operator=(ResolvedRecipe&&) noexcept;
  ~ResolvedRecipe();

  std::string name;
  std::string description;
  std::string profile;  ///< empty when the recipe has no profiles
  std::string version;  ///< "v20261120" or the explicit text
  Base base;
  Packages packages;
  std::vector<Group> groups;
  std::vector<User> users;
  std::vector<DirectoryEntry> directories;
  std::vector<FileEntry> files;
  std::vector<LinkEntry> links;
  std::vector<Service> services;
  std::string hostname;
  std::string timezone = "UTC";
  std::vector<std::string> modules;           ///< kernel modules loaded at boot (/etc/modules)
  std::map<std::string, std::string> sysctl;  ///< key -> value
  Kernel kernel;
  std::vector<RunStep> run;
  std::vector<Model> models;
  std::vector<VexStatement> vex;
  Disk disk;
  Requirements requirements;
  std::vector<Marked> formats;
  Qcow2Compression qcow2_compression = Qcow2Compression::kZstd;
  VirtualMachine vm;
  std::string iso_volume_id;  ///< empty: made from the line
  core::Bytes usb_data_size = core::mib(64);
  BootMenu boot_menu;
  std::optional<SecureBoot> secure_boot;
  std::optional<FirstBoot> first_boot;
  std::optional<SharedFolder> shared;
  std::vector<std::string>
      boot_expect;               ///< regular expressions for the serial console; empty: default marker
  std::filesystem::path folder;  ///< the recipe file's folder, absolute

  /// Name of the release line: "<name>-<profile>", or "<name>" for a recipe without profiles.
  std::string line() const;

  /// The Alpine ISO image that is remastered; nullptr with every other base.
  const AlpineBase* iso_base() const;
};

}  // namespace imgforge::recipe
