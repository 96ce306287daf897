#include "artifacts/manifest/kernel_features.hpp"

#include <vector>

#include "core/text.hpp"

namespace imgforge::artifacts {

std::string features_text(const KernelFeatures& features) {
  std::vector<std::string> has;
  std::vector<std::string> lacks;
  for (const auto& [name, there] : features) (there ? has : lacks).push_back(name);
  std::string text = core::join(has, ", ");
  if (!lacks.empty()) text += (text.empty() ? "no " : "; no ") + core::join(lacks, ", ");
  return text;
}

}  // namespace imgforge::artifacts
