#include "builder/export/page.hpp"

#include <fmt/format.h>

#include "builder/export/html.hpp"
#include "builder/export/page_assets.hpp"
#include "builder/export/page_sections.hpp"

namespace imgforge::exports {
namespace {

std::string print_head(const Catalogue& catalogue) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src {}; "
      "script-src {}; img-src data:; base-uri &#39;none&#39;; form-action &#39;none&#39;\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n",
      escape_html(csp_hash(page_style())), escape_html(csp_hash(page_script())), escape_html(catalogue.title),
      page_style());
}

std::string print_intro(const Catalogue& catalogue) {
  std::size_t count = 0;
  for (const Line& line : catalogue.lines) count += line.releases.size();
  const std::string newest = newest_time(catalogue);
  std::string text = fmt::format("<header>\n<h1>{}</h1>\n", escape_html(catalogue.title));
  text += fmt::format("<p class=\"soft\">{} {} of {} {}{}</p>\n", count, count == 1 ? "release" : "releases",
                      catalogue.lines.size(), catalogue.lines.size() == 1 ? "image" : "images",
                      newest.empty() ? "" : ", the newest of " + escape_html(newest.substr(0, 10)));
  text += "<nav aria-label=\"Sections\">\n<ul>\n<li><a href=\"#releases\">Releases</a></li>\n";
  for (std::size_t i = 0; i < catalogue.lines.size(); ++i)
    text += fmt::format("<li><a href=\"#line-{}\">{}</a></li>\n", i, escape_html(catalogue.lines[i].name));
  return text +
         "<li><a href=\"#verify\">Verify</a></li>\n<li><a href=\"#use\">Use</a></li>\n</ul>\n</nav>\n"
         "</header>\n";
}

}  // namespace

std::string print_page(const Catalogue& catalogue, const PageSigners& signers) {
  std::string text = print_head(catalogue) + "<body>\n" + print_intro(catalogue) + "<main>\n";
  text += print_release_table(catalogue);
  for (std::size_t i = 0; i < catalogue.lines.size(); ++i) text += print_line_section(catalogue.lines[i], i);
  text += print_verify_section(catalogue, signers);
  text += print_use_section(catalogue, signers);
  text += "</main>\n<footer class=\"soft\">\n<p>Made by imgforge.</p>\n</footer>\n";
  return text + fmt::format("<script>{}</script>\n</body>\n</html>\n", page_script());
}

}  // namespace imgforge::exports
