// The reference page of the recipe language, made from the field table.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "artifacts/manifest/formats.hpp"
#include "builder/recipe/schema/schema.hpp"

namespace imgforge::recipe {
namespace {

constexpr std::string_view kIntroduction = R"(# Recipes

<!-- Generated from the field table in builder/recipe/schema/schema_table.cpp: imgforge help recipe-reference > recipes/README.md -->

A recipe says what an image contains. `imgforge validate RECIPE` checks one, `imgforge show RECIPE --profile P` prints
it with every default, profile and `--set` applied, and `imgforge build RECIPE` makes the images.

```yaml
imgforge: 1
name: greeter
base:
  alpine: { release: 3.22 }
packages:
  add: [alpine-base, openrc, linux-virt]
files:
  - path: /etc/motd
    content: "This is {{ name }} {{ version }}.\n"

profiles:
  small:
    disk: { size: 512M }
  server:
    packages: { +add: [openssh] }
    services: { +default: [sshd] }
```

| recipe here | what it is |
|---|---|
| `hello-boot.yaml` | the smallest image that boots, from the build machine's kernel and busybox; needs no network |
| `unhinged-os.yaml` | a voice-first system on Alpine Linux in five profiles; `custom` sets itself up from answers |
| `quetzalcore-vm.yaml` | a server as a virtual machine |
| `digios.yaml` | a system that sets itself up at its first start and fetches a model; `headless` asks nothing |
| `kodeimage.yaml` | a golden image for disposable clones, which make their own identity |

Editors that know JSON Schema complete and check recipes with `imgforge.schema.json`; for the YAML language server,
put `# yaml-language-server: $schema=imgforge.schema.json` on the first line.

## The form

A recipe is YAML: one UTF-8 document of at most 1 MiB (a byte order mark is ignored). Every value is text until its field says what it means, so
`3.20` is the release 3.20 and never the number 3.2, and `no` is the word no. What two readers could understand
differently is an error: a key given twice, an unknown key, an anchor or alias, a merge key, a tag, a second document.
A message shows the place:

```
unhinged-os.yaml:14:1: error: unknown field "sevices"
   14 | sevices:
      | ^~~~~~~ did you mean "services"?
```

Sizes are whole numbers with K, M, G or T (powers of 1024). Paths in the image are absolute. Files that a recipe names
are looked up below its own folder; neither `..` nor a symbolic link leads out of it.

)";

constexpr std::string_view kProfiles = R"(## Profiles and `--set`

A profile is laid over the recipe, then each `--set path=value` over the profile. Without `profiles` there is one
image, which is called by the name alone. A profile that changes nothing is written `name:` with nothing behind it.

- A text replaces the recipe's text.
- A mapping (`disk`, `sysctl`, `vars`, ...) merges key by key.
- A list replaces the recipe's list. With `+` before its name it extends the list, with `-` it removes from it.
  An item with a name that is there already replaces it; the name is the `path` of files, directories and links, the
  `name` of users and groups, and for packages the part before a version. To remove what is not there is an error.
  Replacing comes first, then removing, then extending.
- `base` given as `embedded` replaces an Alpine base, and the other way round.

```yaml
profiles:
  server:
    packages: { +add: [openssh], -add: [alsa-utils] }
    +files:
      - { path: /etc/issue, content: "server\n" }
    -files: [/etc/motd]
    sysctl: { vm.swappiness: 10 }
```

On the command line a list's items are separated by commas:

```
imgforge build greeter.yaml --profile server --set disk.size=2G --set packages.+add=htop,nano
```

`files`, `users` and the other lists of mappings can be shortened there (`--set=-files=/etc/motd`), but not extended.

## Templates

`content`, and `source` with `template: true`, may contain variables:

| variable | is |
|---|---|
| `{{ name }}` | the recipe's name |
| `{{ profile }}` | the profile's name, empty without profiles |
| `{{ version }}` | the version, such as v20261120 |
| `{{ hostname }}` | the host name |
| `{{ description }}` | the description |
| `{{ vars.x }}` | the text `x` of `vars` |

An unknown variable is an error. A text in quotes stands for itself, so `{{ "{{" }}` gives literal braces. What a variable
holds is not expanded again, and `$` has no meaning.
)";

constexpr std::string_view kIsoBase = R"(
## ISO images as a base

With `base.alpine.flavor: virt-iso` (or another ISO image) the result is Alpine's own medium, which starts from CD and stick,
BIOS and UEFI, as Alpine made it, and takes on the recipe's configuration: `<hostname>.apkovl.tar.gz` at its root, which Alpine's
initramfs unpacks before it installs the packages of the medium into memory. Changes are lost at the next start unless `lbu`
keeps them.

- What counts of the recipe: `packages.add`, `users`, `groups`, `directories`, `files`, `links`, `services`, `hostname`,
  `timezone`, `modules`, `sysctl`, `requirements`, `iso.volume_id` (default: the medium keeps its name) and `boot.expect`
  (default: `login:`). Alpine's usual boot services are started as well.
- Packages come from the medium: one that it does not carry is refused, and so are version constraints other than
  `name=version`. `packages.repositories` has no effect.
- Owners of files are users of the recipe or of Alpine's base; users that packages make when the medium starts have no number yet.
- Kernel, initramfs and boot menu are those of the medium: the rest of `boot`, `kernel.package`, `disk` and the settings of
  other formats have no effect. `kernel.cmdline`, `kernel.initramfs_modules`, `run`, `packages.remove` and `packages.keys` are
  refused.
)";

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string takes(const Field& field) {
  std::string what;
  if (field.choices.empty()) {
    what = type_info(field.type).word;
  } else {
    for (const std::string_view word : field.choices)
      what += fmt::format("{}`{}`", what.empty() ? "" : ", ", word);
  }
  switch (field.shape) {
    case Shape::kScalar:
      return what;
    case Shape::kList:
      return "list of: " + what;
    case Shape::kRecordList:
      return "list of mappings";
    case Shape::kTextMap:
      return fmt::format("mapping: {} to {}", type_info(field.key_type).word, what);
    case Shape::kProfiles:
      return "mapping: name to profile";
    case Shape::kRecord:
      break;
  }
  return field.choices.empty() ? "mapping" : what + " or a mapping";
}

std::string fallback(const Field& field) {
  if (field.required) return "required";
  if (!field.fallback_note.empty()) return std::string(field.fallback_note);
  return field.fallback.empty() || field.shape == Shape::kRecord ? "" : fmt::format("`{}`", field.fallback);
}

std::string row(const Field& field) {
  std::string meaning(field.description);
  if (!field.example.empty()) meaning += fmt::format(" Example: `{}`", field.example);
  return fmt::format("| `{}` | {} | {} | {} |\n", field.path, cell(takes(field)), cell(fallback(field)),
                     cell(meaning));
}

void add_rows(std::string& out, const Field& field) {
  out += row(field);
  for (const Field* below : fields_below(field.path)) add_rows(out, *below);
}

std::string accepted_texts() {
  std::string out = "## Texts\n\nWhat each kind of text looks like:\n\n| kind | form |\n|---|---|\n";
  std::vector<Type> done;
  for (const Field& field : fields()) {
    const bool has_text =
        field.shape == Shape::kScalar || field.shape == Shape::kList || field.shape == Shape::kTextMap;
    const TypeInfo& info = type_info(field.type);
    if (!has_text || !field.choices.empty() || std::find(done.begin(), done.end(), field.type) != done.end())
      continue;
    done.push_back(field.type);
    out += fmt::format("| {} | {} |\n", info.word, cell(info.form));
  }
  return out;
}

std::string formats_table() {
  std::string out =
      "## Formats\n\n| format | files | folder of the store | what it is |\n|---|---|---|---|\n";
  for (const artifacts::Format& format : artifacts::formats()) {
    std::string files;
    for (const artifacts::FormatFile& file : format.files) {
      files += fmt::format("{}`*{}`", files.empty() ? "" : " ", file.suffix);
    }
    out += fmt::format("| `{}` | {} | `{}/` | {} |\n", format.name, files, format.folder, format.description);
  }
  return out;
}

}  // namespace

std::string reference_markdown() {
  std::string out(kIntroduction);
  out +=
      "## Fields\n\nOf the items of a list of mappings, `files.path` is the `path` of each.\n\n"
      "| field | takes | default | meaning |\n|---|---|---|---|\n";
  for (const Field* field : fields_below("")) add_rows(out, *field);
  out += "\n" + formats_table() + "\n" + accepted_texts() + "\n";
  out += kProfiles;
  out += kIsoBase;
  return out;
}

}  // namespace imgforge::recipe
