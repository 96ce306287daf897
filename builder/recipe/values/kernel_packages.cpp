#include "builder/recipe/values/kernel_packages.hpp"

#include <algorithm>
#include <array>

namespace imgforge::recipe {
namespace {

using namespace std::string_view_literals;

/// Flavors in the repositories of Alpine 3.5 to 3.23 and edge.
constexpr std::array kFlavors{"virt"sv,      "lts"sv,      "stable"sv,   "edge"sv,    "asahi"sv,
                              "elm"sv,       "gru"sv,      "hardened"sv, "vanilla"sv, "virthardened"sv,
                              "virtgrsec"sv, "grsec"sv,    "rpi"sv,      "rpi2"sv,    "rpi4"sv,
                              "openpax"sv,   "mainline"sv, "starfive"sv, "octeon"sv,  "edge-virt"sv,
                              "jh7100"sv,    "next"sv};

}  // namespace

bool is_kernel_package(std::string_view name) {
  constexpr std::string_view kPrefix = "linux-";
  return name.starts_with(kPrefix) &&
         std::find(kFlavors.begin(), kFlavors.end(), name.substr(kPrefix.size())) != kFlavors.end();
}

}  // namespace imgforge::recipe
