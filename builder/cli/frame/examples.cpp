#include "builder/cli/frame/examples.hpp"

#include <map>

namespace imgforge::cli {

std::string example_of(std::string_view command) {
  static const std::map<std::string_view, std::string_view> table{
      {"build",
       "imgforge build recipes/hello-boot.yaml --format iso --boot-test\n"
       "  imgforge build recipes/hello-boot.yaml --verify-reproducible\n"
       "  imgforge build recipes/unhinged-os.yaml --profile minimal --set disk.size=2G"},
      {"plan", "imgforge plan recipes/unhinged-os.yaml --profile server --why"},
      {"validate", "imgforge validate recipes/hello-boot.yaml"},
      {"show", "imgforge show recipes/unhinged-os.yaml --profile server --json"},
      {"verify",
       "imgforge verify\n"
       "  imgforge verify out/images/hello-boot.qcow2 --public-key release.pub"},
      {"key",
       "imgforge key generate release@example\n"
       "  imgforge key trust release.pub --name release@example"},
      {"boot", "imgforge boot out/isos/hello-boot.iso --path \"cd UEFI\" --run 'uname -r'"},
      {"lock", "imgforge lock recipes/unhinged-os.yaml"},
      {"update",
       "imgforge update recipes/unhinged-os.yaml\n"
       "  imgforge update recipes/unhinged-os.yaml openssl jq"},
      {"outdated", "imgforge outdated recipes/unhinged-os.yaml --json"},
      {"vendor", "imgforge vendor recipes/unhinged-os.yaml vendor/unhinged-os"},
      {"fetch",
       "imgforge fetch recipes/unhinged-os.yaml --profile minimal\n"
       "  imgforge fetch base --flavor standard --release 3.22"},
      {"doctor", "imgforge doctor --json"},
      {"help", "imgforge help exit-codes"},
  };
  const auto found = table.find(command);
  return found == table.end() ? std::string() : "Example:\n  " + std::string(found->second) + "\n";
}

}  // namespace imgforge::cli
