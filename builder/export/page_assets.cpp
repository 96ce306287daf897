#include "builder/export/page_assets.hpp"

#include "core/embed.hpp"

IMGFORGE_EMBED(page_style, IMGFORGE_PAGE_ASSETS "style.css")
IMGFORGE_EMBED(page_script, IMGFORGE_PAGE_ASSETS "script.js")

namespace imgforge::exports {

std::string page_style() {
  return "\n" + std::string(IMGFORGE_EMBEDDED(page_style));
}

std::string page_script() {
  return "\n" + std::string(IMGFORGE_EMBEDDED(page_script));
}

}  // namespace imgforge::exports
