// The field table.
#include <algorithm>
#include <array>

#include "artifacts/manifest/formats.hpp"
#include "builder/recipe/schema/schema.hpp"

namespace imgforge::recipe {
namespace {

using namespace std::string_view_literals;

constexpr std::array kVersions{"1"sv};
constexpr std::array kBaseWords{"embedded"sv};
constexpr std::array kArchitectures{"x86_64"sv};
constexpr std::array kFlavors{"minirootfs"sv, "virt-iso"sv, "standard-iso"sv, "extended-iso"sv, "xen-iso"sv};
constexpr std::array kYesNo{"true"sv, "false"sv};
constexpr std::array kSharedCommands{"shutdown"sv, "restart"sv, "config"sv};
constexpr std::array kFileSystems{"ext4"sv};
constexpr std::array kRootModes{"read-only"sv, "writable"sv};
constexpr std::array kEntries{"normal"sv, "recovery"sv};
constexpr std::array kQcow2Compressions{"zstd"sv, "zlib"sv, "none"sv};
constexpr std::array kEnrollments{"off"sv, "manual"sv, "force"sv};
constexpr std::array kModelFormats{"gguf"sv, "safetensors"sv, "onnx"sv, "raw"sv};
constexpr std::array kModelTimes{"build"sv, "first-boot"sv};
constexpr std::array kModelLayouts{"plain"sv, "huggingface"sv, "ollama"sv};
constexpr std::array kQuestions{"network"sv, "model"sv, "interface"sv, "hostname"sv, "timezone"sv};
constexpr std::array kVexStatuses{"not_affected"sv, "affected"sv, "fixed"sv, "under_investigation"sv};
constexpr std::array kVexJustifications{
    "component_not_present"sv, "vulnerable_code_not_present"sv, "vulnerable_code_not_in_execute_path"sv,
    "vulnerable_code_cannot_be_controlled_by_adversary"sv, "inline_mitigations_already_exist"sv};
constexpr std::array kVmNetworks{"user"sv, "bridge"sv, "none"sv};

constexpr std::array kFields{
    Field{.path = "imgforge",
          .type = Type::kChoice,
          .description = "Version of the recipe language.",
          .example = "imgforge: 1",
          .choices = kVersions,
          .required = true,
          .scope = Scope::kRecipeOnly},
    Field{.path = "name",
          .type = Type::kName,
          .description =
              "Name of the image. A release is called `<name>-<profile>`, or `<name>` without profiles.",
          .example = "name: unhinged-os",
          .required = true,
          .scope = Scope::kNotInProfiles},
    Field{.path = "description",
          .type = Type::kText,
          .description = "What the image is, in one line. A profile may have its own.",
          .example = "description: Voice-first operating system"},
    Field{.path = "version",
          .type = Type::kVersion,
          .description =
              "Version of the release. `date` is `vYYYYMMDD` in UTC, of `SOURCE_DATE_EPOCH` or of now.",
          .fallback = "date",
          .example = "version: v1.2.0"},
    Field{.path = "vars",
          .shape = Shape::kTextMap,
          .type = Type::kLines,
          .description = "Texts for templates: `{{ vars.greeting }}`.",
          .example = "vars: { greeting: hello }",
          .key_type = Type::kVariableName},

    Field{.path = "base",
          .shape = Shape::kRecord,
          .description =
              "What the image is built on. `embedded` is a static busybox with the kernel of the build "
              "machine and needs no network.",
          .example = "base: embedded",
          .choices = kBaseWords,
          .required = true},
    Field{.path = "base.alpine",
          .shape = Shape::kRecord,
          .description = "Alpine Linux, from its mini root file system or one of its ISO images.",
          .example = "base: { alpine: { release: 3.22 } }",
          .required = true},
    Field{.path = "base.alpine.release",
          .type = Type::kRelease,
          .description =
              "A branch (`3.22`: its newest release) or one release (`3.22.2`; of edge a day, `20251016`).",
          .example = "release: 3.22",
          .required = true},
    Field{.path = "base.alpine.arch",
          .type = Type::kChoice,
          .description = "Architecture of the image.",
          .fallback = "x86_64",
          .choices = kArchitectures},
    Field{.path = "base.alpine.flavor",
          .type = Type::kChoice,
          .description =
              "What of the release is the base. With an ISO image the only format is `iso`: Alpine's "
              "medium with the recipe's configuration added; see \"ISO images as a base\".",
          .fallback = "minirootfs",
          .example = "base: { alpine: { release: 3.22, flavor: virt-iso } }",
          .choices = kFlavors},
    Field{.path = "base.alpine.mirrors",
          .shape = Shape::kList,
          .type = Type::kUrl,
          .description = "Mirrors, tried in order. `--mirror URL` takes their place.",
          .fallback = "https://dl-cdn.alpinelinux.org/alpine",
          .example = "mirrors: [https://dl-cdn.alpinelinux.org/alpine]"},
    Field{.path = "base.alpine.sha256",
          .type = Type::kSha256,
          .description = "Digest that the base must have. Of `sha256` and `sha512`, give one."},
    Field{.path = "base.alpine.sha512", .type = Type::kSha512, .description = "The same with SHA-512."},

    Field{.path = "packages",
          .shape = Shape::kRecord,
          .description = "Packages of the image. An embedded base has none.",
          .fallback = "{}"},
    Field{.path = "packages.repositories",
          .shape = Shape::kList,
          .type = Type::kRepository,
          .description = "Repositories: names below the base's mirror and branch, or URLs.",
          .fallback = "main, community",
          .example = "repositories: [main, community]"},
    Field{.path = "packages.image_repositories",
          .shape = Shape::kList,
          .type = Type::kUrl,
          .description =
              "URLs of the repositories that the image takes packages from, where these are others: "
              "as a rule `repositories` at the first of the recipe's mirrors, whatever mirror, lock or "
              "cache the build fetched from.",
          .example = "image_repositories: [https://packages.example.org/alpine/v3.22/main]"},
    Field{.path = "packages.keys",
          .shape = Shape::kList,
          .type = Type::kKeyFile,
          .description = "Public key files of further repositories, absolute or below the recipe's folder.",
          .example = "keys: [keys/team.rsa.pub]"},
    Field{.path = "packages.add",
          .shape = Shape::kList,
          .type = Type::kPackage,
          .description = "Packages to install, each with an optional version constraint.",
          .example = "add: [alpine-base, openssh, \"chrony>4\"]"},
    Field{.path = "packages.remove",
          .shape = Shape::kList,
          .type = Type::kPackageName,
          .description = "Packages to remove from the base.",
          .example = "remove: [apk-tools]"},

    Field{.path = "files",
          .shape = Shape::kRecordList,
          .description = "Files to write, each with either `content` or `source`.",
          .example = "files: [{ path: /etc/motd, content: \"Welcome to {{ hostname }}\\n\" }]",
          .identity = "path"},
    Field{.path = "files.path",
          .type = Type::kImagePath,
          .description = "Where the file stands in the image.",
          .required = true},
    Field{.path = "files.content",
          .type = Type::kContent,
          .description = "Its text. Templates are expanded.",
          .example = "content: \"version={{ version }}\\n\""},
    Field{.path = "files.source",
          .type = Type::kSourcePath,
          .description = "A file of at most 16 GiB below the recipe's folder that is copied as it is."},
    Field{.path = "files.template",
          .type = Type::kChoice,
          .description = "Whether templates are expanded in `source` too.",
          .fallback = "false",
          .choices = kYesNo},
    Field{.path = "files.mode",
          .type = Type::kMode,
          .description = "Permissions, always octal: `0755`, `755` and `\"0755\"` are the same.",
          .fallback = "0644",
          .example = "mode: \"0755\""},
    Field{.path = "files.owner",
          .type = Type::kOwner,
          .description = "Owner, or owner:group. The group is root unless given.",
          .fallback = "root"},

    Field{.path = "directories",
          .shape = Shape::kRecordList,
          .description = "Directories to make.",
          .example = "directories: [{ path: /srv/data, mode: \"0750\", owner: voice:voice }]",
          .identity = "path"},
    Field{.path = "directories.path",
          .type = Type::kImagePath,
          .description = "Where the directory stands in the image.",
          .required = true},
    Field{.path = "directories.mode",
          .type = Type::kMode,
          .description = "Permissions, always octal.",
          .fallback = "0755"},
    Field{.path = "directories.owner",
          .type = Type::kOwner,
          .description = "Owner, or owner:group.",
          .fallback = "root"},

    Field{.path = "links",
          .shape = Shape::kRecordList,
          .description = "Symbolic links to make.",
          .example = "links: [{ path: /usr/bin/vi, target: ../../bin/busybox }]",
          .identity = "path"},
    Field{.path = "links.path",
          .type = Type::kImagePath,
          .description = "Where the link stands in the image.",
          .required = true},
    Field{.path = "links.target",
          .type = Type::kLinkTarget,
          .description = "What it points to, as seen from its directory.",
          .required = true},

    Field{.path = "groups",
          .shape = Shape::kRecordList,
          .description = "Groups to make.",
          .example = "groups: [{ name: voice, gid: 2000 }]",
          .identity = "name"},
    Field{.path = "groups.name",
          .type = Type::kUserName,
          .description = "Name of the group.",
          .required = true},
    Field{.path = "groups.gid",
          .type = Type::kId,
          .description = "Its number.",
          .fallback_note = "the next free number"},

    Field{.path = "users",
          .shape = Shape::kRecordList,
          .description = "Users to make, or to change where the base has them.",
          .example = "users: [{ name: root, password: none }]",
          .identity = "name"},
    Field{
        .path = "users.name", .type = Type::kUserName, .description = "Name of the user.", .required = true},
    Field{.path = "users.uid",
          .type = Type::kId,
          .description = "Its number.",
          .fallback_note = "the next free number"},
    Field{.path = "users.password",
          .type = Type::kPassword,
          .description =
              "`locked`: no log-in by password. `none`: log-in at the console without one. Otherwise a "
              "hash made by `openssl passwd -6`; plain passwords are refused.",
          .fallback = "locked"},
    Field{.path = "users.shell",
          .type = Type::kImagePath,
          .description = "Log-in shell.",
          .fallback = "/bin/sh"},
    Field{.path = "users.home",
          .type = Type::kImagePath,
          .description = "Home directory.",
          .fallback_note = "`/home/<name>`, `/root` for root"},
    Field{.path = "users.ssh_keys",
          .shape = Shape::kList,
          .type = Type::kSshKey,
          .description = "Lines for `~/.ssh/authorized_keys`."},
    Field{.path = "users.groups",
          .shape = Shape::kList,
          .type = Type::kUserName,
          .description = "Further groups of the user.",
          .example = "groups: [audio, wheel]"},

    Field{.path = "agent",
          .type = Type::kChoice,
          .description =
              "Whether the QEMU guest agent is inside, for `imgforge vm exec`, `cp`, `ssh`: short for the "
              "package and the service `qemu-guest-agent`, and the module `virtio_console`.",
          .fallback = "false",
          .example = "agent: true",
          .choices = kYesNo},
    Field{.path = "services",
          .shape = Shape::kRecord,
          .description = "OpenRC services to enable, by runlevel.",
          .fallback = "{}",
          .example = "services: { boot: [hostname, syslog], default: [sshd] }"},
    Field{.path = "services.sysinit",
          .shape = Shape::kList,
          .type = Type::kService,
          .description = "First, before anything else: devices."},
    Field{.path = "services.boot",
          .shape = Shape::kList,
          .type = Type::kService,
          .description = "Once while the system comes up."},
    Field{.path = "services.default",
          .shape = Shape::kList,
          .type = Type::kService,
          .description = "In normal operation."},
    Field{.path = "services.nonetwork",
          .shape = Shape::kList,
          .type = Type::kService,
          .description = "In operation without network."},
    Field{.path = "services.shutdown",
          .shape = Shape::kList,
          .type = Type::kService,
          .description = "While the system goes down."},

    Field{.path = "hostname",
          .type = Type::kHostname,
          .description = "Host name of the image.",
          .fallback_note = "the name",
          .example = "hostname: unhinged"},
    Field{.path = "timezone",
          .type = Type::kTimezone,
          .description = "Time zone; other than UTC it needs the package tzdata.",
          .fallback = "UTC",
          .example = "timezone: Europe/Berlin"},
    Field{.path = "modules",
          .shape = Shape::kList,
          .type = Type::kModule,
          .description = "Kernel modules to load at boot.",
          .example = "modules: [virtio_snd]"},
    Field{.path = "sysctl",
          .shape = Shape::kTextMap,
          .type = Type::kText,
          .description = "Kernel settings.",
          .example = "sysctl: { vm.swappiness: 10 }",
          .key_type = Type::kSysctlKey},
    Field{.path = "kernel", .shape = Shape::kRecord, .description = "The kernel.", .fallback = "{}"},
    Field{.path = "kernel.package",
          .type = Type::kPackageName,
          .description =
              "Package whose kernel boots; `packages.add` names it as well. A second kernel is in the "
              "boot menu. An embedded base ignores it.",
          .fallback_note = "the newest kernel installed",
          .example = "package: linux-lts"},
    Field{.path = "kernel.cmdline",
          .shape = Shape::kList,
          .type = Type::kWord,
          .description = "Words added to the kernel's command line.",
          .example = "cmdline: [quiet, mitigations=auto]"},
    Field{.path = "kernel.initramfs_modules",
          .shape = Shape::kList,
          .type = Type::kModule,
          .description = "Kernel modules that the initramfs loads before it looks for the root file system.",
          .example = "initramfs_modules: [dm_crypt]"},
    Field{.path = "run",
          .shape = Shape::kList,
          .type = Type::kLines,
          .description =
              "Shell scripts that run in the image while it is built: as root, without network, in order. "
              "They end at the first command that fails.",
          .example = "run: [\"adduser -D guest\"]"},

    Field{.path = "models",
          .shape = Shape::kRecordList,
          .description =
              "AI models. They go from the cache into the image when it is put together, verified, and stand "
              "in the manifest and the SBOM.",
          .example = "models: [{ name: tiny, source: \"hf://org/repo@main/tiny.gguf\", licence: MIT }]",
          .identity = "name"},
    Field{.path = "models.name", .type = Type::kName, .description = "Name of the model.", .required = true},
    Field{
        .path = "models.source",
        .type = Type::kModelSource,
        .description =
            "Where it comes from: a URL (its query is sent and written nowhere), a file below the recipe's "
            "folder (elsewhere with `--allow-host-files`), `hf://[ORG/]REPO@REVISION/PATH` with names as "
            "they are or with % escapes, `oci://REGISTRY/REPO:TAG` or `ollama://NAME:TAG`. A file that ends "
            "in `.index.json` brings the parts that it names; of a GGUF file `-00001-of-0000N` all N.",
        .example = "source: hf://org/repo@main/model.safetensors.index.json",
        .required = true},
    Field{.path = "models.mirrors",
          .shape = Shape::kList,
          .type = Type::kModelSource,
          .description =
              "Further URLs of the same file, tried in order; what follows a `?` is sent and recorded "
              "nowhere."},
    Field{.path = "models.version",
          .type = Type::kVersion,
          .description = "Version, the name of its folder.",
          .fallback_note = "the first 12 digits of its digest",
          .example = "version: v1.1"},
    Field{
        .path = "models.sha256",
        .type = Type::kSha256,
        .description =
            "Digest of the file; of a model of several files the digest of what `sha256sum` prints of them, "
            "sorted by name. Needed where the source itself gives none."},
    Field{.path = "models.size",
          .type = Type::kSize,
          .description = "Size of all files together; checked before anything is fetched.",
          .example = "size: 637699456"},
    Field{.path = "models.format",
          .type = Type::kChoice,
          .description = "What the file must be. `raw` is not looked into.",
          .fallback_note = "as its content says",
          .choices = kModelFormats},
    Field{.path = "models.licence",
          .type = Type::kText,
          .description = "Licence, as an SPDX identifier where there is one.",
          .fallback_note = "as the source or the file says",
          .example = "licence: Apache-2.0"},
    Field{.path = "models.path",
          .type = Type::kImagePath,
          .description = "Folder in the image that takes the files.",
          .fallback_note =
              "`/var/lib/<recipe>/models/<name>/<version>`, with the link `current` beside it; of other "
              "layouts `/var/lib/<recipe>/models/<layout>`"},
    Field{.path = "models.when",
          .type = Type::kChoice,
          .description =
              "`build`: it is in the image. `first-boot`: the machine fetches it when it starts for the "
              "first time, by a signed list in the image.",
          .fallback = "build",
          .choices = kModelTimes},
    Field{.path = "models.layout",
          .type = Type::kChoice,
          .description =
              "`huggingface`: as the cache of its client, to be named by `HF_HUB_CACHE`. `ollama`: as the "
              "folder that `OLLAMA_MODELS` names. Both then find the model without network.",
          .fallback = "plain",
          .choices = kModelLayouts},
    Field{.path = "models.quantization",
          .type = Type::kWord,
          .description = "Quantization, for people.",
          .fallback_note = "as the file says",
          .example = "quantization: Q4_K_M"},
    Field{.path = "models.parameters",
          .type = Type::kWord,
          .description = "Number of parameters, for people.",
          .fallback_note = "as the file says",
          .example = "parameters: 1.1B"},
    Field{.path = "models.metadata",
          .shape = Shape::kTextMap,
          .type = Type::kText,
          .description = "Further texts for the manifest.",
          .example = "metadata: { language: en }",
          .key_type = Type::kVariableName},
    Field{.path = "models.allow_pickle",
          .shape = Shape::kList,
          .type = Type::kFileName,
          .description =
              "Names of files that may be pickles, which can run any code when they are loaded. All others "
              "are refused.",
          .example = "allow_pickle: [pytorch_model.bin]"},

    Field{
        .path = "vex",
        .shape = Shape::kRecordList,
        .description =
            "What is known about vulnerabilities of the image's packages, in the words of OpenVEX 0.2.0. It "
            "becomes the document `vex.openvex.json` of the release, and `imgforge scan` heeds it. A "
            "statement "
            "about a package that the image does not have is left out, unless it says "
            "`component_not_present`.",
        .example = "vex: [{ vulnerability: CVE-2023-42363, package: busybox, status: not_affected, "
                   "justification: vulnerable_code_not_in_execute_path }]",
        .identity = "vulnerability",
        .second_identity = "package"},
    Field{.path = "vex.vulnerability",
          .type = Type::kWord,
          .description = "Its name, as databases have it.",
          .example = "vulnerability: CVE-2023-42363",
          .required = true},
    Field{
        .path = "vex.package",
        .type = Type::kPackageName,
        .description = "An installed package, or a source package for all packages that were built from it.",
        .required = true},
    Field{.path = "vex.status",
          .type = Type::kChoice,
          .description = "How the package in this image stands.",
          .choices = kVexStatuses,
          .required = true},
    Field{.path = "vex.justification",
          .type = Type::kChoice,
          .description = "Why it is not affected; `not_affected` takes this or `impact_statement`.",
          .choices = kVexJustifications},
    Field{.path = "vex.impact_statement", .type = Type::kText, .description = "The same in a sentence."},
    Field{.path = "vex.action_statement",
          .type = Type::kText,
          .description = "What to do about it; `affected` needs it."},
    Field{.path = "vex.status_notes",
          .type = Type::kText,
          .description = "How the status was found out, for people."},

    Field{.path = "disk", .shape = Shape::kRecord, .description = "The disk of the image.", .fallback = "{}"},
    Field{.path = "disk.size",
          .type = Type::kSize,
          .description = "Size of the disk: at least 64M, whole MiB.",
          .fallback = "1G",
          .example = "disk: { size: 2G }"},
    Field{.path = "disk.root_filesystem",
          .type = Type::kChoice,
          .description = "File system of the root partition.",
          .fallback = "ext4",
          .choices = kFileSystems},
    Field{.path = "disk.root",
          .type = Type::kChoice,
          .description = "`read-only`: changes live in memory until the next start. `writable`: they stay, "
                         "and root takes the room of a disk that was made larger.",
          .fallback = "read-only",
          .choices = kRootModes},
    Field{.path = "requirements",
          .shape = Shape::kRecord,
          .description = "The machine that the image needs; its boot test gets just that.",
          .fallback = "{}"},
    Field{.path = "requirements.memory",
          .type = Type::kSize,
          .description = "Memory, at least 32M.",
          .fallback = "128M",
          .example = "requirements: { memory: 256M, cpus: 2 }"},
    Field{.path = "requirements.cpus",
          .type = Type::kCount,
          .description = "Processors, 1 to 256.",
          .fallback = "1"},
    Field{.path = "formats",
          .shape = Shape::kList,
          .type = Type::kChoice,
          .description = "Formats to make; the section \"Formats\" says what each is.",
          .fallback = "qcow2",
          .example = "formats: [qcow2, iso]",
          .choices = artifacts::kFormatNames},
    Field{.path = "qcow2",
          .shape = Shape::kRecord,
          .description = "Settings of the format qcow2.",
          .fallback = "{}"},
    Field{.path = "qcow2.compression",
          .type = Type::kChoice,
          .description = "Compression of its clusters. Old programs read only `zlib`.",
          .fallback = "zstd",
          .choices = kQcow2Compressions},
    Field{.path = "vm",
          .shape = Shape::kRecord,
          .description = "Settings of the format vm; memory and processors are those of `requirements`.",
          .fallback = "{}"},
    Field{.path = "vm.network",
          .type = Type::kChoice,
          .description = "Network card of the machine: `user` needs no rights on the host, `bridge` joins a "
                         "bridge of it, `none` is no card.",
          .fallback = "user",
          .example = "vm: { network: none }",
          .choices = kVmNetworks},
    Field{.path = "vm.maximum_memory",
          .type = Type::kSize,
          .description = "Up to where memory can be added while the machine runs, at most 16T.",
          .fallback_note = "4 x `requirements.memory`",
          .example = "vm: { maximum_memory: 1G }"},
    Field{.path = "iso",
          .shape = Shape::kRecord,
          .description = "Settings of the format iso.",
          .fallback = "{}"},
    Field{.path = "iso.volume_id",
          .type = Type::kVolumeId,
          .description = "Name of the medium.",
          .fallback_note = "the line of releases in capitals",
          .example = "iso: { volume_id: UNHINGED_OS }"},
    Field{.path = "usb",
          .shape = Shape::kRecord,
          .description = "Settings of the format usb.",
          .fallback = "{}"},
    Field{.path = "usb.data_size",
          .type = Type::kSize,
          .description =
              "Size of the data partition in the image, 16M to 64G; on the stick it grows to the end.",
          .fallback = "64M",
          .example = "usb: { data_size: 256M }"},
    Field{.path = "boot",
          .shape = Shape::kRecord,
          .description = "How the image starts, and the boot test of it.",
          .fallback = "{}"},
    Field{.path = "boot.timeout",
          .type = Type::kCount,
          .description = "Seconds for which the boot menu is shown. With 0 the image starts at once.",
          .fallback = "0",
          .example = "timeout: 3"},
    Field{.path = "boot.default",
          .type = Type::kChoice,
          .description = "Entry of the menu that starts by itself.",
          .fallback = "normal",
          .choices = kEntries},
    Field{.path = "boot.recovery",
          .type = Type::kChoice,
          .description =
              "Whether the menu has an entry that opens a shell before the root file system is looked for. "
              "Whoever reaches the console gets in through it.",
          .fallback = "true",
          .choices = kYesNo},
    Field{.path = "boot.quiet",
          .type = Type::kChoice,
          .description = "Whether the kernel keeps its messages to itself.",
          .fallback = "false",
          .choices = kYesNo},
    Field{.path = "boot.expect",
          .shape = Shape::kList,
          .type = Type::kRegex,
          .description = "Regular expressions that must appear on the serial console, one after the other, "
                         "each in one line.",
          .fallback_note = "imgforge's own marker",
          .example = "expect: [\"login:\"]"},
    Field{.path = "secure_boot",
          .shape = Shape::kRecord,
          .description =
              "With `secure_boot.keys`, disks start by UEFI Secure Boot: boot loader and kernels are "
              "signed, and root is a squashfs that dm-verity checks. Needs a read-only root and "
              "disk formats (qcow2, raw, vmdk, vhdx, vdi); such disks do not start on BIOS.",
          .fallback = "{}"},
    Field{.path = "secure_boot.keys",
          .type = Type::kSecureBootKeys,
          .description =
              "Keys made by `imgforge key generate NAME --secure-boot`: their name, or the path of "
              "their folder (with a slash; relative to the recipe).",
          .example = "secure_boot: { keys: release@example }"},
    Field{.path = "secure_boot.enroll",
          .type = Type::kChoice,
          .description =
              "How systemd-boot enrols the keys in firmware that is in setup mode: `manual` offers "
              "it in the menu, `force` does it at the first start and restarts, `off` leaves the "
              "keys out of the image.",
          .fallback = "manual",
          .choices = kEnrollments},

    Field{.path = "first_boot",
          .shape = Shape::kRecord,
          .description =
              "What the image does at its first start: it asks (or finds answers), gets its network and "
              "fetches models. `true` takes the defaults. See builder/first_boot/README.md.",
          .example = "first_boot: true",
          .choices = kYesNo},
    Field{.path = "first_boot.questions",
          .shape = Shape::kList,
          .type = Type::kChoice,
          .description = "What is asked, in this order.",
          .fallback = "network, model, interface, hostname, timezone",
          .example = "first_boot: { questions: [network, hostname] }",
          .choices = kQuestions},
    Field{.path = "first_boot.name",
          .type = Type::kName,
          .description = "Name of the folders `/etc/<name>` and `/var/lib/<name>` and of the commands "
                         "`<name>-model` and `<name>-setup`.",
          .fallback_note = "the name"},
    Field{.path = "first_boot.update",
          .shape = Shape::kList,
          .type = Type::kUrl,
          .description = "Where newer lists of models are; the signature is beside each, with `.minisig` "
                         "added.",
          .example = "update: [https://models.example.org/models.list]"},
    Field{.path = "first_boot.attempts",
          .type = Type::kCount,
          .description = "How often a download that does not move is tried at one start, 1 to 1000.",
          .fallback = "10"},
    Field{.path = "first_boot.longest_wait",
          .type = Type::kCount,
          .description = "Seconds between two attempts at most; pauses double until then.",
          .fallback = "60"},
    Field{.path = "first_boot.serial",
          .type = Type::kCount,
          .description =
              "Number of the list of models in the image. A machine takes a list only when its number "
              "is higher than that of the one it has, so raise it whenever `models` changes.",
          .fallback_note = "the time when this list was first built, in seconds since 1970",
          .example = "serial: 12"},
    Field{.path = "first_boot.shared",
          .type = Type::kWord,
          .description = "Mount tag of the folder that the host shares by 9p: answers are read from its "
                         "`answers.conf`, the log is written there too.",
          .fallback = "shared"},
    Field{.path = "first_boot.log",
          .type = Type::kImagePath,
          .description = "The log.",
          .fallback_note = "`/var/log/<name>-first-boot.log`"},

    Field{.path = "shared",
          .shape = Shape::kRecord,
          .description =
              "A service that follows the folder that the host shares (9p, tag `shared`) at `/shared`, for "
              "`imgforge vm command`, `message` and `log`. It does what is allowed here and nothing else; "
              "`true` allows messages alone. See builder/shared_folder/README.md.",
          .example = "shared: { commands: [shutdown, restart], services: [voice-service] }",
          .choices = kYesNo},
    Field{.path = "shared.commands",
          .shape = Shape::kList,
          .type = Type::kChoice,
          .description = "What the host may ask for.",
          .example = "commands: [shutdown]",
          .choices = kSharedCommands},
    Field{.path = "shared.services",
          .shape = Shape::kList,
          .type = Type::kService,
          .description = "Services that `restart` may restart.",
          .example = "services: [voice-service]"},
    Field{.path = "shared.config",
          .shape = Shape::kRecordList,
          .description = "Keys that `config` may set. The value is in `/etc/shared-folder/config/<key>`.",
          .example = "config: [{ key: voice-sensitivity, values: [low, high] }]",
          .identity = "key"},
    Field{.path = "shared.config.key",
          .type = Type::kSetting,
          .description = "Name of the key.",
          .required = true},
    Field{.path = "shared.config.values",
          .shape = Shape::kList,
          .type = Type::kSetting,
          .description = "Its possible values.",
          .required = true},

    Field{.path = "profiles",
          .shape = Shape::kProfiles,
          .description = "Variants of the image; each extends or overrides any of the fields above.",
          .example = "profiles: { server: { packages: { +add: [openssh] } } }",
          .key_type = Type::kName,
          .scope = Scope::kRecipeOnly},
};

}  // namespace

std::string_view Field::name() const {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::span<const Field> fields() {
  return kFields;
}

const Field* find_field(std::string_view path) {
  const auto* found =
      std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) { return f.path == path; });
  return found == kFields.end() ? nullptr : found;
}

std::vector<const Field*> fields_below(std::string_view path) {
  std::vector<const Field*> found;
  for (const Field& field : kFields) {
    const auto dot = field.path.rfind('.');
    const std::string_view parent =
        dot == std::string_view::npos ? std::string_view{} : field.path.substr(0, dot);
    if (parent == path) found.push_back(&field);
  }
  return found;
}

}  // namespace imgforge::recipe
